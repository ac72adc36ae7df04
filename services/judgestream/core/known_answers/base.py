"""Known answers: requests made from live ones whose right verdict is known, because the text was changed by a
rule."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from judgestream.core.preference import Preference
from judgestream.core.types import Request


class Effect(StrEnum):
    """What a change does to an answer's worth, and so what the judge must say.

    same       nothing was changed: the judge must call the two equal
    mirrored   the candidates changed places: the same candidate must win
    agnostic   the meaning is kept: the changed answer must not win where it did not win before
    related    the answer was made worse: it must lose where it did not lose before
    """

    SAME = "same"
    MIRRORED = "mirrored"
    AGNOSTIC = "agnostic"
    RELATED = "related"


class Pairing(StrEnum):
    """What the changed answer is compared with.

    itself   the answer as it was. The right verdict is known without any other verdict
    rival    the request's other answer. The right verdict follows from the request's own one, the control
    """

    ITSELF = "itself"
    RIVAL = "rival"


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownAnswer:
    """One rule.

    rewrite   answer, seeded generator and reference ("" without) -> the changed answer; None where the rule
              does not apply
    holds     of the answer as it was and as changed: whether the change is what the rule intends
    """

    name: str
    meaning: str
    effect: Effect
    pairing: Pairing
    rewrite: Callable[[str, random.Random, str], str | None]
    holds: Callable[[str, str], bool]


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeRequest:
    """A request made by a known answer. It is marked as a probe, so that nothing counts its verdict.

    name        of the known answer
    of          the id of the request that it accompanies
    perturbed   the id of its changed candidate; "" where the candidates only changed places
    """

    name: str
    request: Request
    of: str
    perturbed: str


_ALLOWED: Mapping[Effect, Mapping[Preference, frozenset[Preference]]] = MappingProxyType(
    {
        Effect.SAME: {Preference.TIE: frozenset({Preference.TIE})},
        Effect.MIRRORED: {one: frozenset({one}) for one in Preference},
        Effect.AGNOSTIC: {
            one: frozenset({Preference.FIRST, Preference.TIE})
            for one in (Preference.FIRST, Preference.TIE)
        },
        Effect.RELATED: {
            one: frozenset({Preference.FIRST}) for one in (Preference.SECOND, Preference.TIE)
        },
    }
)


def allowed(effect: Effect, control: Preference) -> frozenset[Preference] | None:
    """The right verdicts about (an unchanged answer, the changed one), given the verdict before the change.

    None where that verdict leaves no room for a failure, so that the pair is not counted. An answer compared
    with itself has the control `TIE`. Source of the two attacks: arXiv 2402.10669, see `evaluation.attack`.
    """
    return _ALLOWED[effect].get(control)
