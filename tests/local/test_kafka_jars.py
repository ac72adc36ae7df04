"""Only pinned jars are used, and every failure says how to fix it."""

import hashlib
import os
from pathlib import Path

import pytest

from judgestream.local import kafka_jars
from judgestream.local.errors import DownloadFailed, ServerMissing

CONTENT = {"a-1.jar": b"alpha", "b-2.jar": b"beta"}
PINNED = {name: hashlib.sha256(data).hexdigest() for name, data in CONTENT.items()}


class FakeMaven:
    """Stands in for jgo: writes the jars, and counts how often it was asked."""

    def __init__(self, content: dict[str, bytes]) -> None:
        self.content = content
        self.calls = 0

    def __call__(self, aside: Path, repository: str | None) -> list[Path]:
        self.calls += 1
        folder = aside / "deep" / "modules"
        folder.mkdir(parents=True)
        for name, data in self.content.items():
            (folder / name).write_bytes(data)
        return [folder / name for name in self.content]


@pytest.fixture
def maven(monkeypatch: pytest.MonkeyPatch) -> FakeMaven:
    fake = FakeMaven(dict(CONTENT))
    monkeypatch.setattr(kafka_jars, "_run_jgo", fake)
    monkeypatch.setattr(kafka_jars, "pinned_digests", lambda: PINNED)
    return fake


def test_all_46_jars_are_pinned_by_sha256() -> None:
    pinned = kafka_jars.pinned_digests()
    assert len(pinned) == 46
    assert f"kafka_2.13-{kafka_jars.KAFKA_VERSION}.jar" in pinned
    assert "slf4j-simple-1.7.36.jar" in pinned
    assert all(len(digest) == 64 and int(digest, 16) for digest in pinned.values())


def test_jars_are_downloaded_once_and_nothing_else_is_kept(
    maven: FakeMaven, tmp_path: Path
) -> None:
    first = kafka_jars.prepare(tmp_path)
    second = kafka_jars.prepare(tmp_path)
    assert first == second
    assert [path.read_bytes() for path in first] == [b"alpha", b"beta"]
    assert maven.calls == 1
    folder = tmp_path / f"kafka-{kafka_jars.KAFKA_VERSION}"
    assert sorted(path.name for path in folder.iterdir()) == [".lock", "jars", "verified.json"]


def test_a_download_that_is_not_the_pinned_file_is_refused_by_name(
    maven: FakeMaven, tmp_path: Path
) -> None:
    maven.content["b-2.jar"] = b"evil"
    with pytest.raises(DownloadFailed, match=r"b-2\.jar as downloaded is not the pinned file"):
        kafka_jars.prepare(tmp_path)
    assert not list(tmp_path.rglob("*.jar"))


def test_a_jar_that_changed_in_the_cache_is_refused_by_name(
    maven: FakeMaven, tmp_path: Path
) -> None:
    jar = kafka_jars.prepare(tmp_path)[0]
    jar.write_bytes(b"ALPHA")
    with pytest.raises(DownloadFailed, match=rf"a-1\.jar in the cache .* Delete {jar}"):
        kafka_jars.prepare(tmp_path)


def test_a_jar_that_was_only_touched_is_hashed_again_and_kept(
    maven: FakeMaven, tmp_path: Path
) -> None:
    jar = kafka_jars.prepare(tmp_path)[0]
    os.utime(jar, (1, 1))
    kafka_jars.prepare(tmp_path)
    assert maven.calls == 1


def test_a_missing_jar_is_downloaded_again(maven: FakeMaven, tmp_path: Path) -> None:
    kafka_jars.prepare(tmp_path)[0].unlink()
    assert kafka_jars.prepare(tmp_path)[0].read_bytes() == b"alpha"
    assert maven.calls == 2


def test_a_dependency_that_maven_no_longer_has_is_named(maven: FakeMaven, tmp_path: Path) -> None:
    del maven.content["b-2.jar"]
    with pytest.raises(DownloadFailed, match=r"returned no b-2\.jar"):
        kafka_jars.prepare(tmp_path)


@pytest.mark.parametrize(
    ("trace", "kind", "words"),
    [
        (
            "requests.exceptions.SSLError: ... CERTIFICATE_VERIFY_FAILED ...",
            DownloadFailed,
            "Set REQUESTS_CA_BUNDLE to a PEM file",
        ),
        (
            "requests.exceptions.ConnectionError: Max retries exceeded",
            DownloadFailed,
            "behind a proxy set HTTPS_PROXY",
        ),
        (
            "ModuleNotFoundError: No module named 'jgo'",
            ServerMissing,
            "No module named 'jgo'. Install it with: pip install",
        ),
        ("RuntimeError: odd", DownloadFailed, "report it"),
        ("", DownloadFailed, "no message"),
    ],
)
def test_a_failed_download_says_how_to_fix_it(
    trace: str, kind: type[Exception], words: str
) -> None:
    error = kafka_jars.explain_failure(trace)
    assert type(error) is kind
    assert words in str(error)


def test_a_bundle_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such.pem")
    trace = "OSError: Could not find a suitable TLS CA certificate bundle, invalid path"
    assert "REQUESTS_CA_BUNDLE names /no/such.pem" in str(kafka_jars.explain_failure(trace))
