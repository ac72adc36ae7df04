"""The target of a call to stage: a published checkpoint, a release of the repository, a folder or a URL."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from judgestream.adapters.releases.installed import installed
from judgestream.adapters.releases.model_repository import inspected
from judgestream.adapters.releases.published_checkpoint import manifest_at
from judgestream.adapters.triton.control import require_name
from judgestream.apps.rollout.checkpoints import Announced
from judgestream.apps.rollout.requests import Found
from judgestream.core.errors import ConfigurationError
from judgestream.core.limits import quoted
from judgestream.core.rollout.state import Rollout
from judgestream.v1 import rollout_pb2 as pb


class Finder:
    """Finds what to stage.

    published   release -> its announcement, kept up to date by the caller
    """

    def __init__(self, repository: Path, published: Mapping[str, Announced]) -> None:
        self._repository = repository
        self._published = published

    async def find(self, request: pb.MoveRequest, rollout: Rollout) -> Found:
        """Raises ConfigurationError: there is no such checkpoint or release, or it cannot be read."""
        if request.location:
            return await asyncio.to_thread(self._at, request.location)
        return await asyncio.to_thread(self._named, request.release, rollout)

    def _named(self, name: str, rollout: Rollout) -> Found:
        require_name(name)
        present = {one.name: one for one in installed(self._repository)}
        known = rollout.releases.get(name)
        if (announced := self._published.get(name)) is not None:
            message = announced.message
            return Found(release=name, checkpoint_digest=message.digest, location=message.location)
        if name in present:
            digest = present[name].release.checkpoint_digest
            return Found(release=name, checkpoint_digest=digest)
        if known is not None and known.location:
            return Found(
                release=name,
                checkpoint_digest=known.checkpoint_digest,
                location=known.location,
            )
        names = ", ".join(sorted({*present, *self._published})[:20]) or "none"
        raise ConfigurationError(
            f"no release {quoted(name)} is installed or published (there are: {names}): stage the"
            " folder or URL of its checkpoint instead"
        )

    def _at(self, location: str) -> Found:
        if "://" in location:
            manifest = manifest_at(location)
        else:
            try:
                folder = Path(location).expanduser()
            except RuntimeError:  # ~NAME of a user without a home
                folder = Path(location)
            if not folder.is_absolute() or not folder.is_dir():
                raise ConfigurationError(
                    f"{quoted(location)} is not the absolute path of a folder on the machine of the rollout"
                    " service"
                )
            manifest = inspected(folder)
        return Found(
            release=f"{manifest.family}-{manifest.short}",
            checkpoint_digest=manifest.digest,
            location=location,
        )
