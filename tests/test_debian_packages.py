"""Packages of the distribution: what is fetched runs, and what cannot be fetched has a reason."""

import subprocess
from pathlib import Path

import pytest

from tests import debian_packages
from tests.debian_packages import Unavailable, or_skip, unpack
from tests.redis_package import redis_program


def test_redis_runs_with_its_own_libraries_and_knows_tls() -> None:
    found = or_skip(redis_program)
    done = subprocess.run(
        [found.server, "--tls-port", "none"],
        env=dict(found.environment),
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert "couldn't be parsed into an integer" in done.stderr


def test_a_folder_without_the_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="remove the folder"):
        redis_program(tmp_path)


def test_a_failed_download_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("apt-get", "dpkg-deb"):
        (programs / name).write_text("#!/bin/sh\necho no network >&2; exit 1\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/bin:/usr/bin")
    with pytest.raises(Unavailable, match="update failed: no network"):
        unpack("redis-server", tmp_path / "none", libraries=True)
    assert list(tmp_path.iterdir()) == [programs]


def test_what_is_unavailable_is_skipped_but_in_ci_it_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def find() -> None:
        raise Unavailable("none")

    monkeypatch.setattr(debian_packages, "IN_CI", False)
    with pytest.raises(pytest.skip.Exception, match="none"):
        or_skip(find)
    monkeypatch.setattr(debian_packages, "IN_CI", True)
    with pytest.raises(Unavailable, match="none"):
        or_skip(find)
