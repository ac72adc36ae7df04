"""A jury in the judging worker: members ask by themselves, and one that is down holds the request."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from judgestream.adapters.redis.worker_board import WorkerState
from judgestream.apps.judging.asking import Tries
from judgestream.apps.judging.combined_status import CombinedStatus
from judgestream.apps.judging.judges import Moved
from judgestream.apps.judging.jury import Jury
from judgestream.apps.judging.one_release import OneRelease, Task
from judgestream.apps.worker import metrics
from judgestream.apps.worker.status import WorkerStatus
from judgestream.core.errors import (
    ConfigurationError,
    JudgestreamError,
    KeyRefused,
    RejectedByJudge,
    UnsupportedMode,
)
from judgestream.core.jury import FAMILY, Juror, JuryRecord, JuryRule
from judgestream.core.modes import MODES
from judgestream.core.passes import Pass
from judgestream.core.types import Candidate, Release, Reply, Request, Status, Verdict
from judgestream.settings import Judging

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
PAIR = Request(
    request_id="r",
    mode="pairwise",
    question="Q?",
    candidates=(Candidate(id="x", text="one"), Candidate(id="y", text="two")),
    requested_at=NOON,
)


def release(name: str, template_id: str, *, most: int = 2048) -> Release:
    return Release(
        name=name, checkpoint_digest=f"{name}1", template_id=template_id, max_input_tokens=most
    )


@dataclass
class Member:
    """Writes `text` for a straight prompt and its mirror for a swapped one; raises `failures` first."""

    release: Release
    text: str
    failures: list[JudgestreamError] = field(default_factory=list)
    asked: list[tuple[str, ...]] = field(default_factory=list)

    async def ask(self, passes: Sequence[Pass]) -> list[Reply]:
        self.asked.append(tuple(one.prompt for one in passes))
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        mirrored = " ".join(reversed(self.text.split()))
        return [Reply(text=self.text if p.transform.straight else mirrored) for p in passes]


def jury(
    *members: Member,
    quorum: int = 1,
    rule: JuryRule = JuryRule.MEAN,
    below: float = 0.0,
    then: JuryRule | None = None,
) -> Jury:
    record = JuryRecord(
        rule=rule,
        members=tuple(Juror(release=member.release.name) for member in members),
        quorum=quorum,
        below=below,
        then=then,
    )
    digests = {member.release.name: member.release.checkpoint_digest for member in members}
    own = Release(
        name="jury-0",
        checkpoint_digest=record.digest(digests),
        template_id=FAMILY,
        max_input_tokens=2048,
    )
    return Jury(own, record, [OneRelease(member, Judging()) for member in members])


def judged(judge: Jury, on_pause: Callable[[int], None] = lambda count: None) -> Verdict:
    count = 0

    async def pause(seconds: float) -> None:
        nonlocal count
        count += 1
        on_pause(count)
        await asyncio.sleep(0)

    mode = MODES["pairwise"]
    task = Task(
        request=PAIR,
        mode=mode,
        plans=judge.plans(PAIR, mode),
        verdict_id="v",
        content_digest="c",
    )
    return asyncio.run(judge.judged(task, Tries(), pause))


def test_members_with_different_templates_plan_their_own_passes() -> None:
    ours = Member(release=release("a", "judgelm-v1"), text="8 3")
    theirs = Member(release=release("b", "chat-v1"), text="2 6")
    found = judged(jury(ours, theirs))
    assert "[The Start of Assistant 1's Answer]" in ours.asked[0][0]
    assert "===== answer 1 =====" in theirs.asked[0][0]
    assert [len(member.asked[0]) for member in (ours, theirs)] == [2, 2]
    assert [one.release for one in found.passes] == ["a", "a", "b", "b"]
    assert [(one.release, one.winner) for one in found.members] == [("a", "x"), ("b", "y")]
    assert found.tie and [one.score for one in found.scores] == [5.0, 4.5]


def test_a_member_that_is_down_holds_the_request_and_the_others_are_not_asked_again() -> None:
    steady = Member(release=release("a", "judgelm-v1"), text="8 3")
    down = Member(release=release("b", "judgelm-v1"), text="7 3")
    down.failures = [KeyRefused("401")]
    seat = jury(steady, down)

    def moved(count: int) -> None:
        if count >= 10:  # a minute later
            _, member = seat._members[1]
            member._asking.health.clock = lambda: 1e9 + count

    found = judged(seat, moved)
    assert found.status is Status.SCORED and found.winner == "x"
    assert len(steady.asked) == 1
    assert len(down.asked) == 3, "once in vain, then the known good prompt, then the request"
    assert found.attempts == 2


def test_a_member_that_refuses_the_request_does_not_vote() -> None:
    willing = Member(release=release("a", "judgelm-v1"), text="8 3")
    unwilling = Member(release=release("b", "judgelm-v1"), text="3 8")
    unwilling.failures = [RejectedByJudge("content policy")]
    found = judged(jury(willing, unwilling))
    assert (found.winner, found.members[1].status) == ("x", Status.FAILED)
    willing.failures, unwilling.failures = [RejectedByJudge("no")], [RejectedByJudge("no")]
    with pytest.raises(RejectedByJudge):
        judged(jury(willing, unwilling))


@dataclass
class TwoMinds(Member):
    """Prefers the answer that is shown first: its two orders differ, and it is half sure of each."""

    async def ask(self, passes: Sequence[Pass]) -> list[Reply]:
        self.asked.append(tuple(one.prompt for one in passes))
        return [Reply(text="8 3") for _ in passes]


@pytest.mark.parametrize(
    ("then", "first_is_sure", "calls", "winner"),
    [
        (None, True, (1, 0, 0), "x"),
        (None, False, (1, 1, 0), "y"),
        (JuryRule.MEAN, True, (1, 0, 0), "x"),
        (JuryRule.MEAN, False, (1, 1, 1), "y"),
    ],
    ids=["sure", "unsure", "sure-vote", "unsure-vote"],
)
def test_a_cascade_asks_the_others_only_if_the_first_is_unsure(
    then: JuryRule | None, first_is_sure: bool, calls: tuple[int, ...], winner: str
) -> None:
    small = (Member if first_is_sure else TwoMinds)(release=release("a", "judgelm-v1"), text="8 3")
    others = [Member(release=release(name, "judgelm-v1"), text="2 9") for name in ("b", "c")]
    members = (small, *others)
    found = judged(jury(*members, rule=JuryRule.CASCADE, below=0.8, then=then))
    assert tuple(len(member.asked) for member in members) == calls
    assert (found.winner, found.release) == (winner, "jury-0")
    assert [one.release for one in found.members] == [
        member.release.name for member, count in zip(members, calls, strict=True) if count
    ]
    assert len(found.passes) == 2 * sum(calls)


def test_a_cascade_escalates_refused_and_unreadable_requests() -> None:
    refusing = Member(release=release("a", "judgelm-v1"), text="8 3")
    refusing.failures = [RejectedByJudge("content policy")]
    unreadable = Member(release=release("b", "judgelm-v1"), text="I like both.")
    large = Member(release=release("c", "judgelm-v1"), text="2 9")
    found = judged(jury(refusing, unreadable, large, rule=JuryRule.CASCADE, below=0.8))
    assert (found.winner, found.status) == ("y", Status.SCORED)
    assert [one.status for one in found.members] == [Status.FAILED, Status.UNSCORED, Status.SCORED]


def test_a_cascade_goes_on_while_a_member_is_down_that_it_need_not_ask() -> None:
    small = Member(release=release("a", "judgelm-v1"), text="8 3")
    down = Member(release=release("b", "judgelm-v1"), text="2 9", failures=[KeyRefused("401")])
    assert judged(jury(small, down, rule=JuryRule.CASCADE, below=0.8)).winner == "x"
    assert not down.asked


def test_a_mode_that_a_members_template_lacks_is_refused_by_name() -> None:
    seat = jury(
        Member(release=release("a", "judgelm-v1"), text="8 3"),
        Member(release=release("b", "judgelm-halves-v1"), text="8 3"),
    )
    _, member = seat._members[1]
    forms = {name: form for name, form in member._template.forms.items() if name != "pair"}
    member._template = replace(member._template, forms=forms)
    with pytest.raises(UnsupportedMode, match="member b: template"):
        seat.plans(PAIR, MODES["pairwise"])


def test_members_that_changed_since_the_jury_was_made_are_noticed() -> None:
    made = jury(
        Member(release=release("a", "judgelm-v1"), text="8 3"),
        Member(release=release("b", "judgelm-v1"), text="8 3"),
    )
    other = Release(name="b", checkpoint_digest="2", template_id="judgelm-v1", max_input_tokens=9)
    members = [made._members[0][1], OneRelease(Member(release=other, text="8 3"), Judging())]
    with pytest.raises(ConfigurationError, match="release jury"):
        Jury(made.release, made._record, members)


def test_a_worker_is_paused_while_any_member_is_and_says_which() -> None:
    status = WorkerStatus(kind="judging", slot=0)
    shown = CombinedStatus(status)
    one, other = shown.of("a"), shown.of("b")
    one.waiting("slow")
    assert (status.state, status.reason) == (WorkerState.WAITING, "slow")
    other.paused("key of b")
    one.paused("key of a")
    assert (status.state, status.reason) == (WorkerState.PAUSED, "key of b")
    other.working()
    assert (status.state, status.reason) == (WorkerState.PAUSED, "key of a")
    one.working()
    assert (status.state, status.reason) == (WorkerState.WORKING, "")
    one.count("retries")
    assert status.entry().counts == {"retries": 1}


def test_a_paused_jury_that_leaves_the_route_is_not_the_workers_trouble_any_more() -> None:
    down = Member(release=release("b", "judgelm-v1"), text="8 3", failures=[KeyRefused("401")])
    made = jury(Member(release=release("a", "judgelm-v1"), text="8 3"), down)
    gauge = metrics.release_paused.labels("key_refused")
    before = gauge._value.get()

    def leaves(_: int) -> None:
        assert made.paused and gauge._value.get() == before + 1
        raise Moved

    with pytest.raises(Moved):
        judged(made, leaves)
    made.end()
    assert not made.paused and gauge._value.get() == before
