"""Download of a published checkpoint from a URL into a folder on this machine.

Only files in the manifest are downloaded, and they are verified before use.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from judgestream.checkpoints.manifest import FILE_NAME, Manifest, read_manifest, verify
from judgestream.core.errors import ConfigurationError
from judgestream.core.masking import masked

LARGEST_MANIFEST = 4 << 20
_RESERVE = 64 << 20


class StoreAway(ConfigurationError):
    """The store could not be read. The same call may succeed later, or the login or address is wrong."""


def manifest_at(url: str) -> Manifest:
    """The manifest of a published checkpoint, without its other files. Raises as `fetched` does."""
    store, root = _opened(url)
    url = masked(url)
    with TemporaryDirectory(prefix="judgestream-checkpoint-") as name, _translated(url):
        return _fetch_manifest(store, root, url, Path(name))


@contextmanager
def _translated(url: str) -> Iterator[None]:
    """Errors of the store as ours."""
    try:
        yield
    except ConfigurationError:
        raise
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"{url} is incomplete: {error}; publish the checkpoint again"
        ) from error
    except Exception as error:  # fsspec's stores share no base class for errors
        raise StoreAway(
            f"{url} cannot be read: {type(error).__name__}: {error}; check that the store answers and"
            " that this login may read from it"
        ) from error


@contextmanager
def fetched(url: str) -> Iterator[Path]:
    """The checkpoint in a temporary folder.

    Args:
        url: the folder that contains `manifest.json`, in any scheme that fsspec supports.

    Raises:
        ConfigurationError: the URL is invalid, there is no checkpoint, it names files outside its folder, it
            does not fit on the disk, or a file is missing or damaged.
        StoreAway: the store cannot be read.
    """
    store, root = _opened(url)
    url = masked(url)  # for messages from here on
    with TemporaryDirectory(prefix="judgestream-checkpoint-") as name:
        folder = Path(name)
        with _translated(url):
            manifest = _fetch_manifest(store, root, url, folder)
            _check_space(store, root, manifest, folder)
            for path in manifest.files:
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                store.get_file(f"{root}/{path}", str(target))
        verify(folder, manifest)
        yield folder


def _opened(url: str) -> tuple[Any, str]:
    try:
        import fsspec
    except ImportError as error:
        raise ConfigurationError(
            f"{masked(url)}: this URL needs a further package: pip install 'judgestream[s3]'"
        ) from error
    try:
        store, root = fsspec.url_to_fs(url)
    except ImportError as error:
        raise ConfigurationError(
            f"{masked(url)}: {error}; install the package that it names"
        ) from error
    except Exception as error:  # every store has its own errors for a bad address or login
        raise ConfigurationError(
            f"{masked(url)} cannot be used: {masked(str(error))}; check the URL"
        ) from error
    return store, str(root).rstrip("/")


def _fetch_manifest(store: Any, root: str, url: str, folder: Path) -> Manifest:
    path = f"{root}/{FILE_NAME}"
    try:
        size = int(store.info(path)["size"] or 0)
    except FileNotFoundError as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and not isinstance(cause, FileNotFoundError):
            raise cause from error  # fsspec's HTTP store says "not found" where nothing answers, too
        raise ConfigurationError(f"{url} has no {FILE_NAME}{_others(store, root)}") from None
    if size > LARGEST_MANIFEST:
        raise ConfigurationError(
            f"{url}/{FILE_NAME} has {size} bytes, more than the limit of {LARGEST_MANIFEST}"
        )
    (folder / FILE_NAME).write_bytes(store.cat_file(path, start=0, end=LARGEST_MANIFEST))
    manifest = read_manifest(folder)
    for name in manifest.files:
        plain = PurePosixPath(name)
        if (
            plain.is_absolute()
            or ".." in plain.parts
            or "\\" in name
            or name in ("", ".", FILE_NAME)
        ):
            raise ConfigurationError(
                f"{url}/{FILE_NAME} names {name!r}, which is outside its own folder: do not use it"
            )
    return manifest


def _others(store: Any, root: str) -> str:
    """A hint for a user who named the parent folder."""
    try:
        entries = store.ls(root, detail=False)
    except Exception:  # only a hint
        return ": name the folder that `judgestream publish` printed"
    names = sorted(str(entry).rstrip("/").rpartition("/")[2] for entry in entries)[:10]
    return f": name the checkpoint's own folder; there are {', '.join(names)}" if names else ""


def _check_space(store: Any, root: str, manifest: Manifest, folder: Path) -> None:
    need = sum(int(store.info(f"{root}/{path}")["size"] or 0) for path in manifest.files)
    free = shutil.disk_usage(folder).free
    if free < need + _RESERVE:
        raise ConfigurationError(
            f"the checkpoint has {need >> 20} MiB and {folder.parent} has {free >> 20} MiB free: free some"
            " space, or set TMPDIR to another folder"
        )
