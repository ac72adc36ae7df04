"""The bundled judges: `small` as a checkpoint folder, assembled once from its adapter and its base, and what
users should know about each of them."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from judgestream.checkpoints.adapted import Base, assemble, base_of
from judgestream.checkpoints.manifest import read_manifest, verify
from judgestream.core.errors import ConfigurationError

__all__ = ["SMALL", "Base", "about", "bundled_checkpoint"]

SMALL, TINY = "judges/small", "judges/tiny"
"""Folders below `triton_models/`."""

Fetch = Callable[[Base], Path]
"""A base -> its GGUF file."""


def bundled_checkpoint(bundle: Path, cache: Path, fetch: Fetch) -> Path:
    """The bundle's checkpoint in `cache`, built and verified if it is missing or damaged.

    Several processes may build it at once; the first one to finish wins.

    Raises:
        ConfigurationError: what was built is not the judge that the bundle describes.
    """
    manifest = read_manifest(bundle)
    target = cache / f"{manifest.name}-{manifest.short}"
    if _whole(target):
        return target
    cache.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=cache))
    try:
        assemble(bundle, fetch(base_of(bundle)), draft)
        draft.chmod(0o755)
        if target.exists() and not _whole(target):
            shutil.rmtree(target)
        if not target.exists():
            draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target


def about(digest: str, models: Path) -> str:
    """What users should know before they rely on the judge of this digest, in one line; "" for judges that
    are not bundled.

    models   the folder `triton_models`
    """
    small = read_manifest(models / SMALL)
    if digest == small.digest:
        share, without_ties = (
            small.evaluation[f"pandalm_{name}"] for name in ("three_way", "without_ties")
        )
        return (
            f"the bundled judge is small: on PandaLM's pairs it agrees with people on {100 * share:.1f} %,"
            f" without ties on {100 * without_ties:.1f} %; for decisions, name your own judge with --judge"
        )
    if digest == read_manifest(models / TINY).digest:
        return "this judge knows invented tasks only, for tests: name another with --judge"
    return ""


def _whole(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    try:
        verify(folder, read_manifest(folder))
    except (ConfigurationError, OSError):
        return False
    return True
