"""The folder of a release in Triton's model repository, which appears complete or not at all."""

import os
import shutil
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from judgestream.adapters.releases.model_config import write_file
from judgestream.checkpoints.files import opened
from judgestream.checkpoints.manifest import Manifest, read_manifest, verify, write_manifest
from judgestream.core.errors import ConfigurationError

CHECKPOINT = "1/checkpoint"
"""Where the weights are inside the model's folder: beside model.py, since Triton warns of every folder
that is not a version."""

_BLOCK = 1 << 20


def place(
    checkpoint: Path, target: Path, manifest: Manifest, files: Mapping[str, str], *, link: bool
) -> None:
    """Create the model's folder, complete or not at all. In an existing folder, verify the weights and write
    those of `files` (relative path -> text) that differ.

    Raises:
        ConfigurationError: the weights there are damaged, or belong to another checkpoint.
    """
    if target.is_symlink():
        raise ConfigurationError(f"{target} is a link; remove it, then install again")
    if not target.exists():
        _build(checkpoint, target, manifest, files, link=link)
    installed = read_manifest(target / CHECKPOINT)
    if installed.digest != manifest.digest:
        raise ConfigurationError(
            f"{target} contains another checkpoint ({installed.digest}); remove it or choose another"
            " repository"
        )
    for name in ("template_id", "max_input_tokens"):
        present, wanted = getattr(installed, name), getattr(manifest, name)
        if present != wanted:
            raise ConfigurationError(
                f"{target} contains the same weights with {name} {present}, but this checkpoint's manifest"
                f" says {wanted}: one name would mean two judges. Remove that release first"
            )
    verify(target / CHECKPOINT, installed)
    for path, text in files.items():
        write_file(target / path, text)


def _build(
    checkpoint: Path, target: Path, manifest: Manifest, files: Mapping[str, str], *, link: bool
) -> None:
    """Build everything under a hidden name, then rename it."""
    existed = target.parent.exists()
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        for name, text in files.items():
            write_file(draft / name, text)
        for path in manifest.files:
            if f"{CHECKPOINT}/{path}" in files:  # not of the checkpoint, but installed with it
                continue
            copy = draft / CHECKPOINT / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            _copy(checkpoint, path, copy, link=link)
        verify(draft / CHECKPOINT, manifest)
        write_manifest(draft / CHECKPOINT, manifest)
        try:
            draft.rename(target)
        except OSError:
            if not target.exists():  # else another process has built the same folder
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        if not existed:
            with suppress(OSError):  # not empty, so it stays
                target.parent.rmdir()


def _copy(checkpoint: Path, path: str, target: Path, *, link: bool) -> None:
    """Copy one file. The copy has no wider permissions than the original, and is never a symbolic link."""
    if link and path.endswith((".safetensors", ".bin")):
        try:
            os.link(checkpoint / path, target, follow_symlinks=False)
            return
        except OSError:
            pass  # another file system, or one without links
    try:
        with opened(checkpoint, path) as source, target.open("xb") as copy:
            os.fchmod(
                copy.fileno(), stat.S_IMODE(os.fstat(source.fileno()).st_mode) & 0o644 | 0o600
            )
            shutil.copyfileobj(source, copy, _BLOCK)
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"checkpoint file {checkpoint / path} is missing; publish the checkpoint again"
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"checkpoint file {checkpoint / path} cannot be copied to {target}: {error}"
        ) from error
