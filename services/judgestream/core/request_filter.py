"""Conditions on requests, as a person writes them: `mode=pairwise,metadata.tenant=acme`."""

from dataclasses import dataclass
from typing import Self

from judgestream.core.errors import ConfigurationError
from judgestream.core.limits import quoted
from judgestream.core.types import PROBE_KEY, Request

METADATA = "metadata."
FIELDS = ("mode", "system", "request_id")


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestFilter:
    """Conditions that a request must meet, all of them. Probes never match.

    conditions   (name, value): `mode`, `request_id`, `system` (of one of its answers), or `metadata.KEY`
    """

    conditions: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, text: str) -> Self:
        """Parse conditions that are separated by commas.

        Raises:
            ConfigurationError: a part has no `=`, or names no field of a request.
        """
        found: list[tuple[str, str]] = []
        for part in text.split(","):
            name, sign, value = part.strip().partition("=")
            if not sign or not (name in FIELDS or (name.startswith(METADATA) and name != METADATA)):
                raise ConfigurationError(
                    f"{quoted(part.strip())} is not a condition: write {', '.join(FIELDS)} or"
                    f" {METADATA}KEY, then = and the value, such as {METADATA}tenant=acme"
                )
            found.append((name, value))
        return cls(conditions=tuple(sorted(found)))

    def admits(self, request: Request) -> bool:
        return PROBE_KEY not in request.metadata and all(
            _meets(request, name, value) for name, value in self.conditions
        )


def _meets(request: Request, name: str, value: str) -> bool:
    if name == "mode":
        return request.mode == value
    if name == "request_id":
        return request.request_id == value
    if name == "system":
        return any(candidate.system == value for candidate in request.candidates)
    return request.metadata.get(name.removeprefix(METADATA)) == value
