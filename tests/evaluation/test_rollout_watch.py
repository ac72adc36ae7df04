"""The watch after a promotion: it begins, ends, and brings the former release back if that is better."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from judgestream.core.rollout.moves import Move, apply
from judgestream.core.rollout.state import Action, Evidence, Finding, Rollout, Stage, Step
from judgestream.evaluation.gate import Automatic, Policy
from judgestream.evaluation.rollout_decision import STABLE, decide_moves

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
BY = "the service"
POLICY = Policy(watch_s=600.0, watch_share=0.3)


def move(action: Action, release: str, *, after_s: float = 0.0, **fields: object) -> Move:
    at = NOON + timedelta(seconds=after_s)
    return Move(action=action, release=release, at=at, **{"by": "ops", **fields})  # type: ignore[arg-type]


def promoted(*, measured: bool = True, decision: str = "better") -> Rollout:
    """`new` took the place of `old`, with evidence or without."""
    rollout = Rollout()
    for release in ("old", "new"):
        rollout = apply(rollout, move(Action.STAGE, release))
        rollout = apply(rollout, move(Action.PREPARE, release, step=Step.READY))
        if measured:
            placed = replace(
                rollout.releases[release], evidence=Evidence(decision=decision, measured_at=NOON)
            )
            rollout = replace(rollout, releases={**rollout.releases, release: placed})
        rollout = apply(rollout, move(Action.PROMOTE, release))
    return rollout


def watched(by: str = BY) -> Rollout:
    return apply(promoted(), move(Action.SHADOW, "old", share=0.3, by=by))


def found(decision: str, guard: str = "labels") -> Mapping[str, Evidence]:
    finding = Finding(
        guard=guard, baseline=STABLE, decision=decision, units=500, sentence="so it is"
    )
    return {"old": Evidence(decision=decision, measured_at=NOON, findings=(finding,))}


def moves(
    rollout: Rollout,
    measured: Mapping[str, Evidence] | None = None,
    *,
    policy: Policy = POLICY,
    after_s: float = 1.0,
) -> list[tuple[Action, str]]:
    now = NOON + timedelta(seconds=after_s)
    return [
        (one.action, one.release)
        for one in decide_moves(rollout, measured or {}, policy, now=now, by=BY)
    ]


def test_the_former_release_judges_in_shadow_after_a_promotion_with_evidence() -> None:
    (one,) = decide_moves(promoted(), {}, POLICY, now=NOON, by=BY)
    assert (one.action, one.release, one.share) == (Action.SHADOW, "old", 0.3)


@pytest.mark.parametrize(
    ("rollout", "policy", "after_s"),
    [
        (promoted(measured=False), POLICY, 1.0),
        (promoted(), replace(POLICY, watch_s=0.0), 1.0),
        (promoted(), POLICY, 601.0),
        (promoted(), replace(POLICY, automatic=Automatic(rollback=False)), 1.0),
        (apply(promoted(), move(Action.PREPARE, "old", step=Step.UNLOADED)), POLICY, 1.0),
        (Rollout(), POLICY, 1.0),
        (promoted(decision="worse"), POLICY, 1.0),
        (apply(watched(), move(Action.RETIRE, "old", after_s=5.0)), POLICY, 6.0),
    ],
    ids=[
        "no evidence",
        "no watch",
        "too late",
        "rollback is off",
        "unloaded",
        "nothing yet",
        "forced",
        "retired by hand",
    ],
)
def test_otherwise_nothing_is_watched(rollout: Rollout, policy: Policy, after_s: float) -> None:
    assert moves(rollout, policy=policy, after_s=after_s) == []


def test_a_former_release_that_is_better_comes_back() -> None:
    assert moves(watched(), found("better")) == [(Action.ROLL_BACK, "new")]
    now = NOON + timedelta(seconds=1)
    (back,) = decide_moves(watched(), found("better"), POLICY, now=now, by=BY)
    rollout = apply(watched(), back)
    assert rollout.stable == "old"
    assert rollout.releases["new"].stage is Stage.FAILED
    assert "so it is" in back.why


@pytest.mark.parametrize("decision", ["not_worse", "undecided", "worse"])
def test_a_former_release_that_is_not_better_waits_until_the_watch_ends(decision: str) -> None:
    assert moves(watched(), found(decision)) == []
    assert moves(watched(), found(decision), after_s=600.0) == [(Action.RETIRE, "old")]


def test_a_guard_that_is_not_required_brings_nothing_back() -> None:
    assert moves(watched(), found("better", guard="latency")) == []


def test_a_former_release_that_somebody_put_into_shadow_is_a_candidate_like_any_other() -> None:
    eager = replace(POLICY, automatic=Automatic(promote=True), least_shadow_units=100)
    assert moves(watched(by="ops"), found("better"), policy=eager) == [(Action.CANARY, "old")]
    assert moves(watched(by=BY), found("not_worse"), policy=eager) == []


def test_a_rollback_begins_no_watch_of_an_older_release() -> None:
    rollout = promoted()
    for one in (
        move(Action.STAGE, "third", after_s=5.0),
        move(Action.PREPARE, "third", after_s=5.0, step=Step.READY),
        move(Action.PROMOTE, "third", after_s=10.0),
        move(Action.ROLL_BACK, "third", after_s=20.0),
    ):
        rollout = apply(rollout, one)
    assert (rollout.stable, rollout.previous) == ("new", ("old",))
    assert moves(rollout, after_s=21.0) == []


def test_a_watch_ends_when_another_release_is_promoted_or_rollback_is_switched_off() -> None:
    rollout = watched()
    for one in (
        move(Action.STAGE, "third", after_s=5.0),
        move(Action.PREPARE, "third", after_s=5.0, step=Step.READY),
        move(Action.PROMOTE, "third", after_s=10.0),
    ):
        rollout = apply(rollout, one)
    assert moves(rollout, after_s=11.0) == [(Action.RETIRE, "old")]
    off = replace(POLICY, automatic=Automatic(rollback=False))
    assert moves(watched(), found("better"), policy=off) == [(Action.RETIRE, "old")]
