"""Known-answer probes: requests whose right verdict is known, made of live ones by rule.

To add one, write a module here that defines a `KnownAnswer`, with its own check that the change is what
it should be, and add it to `KNOWN_ANSWERS`. `evaluation.known_answers` turns their verdicts into figures.
"""

from collections.abc import Mapping
from types import MappingProxyType

from judgestream.core.known_answers.authority import FAKE_REFERENCE
from judgestream.core.known_answers.base import (
    Effect,
    KnownAnswer,
    Pairing,
    ProbeRequest,
    allowed,
)
from judgestream.core.known_answers.facts import PLANTED_ERROR
from judgestream.core.known_answers.formatting import RICH_FORMATTING
from judgestream.core.known_answers.gender import GENDERED
from judgestream.core.known_answers.injection import INJECTION, MARKER_FORGERY
from judgestream.core.known_answers.making import (
    NAME_KEY,
    OF_KEY,
    PERTURBED_KEY,
    probe_request,
)
from judgestream.core.known_answers.making import probes_of as _probes_of
from judgestream.core.known_answers.padding import PADDED
from judgestream.core.known_answers.truncation import TRUNCATED
from judgestream.core.known_answers.unchanged import IDENTICAL, SWAPPED
from judgestream.core.types import Request

__all__ = [
    "KNOWN_ANSWERS",
    "NAME_KEY",
    "OF_KEY",
    "PERTURBED_KEY",
    "Effect",
    "KnownAnswer",
    "Pairing",
    "ProbeRequest",
    "allowed",
    "probe_request",
    "probes_of",
]

KNOWN_ANSWERS: Mapping[str, KnownAnswer] = MappingProxyType(
    {
        known.name: known
        for known in (
            *(IDENTICAL, SWAPPED, PADDED, FAKE_REFERENCE, RICH_FORMATTING),
            *(GENDERED, PLANTED_ERROR, TRUNCATED, MARKER_FORGERY, INJECTION),
        )
    }
)
"""Every known answer by name, in the order of the reports."""


def probes_of(
    request: Request,
    share: float,
    seed: int,
    *,
    most: int = 1,
    known: Mapping[str, KnownAnswer] = KNOWN_ANSWERS,
) -> list[ProbeRequest]:
    """The probes that accompany a request, see `making.probes_of`."""
    return _probes_of(request, share, seed, known, most=most)
