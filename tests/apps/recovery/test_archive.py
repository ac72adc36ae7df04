"""The files of a backup, and the refusal of damaged ones."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from judgestream.apps.recovery.archive import (
    MANIFEST,
    Archive,
    KeptFile,
    Line,
    Manifest,
    _line,
    partition_file,
    sha256_of,
)
from judgestream.apps.recovery.backup import copy_models, model_files, shown
from judgestream.apps.recovery.restore import _model_files, new_offset, translated
from judgestream.contracts.topics import CHECKPOINTS, LABELS, ROLLOUTS
from judgestream.core.errors import ConfigurationError
from judgestream.settings import Settings
from judgestream.v1.rollout_pb2 import Rollout

raw = st.none() | st.binary(max_size=30)
LINES = st.builds(
    Line,
    offset=st.integers(0, 2**62),
    time_ms=st.none() | st.integers(0, 2**40),
    key=raw,
    value=raw,
    headers=st.lists(st.tuples(st.text(max_size=9), raw), max_size=3).map(tuple),
)


@given(LINES)
def test_a_record_survives_its_line(line: Line) -> None:
    assert _line(line.as_json()) == line


@given(LINES, LINES)
def test_records_have_one_digest_only_if_they_are_equal(one: Line, other: Line) -> None:
    def content(line: Line) -> tuple[object, ...]:
        return line.time_ms, line.key, line.value, line.headers

    assert (one.digest == other.digest) == (content(one) == content(other))


def filled(folder: Path, topic: str = LABELS.name) -> Archive:
    """A backup of one partition with the offsets 3 and 7."""
    archive = Archive(folder)
    path = archive.partition(topic, 0)
    path.parent.mkdir(parents=True)
    with partition_file(path) as file:
        for offset in (3, 7):
            line = Line(offset=offset, time_ms=1, key=b"k", value=b"v%d" % offset)
            file.write(line.as_json() + "\n")
    name = str(path.relative_to(folder))
    archive.write_manifest(
        Manifest(
            made_at="2026-11-26T12:00:00+00:00",
            version="1",
            partitions={topic: 1},
            groups={"g": {topic: {0: 7}}},
            files=(KeptFile(path=name, sha256=sha256_of(path), records=2),),
        )
    )
    return archive


def test_a_backup_is_read_as_it_was_written(tmp_path: Path) -> None:
    archive = filled(tmp_path)
    manifest = archive.manifest()
    assert manifest.groups == {"g": {LABELS.name: {0: 7}}}
    assert [line.value for line in archive.lines(LABELS.name, 0)] == [b"v3", b"v7"]
    assert list(archive.lines(LABELS.name, 5)) == []
    assert (archive.partition(LABELS.name, 0).stat().st_mode & 0o777) == 0o600


def damage(archive: Archive) -> None:
    path = archive.partition(LABELS.name, 0)
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


def lose(archive: Archive) -> None:
    archive.partition(LABELS.name, 0).unlink()


def cut(archive: Archive) -> None:
    path = archive.folder / MANIFEST
    path.write_text(path.read_text()[:-20])


def escape(archive: Archive) -> None:
    path = archive.folder / MANIFEST
    path.write_text(path.read_text().replace('"topics/', '"../topics/'))


def age(archive: Archive) -> None:
    path = archive.folder / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2}))


def interrupt(archive: Archive) -> None:
    (archive.folder / MANIFEST).unlink()


def lose_field(archive: Archive) -> None:
    path = archive.folder / MANIFEST
    found = json.loads(path.read_text())
    del found["groups"]
    path.write_text(json.dumps(found))


def unlist(archive: Archive) -> None:
    path = archive.folder / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | {"files": []}))


def add(archive: Archive) -> None:
    archive.partition(LABELS.name, 1).write_bytes(archive.partition(LABELS.name, 0).read_bytes())


def count_beyond_numbers(archive: Archive) -> None:
    path = archive.folder / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | {"partitions": {"x": 1e999}}))


def hang(archive: Archive) -> None:
    archive.partition(LABELS.name, 0).unlink()
    os.mkfifo(archive.partition(LABELS.name, 0))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (unlist, "does not list .*0.jsonl.zst"),
        (add, "1.jsonl.zst is not in manifest.json: it was added later"),
        (count_beyond_numbers, "manifest.json is damaged: OverflowError"),
        (hang, r"0.jsonl.zst cannot be read \(not a file\)"),
        (damage, r"0.jsonl.zst is damaged: its SHA-256 is"),
        (lose, r"0.jsonl.zst cannot be read"),
        (cut, "manifest.json is damaged"),
        (lose_field, "manifest.json is damaged: KeyError"),
        (escape, "outside of the backup"),
        (age, "has format 2, and this version reads 1"),
        (interrupt, "has no manifest.json.*again to complete it"),
    ],
)
def test_a_damaged_backup_is_refused(
    change: Callable[[Archive], None], told: str, tmp_path: Path
) -> None:
    archive = filled(tmp_path)
    change(archive)
    with pytest.raises(ConfigurationError, match=told):
        archive.manifest()


def test_a_line_that_is_not_a_record_names_its_file(tmp_path: Path) -> None:
    archive = filled(tmp_path)
    with partition_file(archive.partition(LABELS.name, 0)) as file:
        file.write('["x", 1, null, null, []]\n')
    with pytest.raises(ConfigurationError, match="0.jsonl.zst is damaged"):
        list(archive.lines(LABELS.name, 0))


@pytest.mark.parametrize(("old", "new"), [(0, 0), (3, 0), (4, 1), (7, 1), (8, 2), (100, 2)])
def test_an_offset_becomes_the_number_of_records_before_it(old: int, new: int) -> None:
    assert new_offset([3, 7], old) == new


def test_the_place_on_the_topic_of_checkpoints_is_translated(tmp_path: Path) -> None:
    """Two checkpoints at 3 and 7; the rollout has looked at those before 5, so at the first."""
    archive = filled(tmp_path, CHECKPOINTS.name)
    path = archive.partition(ROLLOUTS.name, 0)
    path.parent.mkdir(parents=True)
    states = [Rollout(revision=1, next_checkpoint=5).SerializeToString(), b"\xff", b""]
    with partition_file(path) as file:
        for k, value in enumerate([*states, None]):
            file.write(Line(offset=k, time_ms=1, key=b"default", value=value).as_json() + "\n")
    found = [line.value for line in translated(archive, ROLLOUTS, 0)]
    assert found[0] is not None and Rollout.FromString(found[0]).next_checkpoint == 1
    assert found[1:] == [b"\xff", b"", None]


def test_models_are_copied_once_and_never_replaced(tmp_path: Path) -> None:
    source, target = tmp_path / "models", tmp_path / "copy"
    (source / "a/1").mkdir(parents=True)
    (source / "a/config.pbtxt").write_text("name: a")
    (source / "a/1/weights").symlink_to(source / "a/config.pbtxt")
    assert len(copy_models(source, target, model_files(source))) == 2
    assert (target / "a/1/weights").read_text() == "name: a" and not (
        target / "a/1/weights"
    ).is_symlink()
    assert len(copy_models(source, target, model_files(source))) == 2
    (target / "a/config.pbtxt").write_text("name: b")
    with pytest.raises(ConfigurationError, match="another file"):
        copy_models(source, target, model_files(source))


def test_linked_folders_belong_to_a_release_and_unfinished_ones_to_none(tmp_path: Path) -> None:
    source, elsewhere = tmp_path / "models", tmp_path / "disk"
    (source / "a").mkdir(parents=True)
    (source / ".b.4711").mkdir()
    (source / ".b.4711/config.pbtxt").write_text("half")
    (elsewhere / "checkpoint").mkdir(parents=True)
    (elsewhere / "checkpoint/weights").write_text("1 2 3")
    (source / "a/1").symlink_to(elsewhere)
    (elsewhere / "round").symlink_to(source)
    (elsewhere / "self").symlink_to(elsewhere)
    (elsewhere / "gone").symlink_to(tmp_path / "nothing")
    assert model_files(source) == [source / "a/1/checkpoint/weights"]


def test_a_folder_that_cannot_be_read_is_not_left_out(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        model_files(tmp_path / "none")


def test_only_models_of_the_manifest_are_restored(tmp_path: Path) -> None:
    """A file that was put there later would run in Triton."""
    archive = filled(tmp_path)
    for name in ("a/1/model.py", "b/1/model.py"):
        (archive.models / name).parent.mkdir(parents=True)
        (archive.models / name).write_text("pass")
    kept = KeptFile(path="models/a/1/model.py", sha256=sha256_of(archive.models / "a/1/model.py"))
    manifest = replace(archive.manifest(), files=(*archive.manifest().files, kept))
    assert _model_files(archive, manifest) == [archive.models / "a/1/model.py"]


def test_a_backup_has_no_secret() -> None:
    settings = Settings()
    kafka = settings.kafka.model_copy(update={"password": SecretStr("s3cret")})
    redis = settings.redis.model_copy(update={"url": SecretStr("redis://:s3cret@host/0")})
    found = json.dumps(shown(settings.model_copy(update={"kafka": kafka, "redis": redis})))
    assert "s3cret" not in found and "bootstrap" in found
