"""The first step of a release: its checkpoint verified and in the model repository. Blocking: run it in a
thread."""

import shutil
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Literal

from judgestream.adapters.releases.installed import (
    Changes,
    InstalledRelease,
    changes,
    find,
    installed,
)
from judgestream.adapters.releases.model_folder import CHECKPOINT
from judgestream.adapters.releases.model_repository import install
from judgestream.adapters.releases.published_checkpoint import fetched
from judgestream.checkpoints.manifest import read_manifest
from judgestream.core.errors import ConfigurationError
from judgestream.core.masking import masked
from judgestream.core.rollout.state import Placed

RESERVE = 256 << 20
"""Bytes that stay free on the disk of the repository."""

Say = Callable[[str], None]
Device = Literal["cpu", "gpu"]

_one_at_a_time = Lock()


def install_release(
    placed: Placed, repository: Path, say: Say, device: Device = "cpu"
) -> InstalledRelease:
    """The release in the repository, with every file of its manifest verified.

    A release that is there already is verified again, and not downloaded. Safe to repeat after a crash. A new
    one runs on `device`.

    Raises:
        ConfigurationError: a file is damaged or missing, the checkpoint is another one than was announced,
            it cannot be used, or it does not fit on the disk. The message says which.
        StoreAway: the store of the checkpoint does not answer; the same call may succeed later.
    """
    # the thread of a task that was cancelled may still install the same release
    with _one_at_a_time:
        return _installed(placed, repository, say, device)


def _installed(placed: Placed, repository: Path, say: Say, device: Device) -> InstalledRelease:
    present = [one for one in installed(repository) if one.name == placed.release]
    if not present and placed.location:
        if "://" in placed.location:
            say("downloading and verifying the checkpoint")
            with fetched(placed.location) as folder:
                _install(folder, placed, repository, say, device)
        else:
            _install(Path(placed.location).expanduser(), placed, repository, say, device)
    release = find(repository, placed.release)
    _check_digest(placed, release.release.checkpoint_digest)
    say("verifying the installed files")
    by_hand = changes(repository, release, Changes.CODE)
    damaged = [one for one in changes(repository, release, Changes.FILES) if one not in by_hand]
    if damaged:
        raise ConfigurationError(
            f"release {release.name} is damaged in {repository}: {'; '.join(damaged)}. Remove its folder and"
            " stage it again"
        )
    return release


def memory_of(release: InstalledRelease, repository: Path) -> int:
    """Bytes of the weights that loading the release reads, 0 for a judge that runs elsewhere."""
    return sum(
        path.stat().st_size
        for model in release.models
        for path in (repository / model / CHECKPOINT).glob("**/*")
        if path.is_file()
    )


def _install(folder: Path, placed: Placed, repository: Path, say: Say, device: Device) -> None:
    if not folder.is_dir():
        raise ConfigurationError(
            f"{masked(placed.location)} is not a checkpoint folder on the machine of the rollout service:"
            " stage a folder that it can read, or a URL"
        )
    _check_disk(folder, repository)
    say("verifying and installing the checkpoint")
    manifest = read_manifest(folder) if (folder / "manifest.json").is_file() else None
    if manifest is not None:
        _check_digest(placed, manifest.digest)
    release = install(folder, repository, device=device)
    if release.name != placed.release:
        raise ConfigurationError(
            f"the checkpoint at {masked(placed.location)} is {release.name}, not {placed.release}: stage it"
            " under its own name"
        )


def _check_digest(placed: Placed, digest: str) -> None:
    if placed.checkpoint_digest and placed.checkpoint_digest != digest:
        raise ConfigurationError(
            f"the checkpoint of {placed.release} has the digest {digest}, but {placed.checkpoint_digest} was"
            " announced: publish it again"
        )


def _check_disk(folder: Path, repository: Path) -> None:
    need = sum(path.stat().st_size for path in folder.glob("**/*") if path.is_file())
    place = repository
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < need + RESERVE:
        raise ConfigurationError(
            f"the checkpoint has {need >> 20} MiB and {place} has {free >> 20} MiB free: free some space"
        )
