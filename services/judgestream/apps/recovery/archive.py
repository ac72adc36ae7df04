"""The files of a backup.

plan.json               written first: the ends of the topics and the groups' offsets at that moment
topics/TOPIC/N.jsonl.zst one file a partition, one record a line: [offset, milliseconds since 1970 or null,
                        key, value, [[header, value], ...]], bytes in base64
models/                 a copy of the model repository
manifest.json           written last, so that its existence means that the rest is complete: the number of
                        records and the SHA-256 of every file
"""

import base64
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

import zstandard

from judgestream.core.errors import ConfigurationError

FORMAT = 1
MANIFEST, PLAN = "manifest.json", "plan.json"
MOST_PARTITIONS = 10_000
MAX_LINE = 64 << 20
"""Characters. A record has at most 9 MiB."""

GroupOffsets = Mapping[str, Mapping[str, Mapping[int, int]]]
"""Group -> topic -> partition -> offset of the next record to read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One record as it is kept."""

    offset: int
    time_ms: int | None
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()

    def as_json(self) -> str:
        headers = [[name, _text(value)] for name, value in self.headers]
        row = [self.offset, self.time_ms, _text(self.key), _text(self.value), headers]
        return json.dumps(row, separators=(",", ":"))

    @property
    def digest(self) -> bytes:
        """SHA-256 of everything but its place."""
        row = [self.time_ms, _text(self.key), _text(self.value)]
        told = json.dumps([*row, [[name, _text(value)] for name, value in self.headers]])
        return hashlib.sha256(told.encode()).digest()


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptFile:
    """A file of the backup by its path in it. `records` is 0 for a file that is not a partition."""

    path: str
    sha256: str
    records: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """A complete backup.

    partitions  topic -> number of partitions
    groups      as they were before the first record was read, so that nothing is skipped
    settings    without secrets, for people
    """

    made_at: str
    version: str
    partitions: Mapping[str, int]
    groups: GroupOffsets
    files: tuple[KeptFile, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    format: int = FORMAT


class Archive:
    """A backup's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def partition(self, topic: str, number: int) -> Path:
        return self.folder / "topics" / topic / f"{number}.jsonl.zst"

    @property
    def models(self) -> Path:
        return self.folder / "models"

    def write(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a JSON file in one step."""
        aside = self.folder / f"{name}.part"
        with aside.open("w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(self.folder / name)

    def write_manifest(self, manifest: Manifest) -> None:
        self.write(MANIFEST, asdict(manifest))

    def read(self, name: str) -> dict[str, Any] | None:
        """A JSON file; None if there is none.

        Raises:
            ConfigurationError: it is damaged.
        """
        path = self.folder / name
        try:
            found = json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as exc:
            raise ConfigurationError(f"{path} is damaged: {exc}: use another backup") from exc
        if not isinstance(found, dict):
            raise ConfigurationError(f"{path} is damaged: not a JSON object: use another backup")
        return found

    def manifest(self) -> Manifest:
        """The manifest, with every file checked against it.

        Raises:
            ConfigurationError: there is none, or it is damaged or of a newer version, or a file is missing or
                damaged; the message names it.
        """
        found = self.read(MANIFEST)
        if found is None:
            raise ConfigurationError(
                f"{self.folder} has no {MANIFEST}: it is not a backup, or one that was interrupted; run"
                f" `judgestream backup --to {self.folder}` again to complete it"
            )
        if found.get("format") != FORMAT:
            raise ConfigurationError(
                f"{self.folder / MANIFEST} has format {found.get('format')!r}, and this version reads"
                f" {FORMAT}: restore with the version that wrote it, or a newer one"
            )
        try:
            manifest = Manifest(
                made_at=str(found["made_at"]),
                version=str(found["version"]),
                partitions={str(k): int(v) for k, v in found["partitions"].items()},
                groups=group_offsets_of(found["groups"]),
                files=tuple(
                    KeptFile(
                        path=str(f["path"]), sha256=str(f["sha256"]), records=int(f["records"])
                    )
                    for f in found["files"]
                ),
                settings=dict(found.get("settings", {})),
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as exc:
            raise ConfigurationError(
                f"{self.folder / MANIFEST} is damaged: {exc!r}: use another backup"
            ) from exc
        for kept in manifest.files:
            self._check(kept)
        self._check_complete(manifest)
        return manifest

    def _check_complete(self, manifest: Manifest) -> None:
        """Check that the manifest has a file of every partition, and that no other records would be read."""
        listed = {self.folder / kept.path for kept in manifest.files}
        wanted = {
            self.partition(topic, number)
            for topic, count in manifest.partitions.items()
            for number in range(min(count, MOST_PARTITIONS))
        }
        if lost := sorted(wanted - listed):
            raise ConfigurationError(
                f"{self.folder / MANIFEST} is damaged: it does not list {lost[0]}: use another backup"
            )
        for topic in manifest.partitions:
            for path in sorted(self.partition(topic, 0).parent.glob("*")):
                if path not in listed:
                    raise ConfigurationError(
                        f"{path} is not in {MANIFEST}: it was added later; remove it, or use another backup"
                    )

    def _check(self, kept: KeptFile) -> None:
        path = self.folder / kept.path
        if Path(kept.path).is_absolute() or ".." in Path(kept.path).parts:
            raise ConfigurationError(
                f"{MANIFEST} names {kept.path}, which is outside of the backup"
            )
        try:
            if path.exists() and not path.is_file():
                raise OSError("not a file")
            actual = sha256_of(path)
        except OSError as exc:
            raise ConfigurationError(
                f"{path} cannot be read ({exc.strerror or exc}): use another backup"
            ) from exc
        if actual != kept.sha256:
            raise ConfigurationError(
                f"{path} is damaged: its SHA-256 is {actual}, the manifest says {kept.sha256}:"
                " use another backup"
            )

    def lines(self, topic: str, number: int) -> Iterator[Line]:
        """The records of a partition, oldest first; none if the backup has none.

        Raises:
            ConfigurationError: a line is not a record.
        """
        path = self.partition(topic, number)
        if not path.exists():
            return
        try:
            with zstandard.open(path, "rt", encoding="utf-8") as file:
                while text := file.readline(MAX_LINE):
                    yield _line(text)
        except (zstandard.ZstdError, OSError, ValueError, TypeError, RecursionError) as exc:
            raise ConfigurationError(f"{path} is damaged: {exc}: use another backup") from exc


@contextmanager
def partition_file(path: Path) -> Iterator[TextIO]:
    """A compressed file to write lines to, readable by its owner only."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as raw:
        with zstandard.open(raw, "wt", encoding="utf-8", closefd=False) as file:
            yield file
        os.fsync(raw.fileno())


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def group_offsets_of(values: Any) -> GroupOffsets:
    """As JSON keeps them, with texts for numbers. Raises as a malformed value does."""
    return {
        str(group): {
            str(topic): {int(number): int(offset) for number, offset in places.items()}
            for topic, places in topics.items()
        }
        for group, topics in values.items()
    }


def _line(text: str) -> Line:
    offset, time_ms, key, value, headers = json.loads(text)
    if not isinstance(offset, int) or not (time_ms is None or isinstance(time_ms, int)):
        raise ValueError("an offset or a time is not a number")
    return Line(
        offset=offset,
        time_ms=time_ms,
        key=_bytes(key),
        value=_bytes(value),
        headers=tuple((str(name), _bytes(content)) for name, content in headers),
    )


def _text(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


def _bytes(text: Any) -> bytes | None:
    return None if text is None else base64.b64decode(text, validate=True)
