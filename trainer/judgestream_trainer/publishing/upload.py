"""A checkpoint folder -> a release under a URL: weights first, the manifest last, everything checked.

The release lies in `URL/<name>-<digest8>/`. Whoever sees its manifest sees the whole of it. The same upload
again writes nothing that is there already, and an upload that was cut short is completed: a file counts as
there when its size and its SHA-256 agree.
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
from judgestream.checkpoints.manifest import NAME, Manifest, read_manifest, verify, write_manifest
from judgestream.core.errors import ConfigurationError
from judgestream_trainer.cards.folder import CARD, PAGE

BLOCK = 8 << 20
WHOLE_PUTS = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "memory"})
"""Stores where an object appears whole or not at all. Elsewhere a file is written beside and renamed."""

PART = ".part"

Report = Callable[[str, int], None]
"""Called with the file's name and its bytes when it has been stored."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """A checkpoint as it lies under a URL; `uploaded` names the files that this upload had to write."""

    location: str
    manifest: Manifest
    uploaded: tuple[str, ...]


def publishable(folder: Path) -> Manifest:
    """The folder's manifest, once the folder is fit to be published.

    Raises:
        ConfigurationError: a file is damaged, weights are pickled, there is no evaluation, or anything else
            for which `release install` would refuse it: what is published can be installed.
    """
    if folder.is_dir() and not (folder / NAME).exists():
        raise ConfigurationError(
            f"checkpoint {folder} has no {NAME} yet: measure it first, which writes manifest and card:"
            f" python -m judgestream_trainer evaluate --checkpoint {folder} --data HELD_OUT"
        )
    manifest = read_manifest(folder)
    where = f"checkpoint {folder} ({manifest.name}, {manifest.short})"
    verify(folder, manifest)
    pickled = sorted(path for path in manifest.files if path.endswith(".bin"))
    if pickled:
        raise ConfigurationError(
            f"{where}: {pickled[0]} is pickled; save the weights as safetensors, which run no code"
        )
    inspect(folder, manifest)
    missing = [name for name in (CARD, PAGE) if name not in manifest.files]
    if missing or not manifest.evaluation:
        what = f"no {missing[0]}" if missing else "no evaluation in its manifest"
        raise ConfigurationError(
            f"{where}: {what}; run `python -m judgestream_trainer evaluate --checkpoint {folder}` first"
        )
    return manifest


def upload(
    folder: Path, url: str, *, name: str = "", report: Report = lambda name, size: None
) -> Release:
    """Publish the checkpoint in `folder` under any URL that fsspec knows.

    Args:
        name: what the release is called; the manifest's own name if empty.

    Raises:
        ConfigurationError: the folder is not fit (see `publishable`), the URL cannot be used, something else
            lies in the release's place, or what was written does not read back. The message names the file.
    """
    manifest = publishable(folder)
    manifest = replace(manifest, name=name or manifest.name)
    store, root = _opened(url)
    target = f"{root.rstrip('/')}/{manifest.name}-{manifest.short}"
    location = f"{url.rstrip('/')}/{manifest.name}-{manifest.short}" if "://" in url else target
    with _translated(location):
        present = _listing(store, target)
        _refuse_foreign(store, target, location, manifest, present)
        written = _complete(store, target, folder, manifest, present, report)
    return Release(location=location, manifest=manifest, uploaded=tuple(written))


def _complete(
    store: Any,
    target: str,
    folder: Path,
    manifest: Manifest,
    present: Mapping[str, int],
    report: Report,
) -> list[str]:
    """Write what is not there, weights first, manifest last. Returns the names of what was written."""
    with TemporaryDirectory() as draft:
        text = write_manifest(Path(draft), manifest)
        ordered = sorted(manifest.files, key=lambda path: (not _weights(path), path))
        files = {path: (folder / path, manifest.files[path]) for path in ordered}
        last = {NAME: (text, _sum(text))}
        lacking = [
            path
            for path, (file, digest) in {**files, **last}.items()
            if not _same(store, f"{target}/{path}", file.stat().st_size, digest)
        ]
        if lacking and NAME in present:
            store.rm_file(f"{target}/{NAME}")  # while files change, the release is not complete
        if lacking and NAME not in lacking:
            lacking.append(NAME)
        for path in lacking:
            file, digest = (files | last)[path]
            _put(store, file, f"{target}/{path}", digest)
            report(path, file.stat().st_size)
    return lacking


def _opened(url: str) -> tuple[Any, str]:
    """The file system of a URL and the path in it."""
    try:
        store, root = fsspec.url_to_fs(url)
    except ImportError as error:
        raise ConfigurationError(f"{url}: {error}; install the package that it names") from error
    except Exception as error:  # every store refuses a bad address or login in its own words
        raise ConfigurationError(
            f"{url} cannot be used: {error}; see that the URL is right"
        ) from error
    return store, str(root)


@contextmanager
def _translated(location: str) -> Iterator[None]:
    """A store's own errors become one that names the place."""
    try:
        yield
    except ConfigurationError:
        raise
    except Exception as error:  # fsspec's stores share no base class for what goes wrong
        raise ConfigurationError(
            f"{location}: {type(error).__name__}: {error}; see that the store answers and that this login may"
            " write there, then publish again: what is there already is kept"
        ) from error


def _listing(store: Any, target: str) -> dict[str, int]:
    """Relative path -> size of every file in the release's place, leftovers of a cut upload aside."""
    store.invalidate_cache()
    if not store.exists(target):
        return {}
    found: Mapping[str, Mapping[str, Any]] = store.find(target, detail=True)
    start = len(store._strip_protocol(target)) + 1
    return {
        path[start:]: int(info["size"] or 0)
        for path, info in found.items()
        if not path.endswith(PART)
    }


def _refuse_foreign(
    store: Any, target: str, location: str, manifest: Manifest, present: Mapping[str, int]
) -> None:
    """Raises ConfigurationError for what is not this release's: another judge's manifest, a file that the
    release does not have, a model file of other content. A card may be replaced: it is not the judge."""
    mend = "remove it, or publish under another name"
    if NAME in present:
        told = _manifest_digest(store.cat_file(f"{target}/{NAME}"))
        if told != manifest.digest:
            raise ConfigurationError(
                f"{location}/{NAME} is of another judge ({told[:8] or 'unreadable'}): {mend}"
            )
    for path, size in sorted(present.items()):
        if path == NAME or path.startswith("plots/"):
            continue
        if path not in manifest.files:
            raise ConfigurationError(f"{location}/{path} is no file of this checkpoint: {mend}")
        if path in (CARD, PAGE):
            continue
        digest = manifest.files[path]
        if not _same(store, f"{target}/{path}", size, digest):
            raise ConfigurationError(
                f"{location}/{path} has other content than the checkpoint's ({digest[:8]}): {mend}"
            )


def _weights(path: str) -> bool:
    return path.endswith(".safetensors")


def _manifest_digest(text: bytes) -> str:
    """The digest that a manifest names, "" when it is none."""
    try:
        loaded = json.loads(text)
    except ValueError:
        return ""
    return str(loaded.get("digest", "")) if isinstance(loaded, dict) else ""


def _put(store: Any, file: Path, path: str, digest: str) -> None:
    """Store one file and read it back.

    Raises:
        ConfigurationError: what reads back is something else.
    """
    protocols = {store.protocol} if isinstance(store.protocol, str) else set(store.protocol)
    if protocols & WHOLE_PUTS:
        store.put_file(str(file), path)  # no makedirs: it would make a bucket of a misspelt name
    else:
        store.makedirs(path.rpartition("/")[0], exist_ok=True)
        store.put_file(str(file), path + PART)
        store.mv(path + PART, path)
    store.invalidate_cache()
    if not _same(store, path, file.stat().st_size, digest):
        raise ConfigurationError(f"{path} does not read back as it was written; publish again")


def _same(store: Any, path: str, size: int, digest: str) -> bool:
    """Whether this very file is there: size first, which costs little, then the sum."""
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
    found = hashlib.sha256()
    while block := file.read(BLOCK):
        found.update(block)
    return found.hexdigest()
