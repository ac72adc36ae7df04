"""The route of a request: which release answers it, and which ones judge it in shadow."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from judgestream.core.rollout.state import Rollout, Stage

_DRAWS = float(1 << 64)


@dataclass(frozen=True, kw_only=True, slots=True)
class Arm:
    """A release with its share of the requests, 0 to 1, among those whose metadata has all of `where`."""

    release: str
    share: float
    where: Mapping[str, str] = field(default_factory=dict)

    def takes(self, request_id: str, metadata: Mapping[str, str], *, use: Stage) -> bool:
        """Whether the request is in the share.

        The draw depends on the request's id, the release and the use only. So the same request is always
        drawn alike, and a larger share keeps the requests of a smaller one.
        """
        if any(metadata.get(key) != value for key, value in self.where.items()):
            return False
        return draw(use, self.release, request_id) < self.share


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """The releases in traffic. `stable` is "" before the first rollout."""

    revision: int = 0
    stable: str = ""
    canaries: tuple[Arm, ...] = ()
    shadows: tuple[Arm, ...] = ()

    @classmethod
    def of(cls, rollout: Rollout) -> "Route":
        """The route by the stages. A canary stays in shadow for the requests that it does not answer."""
        return cls(
            revision=rollout.revision,
            stable=rollout.stable,
            canaries=tuple(
                Arm(release=one.release, share=one.share, where=one.where)
                for one in rollout.at(Stage.CANARY)
            ),
            shadows=tuple(
                Arm(release=one.release, share=one.shadow, where=one.where)
                for one in rollout.at(Stage.SHADOW, Stage.CANARY)
                if one.shadow > 0.0
            ),
        )

    @property
    def releases(self) -> tuple[str, ...]:
        """The releases that may answer a request, the stable one first."""
        stable = (self.stable,) if self.stable else ()
        return (*stable, *(arm.release for arm in self.canaries))

    def release_for(self, request_id: str, metadata: Mapping[str, str]) -> str:
        """The one release that answers the request; "" where there is no stable release."""
        for arm in self.canaries:
            if arm.takes(request_id, metadata, use=Stage.CANARY):
                return arm.release
        return self.stable

    def shadows_for(self, request_id: str, metadata: Mapping[str, str]) -> tuple[str, ...]:
        """The releases that judge the request in shadow, never the one that answers it."""
        answers = self.release_for(request_id, metadata)
        return tuple(
            arm.release
            for arm in self.shadows
            if arm.release != answers and arm.takes(request_id, metadata, use=Stage.SHADOW)
        )


def draw(use: str, release: str, request_id: str) -> float:
    """A number in [0, 1) that is fixed for a request, a release and a use, and uniform over requests."""
    parts = (str(use), release, request_id)
    digest = hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") / _DRAWS
