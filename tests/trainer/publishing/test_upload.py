"""Publishing to folders, memory and a real S3 server: atomic, idempotent, and safe for other files."""

import hashlib
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fsspec
import pytest

from judgestream.checkpoints.describing import describe
from judgestream.checkpoints.manifest import FILE_NAME as MANIFEST
from judgestream.checkpoints.manifest import read_manifest, verify, write_manifest
from judgestream.core.errors import ConfigurationError
from judgestream_trainer.publishing.announce import checkpoint_message
from judgestream_trainer.publishing.upload import UploadedCheckpoint, publishable, upload
from tests.paths import JUDGES

TINY = JUDGES / "tiny"
SHORT = read_manifest(TINY).short


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoint"
    shutil.copytree(TINY, folder)
    return folder


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    """moto's S3 over HTTP on a free port of this machine."""
    server_module = pytest.importorskip("moto.server", reason="moto[server] is not installed")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A separate bucket, configured by the AWS variables as for any S3-compatible store."""
    s3fs = pytest.importorskip("s3fs", reason="s3fs is not installed")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    s3fs.S3FileSystem.clear_instance_cache()
    bucket = f"judges-{uuid.uuid4().hex[:8]}"
    s3fs.S3FileSystem().mkdir(bucket)
    yield f"s3://{bucket}/releases"
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture(params=["folder", "file", "memory", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Every kind of place to publish to."""
    name = uuid.uuid4().hex[:8]
    places: dict[str, Callable[[], str]] = {
        "folder": lambda: str(tmp_path / "releases"),
        "file": lambda: f"file://{tmp_path / 'releases'}",
        "memory": lambda: f"memory://releases-{name}",
        "s3": lambda: str(request.getfixturevalue("s3")),
    }
    return places[request.param]()


def stored(release: UploadedCheckpoint) -> dict[str, bytes]:
    store, root = fsspec.url_to_fs(release.location)
    store.invalidate_cache()
    start = len(store._strip_protocol(root)) + 1
    return {path[start:]: store.cat_file(path) for path in store.find(root)}


def test_a_release_is_the_whole_checkpoint_with_its_manifest_last(
    checkpoint: Path, url: str, tmp_path: Path
) -> None:
    written: list[str] = []
    release = upload(checkpoint, url, name="mine", on_file=lambda name, size: written.append(name))
    assert release.location == f"{url}/mine-{SHORT}"
    assert written[0] == "model.safetensors"
    assert written[-1] == MANIFEST
    assert tuple(written) == release.uploaded
    back = tmp_path / "back"
    for name, content in stored(release).items():
        (back / name).parent.mkdir(parents=True, exist_ok=True)
        (back / name).write_bytes(content)
    manifest = read_manifest(back)
    assert manifest.name == "mine"
    assert manifest.digest == read_manifest(TINY).digest
    verify(back, manifest)


def test_publishing_twice_writes_nothing_the_second_time(checkpoint: Path, url: str) -> None:
    first = upload(checkpoint, url)
    before = stored(first)
    again = upload(checkpoint, url)
    assert again.uploaded == ()
    assert again.location == first.location
    assert stored(again) == before


def test_an_interrupted_upload_is_completed_and_shows_no_manifest_before(
    checkpoint: Path, url: str
) -> None:
    class Killed(BaseException):
        """Like SIGKILL: no clean-up runs."""

    def die(name: str, size: int) -> None:
        if len(done) == 2:
            raise Killed
        done.append(name)

    done: list[str] = []
    with pytest.raises(Killed):
        upload(checkpoint, url, on_file=die)
    finished = upload(checkpoint, url)
    assert not set(done) & set(finished.uploaded)
    assert finished.uploaded[-1] == MANIFEST
    assert set(stored(finished)) == {*read_manifest(checkpoint).files, MANIFEST}


def test_a_partial_file_of_a_killed_upload_is_ignored(checkpoint: Path, tmp_path: Path) -> None:
    target = tmp_path / "releases" / f"tiny-{SHORT}"
    target.mkdir(parents=True)
    (target / "model.safetensors.part").write_bytes(b"half")
    release = upload(checkpoint, str(tmp_path / "releases"))
    assert set(stored(release)) == {*read_manifest(checkpoint).files, MANIFEST}


def test_a_new_card_replaces_the_old_one_and_the_weights_stay(checkpoint: Path, url: str) -> None:
    upload(checkpoint, url)
    (checkpoint / "EVALUATION.md").write_text("measured anew")
    revised = read_manifest(checkpoint)
    files = {**revised.files, "EVALUATION.md": _sha256(checkpoint / "EVALUATION.md")}
    _rewrite(checkpoint, files=files)
    release = upload(checkpoint, url)
    assert release.uploaded == ("EVALUATION.md", MANIFEST)
    assert stored(release)["EVALUATION.md"] == b"measured anew"


@pytest.mark.parametrize("name", ["model.safetensors", "notes.txt", "manifest.json"])
def test_files_of_another_judge_are_named_and_left_unchanged(
    checkpoint: Path, url: str, name: str
) -> None:
    store, root = fsspec.url_to_fs(f"{url}/tiny-{SHORT}")
    store.makedirs(root, exist_ok=True)
    store.pipe_file(f"{root}/{name}", b"somebody else's")
    with pytest.raises(ConfigurationError, match=f"{name}.*remove it, or publish under another"):
        upload(checkpoint, url)
    store.invalidate_cache()
    assert [path.rpartition("/")[2] for path in store.find(root)] == [name]
    assert store.cat_file(f"{root}/{name}") == b"somebody else's"


def damaged(folder: Path) -> None:
    with (folder / "model.safetensors").open("r+b") as file:
        file.truncate(1000)


def without_card(folder: Path) -> None:
    (folder / "EVALUATION.md").unlink()
    files = dict(read_manifest(folder).files)
    del files["EVALUATION.md"]
    _rewrite(folder, files=files)


def without_evaluation(folder: Path) -> None:
    _rewrite(folder, evaluation={})


def without_manifest(folder: Path) -> None:
    (folder / MANIFEST).unlink()


@pytest.mark.parametrize(
    ("harm", "problem"),
    [
        (damaged, "model.safetensors has changed or is truncated"),
        (without_card, r"no EVALUATION.md: run `judgestream evaluate"),
        (without_evaluation, "no evaluation in its manifest"),
        (without_manifest, "no manifest.json"),
    ],
)
def test_an_incomplete_checkpoint_is_refused_before_anything_is_written(
    checkpoint: Path, tmp_path: Path, harm: Callable[[Path], None], problem: str
) -> None:
    harm(checkpoint)
    with pytest.raises(ConfigurationError, match=problem):
        upload(checkpoint, str(tmp_path / "releases"))
    assert not (tmp_path / "releases").exists()


def test_a_store_that_changes_a_file_is_detected(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = fsspec.filesystem("memory")
    honest = type(memory).put_file

    def corrupt(self: Any, local: str, path: str, **rest: Any) -> None:
        honest(self, local, path, **rest)
        self.pipe_file(path, self.cat_file(path)[:-1] + b"!")

    monkeypatch.setattr(type(memory), "put_file", corrupt)
    url = f"memory://spoilt-{uuid.uuid4().hex[:8]}"
    with pytest.raises(ConfigurationError, match="does not read back as it was written"):
        upload(checkpoint, url)
    assert not memory.exists(f"{url}/tiny-{SHORT}/{MANIFEST}")


@pytest.mark.parametrize("wrong", ["nonsense://place", "s3://no-such-bucket-here/releases"])
def test_an_unusable_url_is_named(checkpoint: Path, wrong: str, s3: str) -> None:
    with pytest.raises(ConfigurationError, match=wrong.partition(":")[0]):
        upload(checkpoint, wrong)


def test_the_event_carries_the_cards_numbers_by_path(checkpoint: Path, tmp_path: Path) -> None:
    release = upload(checkpoint, str(tmp_path / "releases"))
    message = checkpoint_message(release, published_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert message.digest == publishable(TINY).digest
    assert message.location == release.location
    accuracy = read_manifest(TINY).evaluation["with_reference"]["accuracy"]
    assert message.evaluation["with_reference.accuracy"] == pytest.approx(accuracy)
    assert message.max_input_tokens == 2048


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _rewrite(folder: Path, **changed: Any) -> None:
    """The manifest with some fields changed."""
    write_manifest(folder, replace(read_manifest(folder), **changed))


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        ("config.json", '"vocab_size": 1024', '"vocab_size": 4096', "embed"),
        ("config.json", "{", '{"auto_map": {"AutoModel": "code.Model"},', "auto_map"),
    ],
)
def test_a_checkpoint_that_could_not_be_installed_is_not_published(
    checkpoint: Path, file: str, old: str, new: str, problem: str, tmp_path: Path
) -> None:
    text = (checkpoint / file).read_text(encoding="utf-8")
    assert old in text
    (checkpoint / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    manifest = read_manifest(TINY)
    (checkpoint / MANIFEST).unlink()
    write_manifest(
        checkpoint,
        replace(
            describe(checkpoint, max_input_tokens=manifest.max_input_tokens),
            evaluation=manifest.evaluation,
        ),
    )
    with pytest.raises(ConfigurationError, match=problem):
        upload(checkpoint, str(tmp_path / "releases"))
    assert not (tmp_path / "releases").exists()
