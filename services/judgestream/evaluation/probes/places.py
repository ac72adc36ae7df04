"""Position bias among three and more answers in one prompt: the first place against the last."""

from collections import Counter

from judgestream.core.preference import Preference
from judgestream.core.ranking import SAME
from judgestream.core.types import PassResult, Reading, Verdict
from judgestream.evaluation.probes.base import Counts, MetricDefinition, Probe

PLACED = "placed"
"""Verdicts on three and more answers whose orders are balanced: see `observe`."""


def observe(verdict: Verdict) -> Counts:
    """One observation a verdict: passes that prefer the first shown answer against those for the last.

    Only verdicts whose passes show every answer as often first as last: both directions, or all rotations.
    Then a judge without position bias prefers both places equally often, whatever the answers are. Passes
    with a tie at the top prefer no place.
    """
    passes = [result for result in verdict.passes if _is_of_many(result)]
    firsts = Counter(result.transform.order[0] for result in passes)
    lasts = Counter(result.transform.order[-1] for result in passes)
    if not passes or firsts != lasts:
        return {}
    tops = [_place(result) for result in passes]
    last = [len(result.transform.order) - 1 for result in passes]
    lean = Preference.between(
        sum(place == 0 for place in tops),
        sum(place == end for place, end in zip(tops, last, strict=True)),
    )
    return {
        PLACED: 1,
        "toward_first_place": int(lean is Preference.FIRST),
        "toward_last_place": int(lean is Preference.SECOND),
    }


def _is_of_many(result: PassResult) -> bool:
    """Whether the pass scores three or more answers together, and was read."""
    reading, shown = result.reading, len(result.transform.order)
    return isinstance(reading, Reading) and len(reading.means) == shown > 2


def _place(result: PassResult) -> int | None:
    """Where the answer with the highest expected score was shown, from 0; None on a tie."""
    if not isinstance(result.reading, Reading):
        return None
    shown = result.transform.apply(_by_candidate(result, result.reading.means))
    best = max(shown)
    tops = [place for place, mean in enumerate(shown) if best - mean <= SAME]
    return tops[0] if len(tops) == 1 else None


def _by_candidate(result: PassResult, means: tuple[float, ...]) -> list[float]:
    """Means of the shown candidates, by the request's index. Others have none and are not looked up."""
    found = dict(zip(result.transform.shown, means, strict=True))
    return [found.get(k, 0.0) for k in range(max(found) + 1)]


PLACES = Probe(
    name="places",
    counts=(PLACED, "toward_first_place", "toward_last_place"),
    observe=observe,
    definitions=(
        MetricDefinition(
            name="bias_toward_first_place",
            meaning="of three and more answers, the first place is preferred more often than the last",
            count=lambda c: c["toward_first_place"],
            n=lambda c: c[PLACED],
        ),
        MetricDefinition(
            name="bias_toward_last_place",
            meaning="of three and more answers, the last place is preferred more often than the first",
            count=lambda c: c["toward_last_place"],
            n=lambda c: c[PLACED],
        ),
    ),
)
