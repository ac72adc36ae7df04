"""The loop over the evidence: what it publishes, when, and about which releases."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from judgestream.apps.rollout.evidence import EvidenceLoop, StepResult, trials_of
from judgestream.core.rollout.moves import apply
from judgestream.core.rollout.state import Action, Rollout
from judgestream.core.types import Label, Verdict
from judgestream.evaluation.gate import Automatic, Policy, Rule
from tests.evaluation.test_evidence_join import label, verdict
from tests.evaluation.test_rollout_decision import (
    BEGUN,
    IN_SHADOW,
    NEW,
    NOW,
    OLD,
    OTHER,
    after,
    move,
    ready,
)

POLICY = Policy(guards={"labels": Rule(margin=0.05)}, least_shadow_units=10)


class Records:
    """A feed in memory; as with a new reader, whatever is there is read from its beginning."""

    def __init__(self) -> None:
        self.records: list[Verdict | Label] = []
        self.since: list[datetime] = []
        self.caught_up = True
        self.closed = 0
        self._read = 0

    def open(self, since: datetime) -> "Records":
        self.since.append(since)
        self._read = 0
        return self

    def poll(self) -> Iterator[Verdict | Label]:
        found, self._read = self.records[self._read :], len(self.records)
        yield from found

    def close(self) -> None:
        self.closed += 1


class Loop:
    """The loop with its own clock."""

    def __init__(self, policy: Policy = POLICY) -> None:
        self.feed, self.clock = Records(), 100.0
        self.loop = EvidenceLoop(
            self.feed.open, policy, by="service", now=lambda: NOW, clock=lambda: self.clock
        )

    async def step(self, rollout: Rollout, *, after_s: float = 0.0) -> StepResult:
        self.clock += after_s
        return await self.loop.step(rollout)


def judged(numbers: range, winner: str = "x") -> Sequence[Verdict | Label]:
    """Both releases on these requests: the stable one is right, the candidate says `winner`."""
    return [
        one
        for k in numbers
        for one in (verdict(NEW, f"r{k}", winner), verdict(OLD, f"r{k}"), label(f"r{k}"))
    ]


async def test_without_candidates_nothing_is_read() -> None:
    made = Loop()
    assert await made.step(after(*BEGUN)) == StepResult()
    assert not made.feed.since


async def test_evidence_is_published_when_it_has_changed_enough_and_not_too_often() -> None:
    made = Loop()
    first = await made.step(IN_SHADOW)
    assert first.evidence[NEW].decision == "undecided"  # at once, though nothing is judged yet
    made.feed.records += judged(range(20))
    assert not (await made.step(IN_SHADOW, after_s=1.0)).evidence
    later = (await made.step(IN_SHADOW, after_s=1.0)).evidence[NEW]
    assert [one.units for one in later.findings] == [20]
    made.feed.records += judged(range(20, 21))  # one more is 5 %, and then it is less
    assert NEW in (await made.step(IN_SHADOW, after_s=2.0)).evidence
    made.feed.records += judged(range(21, 22))
    assert not (await made.step(IN_SHADOW, after_s=2.0)).evidence
    assert NEW in (await made.step(IN_SHADOW, after_s=30.0)).evidence
    assert not (await made.step(IN_SHADOW, after_s=300.0)).evidence


async def test_nothing_is_said_before_the_topics_are_read_to_their_ends() -> None:
    made = Loop()
    made.feed.caught_up = False
    made.feed.records += judged(range(300), "y")
    assert await made.step(IN_SHADOW) == StepResult()
    made.feed.caught_up = True
    taken = await made.step(IN_SHADOW)
    assert taken.evidence[NEW].decision == "worse"
    assert [(one.action, one.release) for one in taken.moves] == [(Action.ROLL_BACK, NEW)]


async def test_a_better_judge_advances_only_where_that_is_switched_on() -> None:
    for promote in (False, True):
        made = Loop(replace(POLICY, automatic=Automatic(promote=promote)))
        made.feed.records += judged(range(600))
        made.feed.records = [
            replace(one, winner="y") if isinstance(one, Verdict) and one.release == OLD else one
            for one in made.feed.records
        ]
        taken = await made.step(IN_SHADOW)
        assert taken.evidence[NEW].decision == "better"
        assert [one.action for one in taken.moves] == ([Action.CANARY] if promote else [])


async def test_another_stable_release_starts_the_comparison_anew() -> None:
    made = Loop()
    made.feed.records += judged(range(20))
    await made.step(IN_SHADOW)
    rollout = after(*BEGUN, *ready(OTHER), move(Action.SHADOW, NEW, share=1.0))
    rollout = apply(rollout, move(Action.PROMOTE, OTHER, NOW + timedelta(hours=2)))
    taken = await made.step(rollout, after_s=10.0)
    found = taken.evidence[NEW]
    assert OTHER in found.sentence
    assert [one.units for one in found.findings] == [0]
    assert len(made.feed.since) == 2
    assert made.feed.closed == 1


async def test_evidence_names_what_was_dropped_and_a_best_release_that_does_not_judge() -> None:
    made = Loop()
    made.feed.records += [verdict(NEW, "r", content_digest="")]
    rollout = after(*BEGUN, *ready(OTHER), move(Action.SHADOW, NEW, share=1.0))
    found = (await made.step(replace(rollout, best=OTHER))).evidence[NEW]
    assert "the best release other does not judge: put it into shadow to compare" in found.sentence
    assert "1 verdicts do not state what they judged" in found.sentence


async def test_a_closed_loop_reads_from_the_start_again() -> None:
    made = Loop()
    made.feed.records += judged(range(20))
    before = (await made.step(IN_SHADOW)).evidence
    made.loop.close()
    assert (await made.step(IN_SHADOW)).evidence == before


@pytest.mark.parametrize("stage", [Action.SHADOW, Action.CANARY])
def test_a_trial_lasts_from_shadow_through_the_canary(stage: Action) -> None:
    rollout = after(*BEGUN, move(Action.SHADOW, NEW, share=1.0))
    if stage is Action.CANARY:
        rollout = apply(rollout, move(Action.CANARY, NEW, NOW + timedelta(hours=1), share=0.1))
    ((candidate, since, compared),) = trials_of(rollout)
    assert (candidate, since, dict(compared)) == (NEW, NOW, {"stable": OLD})
