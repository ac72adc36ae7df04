"""Items for the tests of the gate."""

from collections.abc import Sequence
from dataclasses import replace

from judgestream.core.preference import Preference
from judgestream.core.types import Status
from judgestream.evaluation.gate import Judgement, PairedItem

FIRST = Preference.FIRST
UNREAD = Judgement(status=Status.UNSCORED, consistent=False)


def judged(right: bool, *, consistent: bool = True) -> Judgement:
    """A verdict on an item whose label is that the first is better."""
    return Judgement(
        status=Status.SCORED,
        outcome=FIRST if right else FIRST.mirrored,
        consistent=consistent,
        lean=Preference.TIE if consistent else FIRST,
        latency_s=1.0,
        cost=0.0,
    )


def item(new: Judgement, old: Judgement, at: int, *, prompt: str = "") -> PairedItem:
    return PairedItem(
        id=f"item {at}",
        prompt=prompt or f"prompt {at}",
        new=new,
        old=old,
        label=FIRST,
        longer=FIRST,
        formatted=FIRST.mirrored,
    )


def probes(some: Sequence[PairedItem]) -> Sequence[PairedItem]:
    """The same as known-answer items."""
    return [
        replace(one, known=(one.new.outcome == FIRST, one.old.outcome == FIRST)) for one in some
    ]


def items(n: int, *, gained: int = 0, lost: int = 0, each: int = 1) -> Sequence[PairedItem]:
    """The first are gained, the next lost, all others right for both; `each` items share a prompt."""
    return [
        item(
            judged(not gained <= k < gained + lost),
            judged(k >= gained),
            k,
            prompt=f"prompt {k // each}",
        )
        for k in range(n)
    ]
