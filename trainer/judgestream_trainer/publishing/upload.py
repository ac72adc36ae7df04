"""Upload of a checkpoint folder to a URL: weights first, the manifest last, every file verified.

The checkpoint is stored in `URL/<name>-<digest8>/`. It is complete once its manifest exists. A repeated
upload writes only missing files, and so completes an interrupted one: a file is present when its size and its
SHA-256 match.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import fsspec

from judgestream.checkpoints.inspection import inspect
from judgestream.checkpoints.manifest import (
    FILE_NAME,
    Manifest,
    read_manifest,
    verify,
    write_manifest,
)
from judgestream.core.errors import ConfigurationError
from judgestream_trainer.cards.folder import CARD, PAGE

BLOCK = 8 << 20
WHOLE_PUTS = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "memory"})
"""Stores with atomic puts. Elsewhere a file is written under another name and renamed."""

PART = ".part"

OnFile = Callable[[str, int], None]
"""Called with the name and size in bytes of every stored file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UploadedCheckpoint:
    """A checkpoint under a URL; `uploaded` names the files that this upload wrote."""

    location: str
    manifest: Manifest
    uploaded: tuple[str, ...]


def publishable(folder: Path) -> Manifest:
    """The folder's manifest, after all checks that publishing requires.

    Raises:
        ConfigurationError: a file is damaged, weights are pickled, there is no evaluation, or `release
        install`
            would refuse the folder for another reason.
    """
    if folder.is_dir() and not (folder / FILE_NAME).exists():
        raise ConfigurationError(
            f"checkpoint {folder} has no {FILE_NAME} yet: write manifest and card with"
            f" judgestream evaluate --checkpoint {folder} --data HELD_OUT"
        )
    manifest = read_manifest(folder)
    where = f"checkpoint {folder} ({manifest.name}, {manifest.short})"
    verify(folder, manifest)
    pickled = sorted(path for path in manifest.files if path.endswith(".bin"))
    if pickled:
        raise ConfigurationError(
            f"{where}: {pickled[0]} is pickled, which may run code: save the weights as safetensors"
        )
    inspect(folder, manifest)
    missing = [name for name in (CARD, PAGE) if name not in manifest.files]
    if missing or not manifest.evaluation:
        what = f"no {missing[0]}" if missing else "no evaluation in its manifest"
        raise ConfigurationError(
            f"{where}: {what}: run `judgestream evaluate --checkpoint {folder}` first"
        )
    return manifest


def upload(
    folder: Path, url: str, *, name: str = "", on_file: OnFile = lambda name, size: None
) -> UploadedCheckpoint:
    """Publish the checkpoint in `folder` under any URL that fsspec knows.

    Args:
        name: name of the release; "": the manifest's name.

    Raises:
        ConfigurationError: the folder fails a check of `publishable`, the URL cannot be used, the target
        holds
            something else, or a written file does not read back. The message names the file.
    """
    manifest = publishable(folder)
    manifest = replace(manifest, name=name or manifest.name)
    store, root = _opened(url)
    target = f"{root.rstrip('/')}/{manifest.name}-{manifest.short}"
    location = f"{url.rstrip('/')}/{manifest.name}-{manifest.short}" if "://" in url else target
    with _translated(location):
        present = _listing(store, target)
        _refuse_foreign(store, target, location, manifest, present)
        written = _complete(store, target, folder, manifest, present, on_file)
    return UploadedCheckpoint(location=location, manifest=manifest, uploaded=tuple(written))


def _complete(
    store: Any,
    target: str,
    folder: Path,
    manifest: Manifest,
    present: Mapping[str, int],
    on_file: OnFile,
) -> list[str]:
    """Write the missing files, weights first, manifest last. Returns their names."""
    with TemporaryDirectory() as draft:
        text = write_manifest(Path(draft), manifest)
        ordered = sorted(manifest.files, key=lambda path: (not _weights(path), path))
        files = {path: (folder / path, manifest.files[path]) for path in ordered}
        last = {FILE_NAME: (text, _sum(text))}
        missing = [
            path
            for path, (file, digest) in {**files, **last}.items()
            if not _same(store, f"{target}/{path}", file.stat().st_size, digest)
        ]
        if missing and FILE_NAME in present:
            # while files change, the checkpoint is incomplete
            store.rm_file(f"{target}/{FILE_NAME}")
        if missing and FILE_NAME not in missing:
            missing.append(FILE_NAME)
        for path in missing:
            file, digest = (files | last)[path]
            _put(store, file, f"{target}/{path}", digest)
            on_file(path, file.stat().st_size)
    return missing


def _opened(url: str) -> tuple[Any, str]:
    """The file system of a URL and the path in it."""
    try:
        store, root = fsspec.url_to_fs(url)
    except ImportError as error:
        raise ConfigurationError(f"{url}: {error}: install that package") from error
    except Exception as error:  # the stores share no base class for a bad address or login
        raise ConfigurationError(f"{url} cannot be used: {error}: check the URL") from error
    return store, str(root)


@contextmanager
def _translated(location: str) -> Iterator[None]:
    """Translate a store's errors into one that names the location."""
    try:
        yield
    except ConfigurationError:
        raise
    except Exception as error:  # the stores share no base class for errors
        raise ConfigurationError(
            f"{location}: {type(error).__name__}: {error}: check that the store answers and that these"
            " credentials may write there, then publish again; files that are there already are kept"
        ) from error


def _listing(store: Any, target: str) -> dict[str, int]:
    """Relative path -> size of every file in the target, without leftovers of an interrupted upload."""
    store.invalidate_cache()
    if not store.exists(target):
        return {}
    files: Mapping[str, Mapping[str, Any]] = store.find(target, detail=True)
    start = len(store._strip_protocol(target)) + 1
    return {
        path[start:]: int(info["size"] or 0)
        for path, info in files.items()
        if not path.endswith(PART)
    }


def _refuse_foreign(
    store: Any, target: str, location: str, manifest: Manifest, present: Mapping[str, int]
) -> None:
    """Refuse a target that holds another judge's manifest, an unknown file, or a model file with different
    content. A card may be replaced: it is not part of the judge.

    Raises:
        ConfigurationError: the message names the file.
    """
    fix = "remove it, or publish under another name"
    if FILE_NAME in present:
        digest = _manifest_digest(store.cat_file(f"{target}/{FILE_NAME}"))
        if digest != manifest.digest:
            raise ConfigurationError(
                f"{location}/{FILE_NAME} belongs to another judge ({digest[:8] or 'unreadable'}): {fix}"
            )
    for path, size in sorted(present.items()):
        if path == FILE_NAME or path.startswith("plots/"):
            continue
        if path not in manifest.files:
            raise ConfigurationError(f"{location}/{path} is not a file of this checkpoint: {fix}")
        if path in (CARD, PAGE):
            continue
        digest = manifest.files[path]
        if not _same(store, f"{target}/{path}", size, digest):
            raise ConfigurationError(
                f"{location}/{path} differs from the checkpoint's file ({digest[:8]}): {fix}"
            )


def _weights(path: str) -> bool:
    return path.endswith(".safetensors")


def _manifest_digest(text: bytes) -> str:
    """The digest in a manifest; "" when it is malformed."""
    try:
        loaded = json.loads(text)
    except ValueError:
        return ""
    return str(loaded.get("digest", "")) if isinstance(loaded, dict) else ""


def _put(store: Any, file: Path, path: str, digest: str) -> None:
    """Store one file and read it back.

    Raises:
        ConfigurationError: the file reads back with different content.
    """
    protocols = {store.protocol} if isinstance(store.protocol, str) else set(store.protocol)
    if protocols & WHOLE_PUTS:
        # without makedirs, which would create a bucket for a misspelt name
        store.put_file(str(file), path)
    else:
        store.makedirs(path.rpartition("/")[0], exist_ok=True)
        store.put_file(str(file), path + PART)
        store.mv(path + PART, path)
    store.invalidate_cache()
    if not _same(store, path, file.stat().st_size, digest):
        raise ConfigurationError(f"{path} does not read back as it was written: publish again")


def _same(store: Any, path: str, size: int, digest: str) -> bool:
    """Whether the file is there with this content: the size first, which is cheap, then the checksum."""
    try:
        if store.info(path)["size"] != size:
            return False
        with store.open(path, "rb") as file:
            return _digest_of(file) == digest
    except FileNotFoundError:
        return False


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return _digest_of(file)


def _digest_of(file: Any) -> str:
    digest = hashlib.sha256()
    while block := file.read(BLOCK):
        digest.update(block)
    return digest.hexdigest()
