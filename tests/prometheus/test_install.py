"""The installer of Prometheus: its reasons, and that it does its work without the machine's lists."""

from pathlib import Path

import pytest

from tests.debian_packages import Unavailable
from tests.prometheus import install
from tests.prometheus.install import programs, version_of
from tests.prometheus.promtool import promtool, required


def test_the_version_is_read_from_the_programs_own_words() -> None:
    assert version_of("promtool, version 2.42.0+ds (branch: x)") == (2, 42)
    with pytest.raises(Unavailable, match="does not tell its version"):
        version_of("nothing")


def test_a_machine_without_apt_gets_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable, match="install Prometheus 2.42"):
        programs(tmp_path / "none")


def test_an_older_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    required()
    monkeypatch.setattr(install, "LEAST", (99, 0))
    with pytest.raises(Unavailable, match="install 99.0 or later"):
        programs()


def test_promtool_complains_about_a_wrong_rule(tmp_path: Path) -> None:
    required()
    file = tmp_path / "rules.yml"
    file.write_text("groups: [{name: g, rules: [{alert: A, expr: 'up == 0'}]}]")
    assert promtool("check", "rules", file) == ""
    file.write_text("groups: [{name: g, rules: [{alert: A, expr: 'up =='}]}]")
    assert "could not parse expression" in promtool("check", "rules", file)
