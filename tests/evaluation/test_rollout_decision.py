"""The moves that follow from evidence, as tables."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from judgestream.core.rollout.moves import Move, apply
from judgestream.core.rollout.state import Action, Evidence, Finding, Rollout, Stage, Step
from judgestream.evaluation.gate import Automatic, Comparison, Policy, decide
from judgestream.evaluation.gate import Evidence as Items
from judgestream.evaluation.rollout_decision import (
    BEST,
    STABLE,
    baselines,
    decide_moves,
    entered_shadow,
    evidence_of,
    refusal,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
OLD, NEW, OTHER = "old", "new", "other"
ON = Policy(automatic=Automatic(promote=True), least_shadow_units=100, canary_steps=(0.3, 0.6))
MANUAL = replace(ON, automatic=Automatic(promote=False))
HANDS_OFF = replace(ON, automatic=Automatic(promote=False, rollback=False))


def move(action: Action, release: str, at: datetime = NOW, **fields: object) -> Move:
    return Move(action=action, release=release, at=at, by="test", **fields)  # type: ignore[arg-type]


def ready(release: str) -> list[Move]:
    return [move(Action.STAGE, release), move(Action.PREPARE, release, step=Step.READY)]


def after(*moves: Move) -> Rollout:
    rollout = Rollout()
    for one in moves:
        rollout = apply(rollout, one)
    return rollout


BEGUN = [*ready(OLD), move(Action.PROMOTE, OLD), *ready(NEW)]
IN_SHADOW = after(*BEGUN, move(Action.SHADOW, NEW, share=1.0))
CANARY = after(*BEGUN, move(Action.SHADOW, NEW, share=1.0), move(Action.CANARY, NEW, share=0.1))
WIDE = apply(CANARY, move(Action.CANARY, NEW, share=0.6))


def evidence(
    decision: str,
    *,
    units: int = 500,
    labels: str = "",
    length: str = "undecided",
    baseline: str = STABLE,
    at: datetime = LATER,
) -> Evidence:
    findings = [
        Finding(
            guard=guard, baseline=name, decision=found, units=units, sentence=f"{guard} is {found}"
        )
        for name in {STABLE, baseline}
        for guard, found in (("labels", labels or decision), ("length", length))
    ]
    return Evidence(
        decision=decision, measured_at=at, sentence=f"it is {decision}", findings=tuple(findings)
    )


def moves(
    rollout: Rollout, policy: Policy, found: Mapping[str, Evidence], now: datetime = LATER
) -> list[tuple[Action, str, float]]:
    made = decide_moves(rollout, found, policy, now=now, by="the service")
    assert all(one.by == "the service" and one.why for one in made)
    return [(one.action, one.release, one.share) for one in made]


@pytest.mark.parametrize(
    ("rollout", "decision", "wanted"),
    [
        (IN_SHADOW, "better", (Action.CANARY, NEW, 0.1)),
        (IN_SHADOW, "not_worse", (Action.CANARY, NEW, 0.1)),
        (IN_SHADOW, "undecided", None),
        (IN_SHADOW, "worse", (Action.ROLL_BACK, NEW, 0.0)),
        (CANARY, "better", (Action.CANARY, NEW, 0.3)),
        (CANARY, "undecided", None),
        (CANARY, "worse", (Action.ROLL_BACK, NEW, 0.0)),
        (WIDE, "not_worse", (Action.PROMOTE, NEW, 0.0)),
    ],
)
@pytest.mark.parametrize("policy", [ON, MANUAL, HANDS_OFF], ids=["on", "manual", "hands off"])
def test_a_candidate_moves_as_policy_and_evidence_say(
    rollout: Rollout, decision: str, wanted: tuple[Action, str, float] | None, policy: Policy
) -> None:
    back = wanted is not None and wanted[0] is Action.ROLL_BACK
    switched_on = policy.automatic.rollback if back else policy.automatic.promote
    expected = [wanted] if wanted is not None and switched_on else []
    assert moves(rollout, policy, {NEW: evidence(decision)}) == expected


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (evidence("not_worse", units=99), []),
        (evidence("not_worse", units=100), [(Action.CANARY, NEW, 0.1)]),
        # a guard that is not required stops nothing
        (evidence("not_worse", length="worse"), [(Action.CANARY, NEW, 0.1)]),
        # a required guard that is worse counts, whatever the whole says
        (evidence("undecided", labels="worse"), [(Action.ROLL_BACK, NEW, 0.0)]),
    ],
    ids=["few", "enough", "not required", "one guard"],
)
def test_what_else_a_candidate_in_shadow_needs(
    found: Evidence, wanted: list[tuple[Action, str, float]]
) -> None:
    assert moves(IN_SHADOW, ON, {NEW: found}) == wanted


def test_a_canary_keeps_its_share_for_the_time_of_the_policy() -> None:
    for seconds, wanted in ((599, []), (600, [(Action.CANARY, NEW, 0.3)])):
        now = NOW + timedelta(seconds=seconds)
        assert moves(CANARY, ON, {NEW: evidence("better")}, now) == wanted


def test_promotion_says_whether_the_judge_is_better_than_the_best_so_far() -> None:
    for decision in ("better", "not_worse"):
        (made,) = decide_moves(WIDE, {NEW: evidence(decision)}, ON, now=LATER, by="x")
        assert made.better is (decision == "better")


def test_nothing_advances_past_the_best_release_without_a_comparison_with_it() -> None:
    rollout = replace(IN_SHADOW, best=OTHER)
    assert moves(rollout, ON, {NEW: evidence("better")}) == []
    assert moves(rollout, ON, {NEW: evidence("better", baseline=BEST)}) != []
    assert moves(rollout, ON, {NEW: evidence("worse")}) == [(Action.ROLL_BACK, NEW, 0.0)]


def test_one_canary_at_a_time() -> None:
    rollout = after(
        *(*BEGUN, *ready(OTHER)),
        *(move(Action.SHADOW, one, share=1.0) for one in (NEW, OTHER)),
    )
    found = {NEW: evidence("better"), OTHER: evidence("better")}
    assert moves(rollout, ON, found) == [(Action.CANARY, NEW, 0.1)]


def test_a_release_without_evidence_stays() -> None:
    assert moves(IN_SHADOW, ON, {}) == []


@pytest.mark.parametrize(
    ("action", "found", "refused"),
    [
        (Action.CANARY, None, "there is no evidence yet"),
        (Action.CANARY, evidence("undecided"), ""),
        (Action.CANARY, evidence("undecided", units=99), "99 prompts beside it"),
        (Action.CANARY, evidence("worse"), "the evidence is worse: it is worse"),
        (Action.CANARY, evidence("better", at=NOW - timedelta(days=1)), "no evidence yet"),
        (Action.PROMOTE, evidence("undecided"), "the evidence is undecided"),
        (Action.PROMOTE, evidence("not_worse"), ""),
        (Action.PROMOTE, evidence("better"), ""),
        (Action.SHADOW, None, ""),
        (Action.ROLL_BACK, None, ""),
    ],
    ids="abcdefghij",
)
def test_permission_for_a_persons_move(
    action: Action, found: Evidence | None, refused: str
) -> None:
    placed = replace(IN_SHADOW.releases[NEW], evidence=found)
    said = refusal(IN_SHADOW, placed, ON, action)
    assert (refused in said) if refused else not said


def test_the_first_release_needs_no_evidence() -> None:
    rollout = after(*ready(NEW))
    assert refusal(rollout, rollout.releases[NEW], ON, Action.PROMOTE) == ""


def test_the_comparisons_of_a_candidate() -> None:
    assert baselines(IN_SHADOW, NEW) == {STABLE: OLD}
    assert baselines(Rollout(), NEW) == {}
    rollout = after(
        *(*BEGUN, *ready(OTHER)),
        *(move(Action.SHADOW, one, share=1.0) for one in (NEW, OTHER)),
    )
    assert baselines(replace(rollout, best=OTHER), NEW) == {STABLE: OLD, BEST: OTHER}
    assert baselines(replace(rollout, best=OTHER), OTHER) == {STABLE: OLD}
    retired = apply(rollout, move(Action.RETIRE, OTHER))
    assert baselines(replace(retired, best=OTHER), NEW) == {STABLE: OLD}


def test_the_trial_begins_in_shadow_and_goes_through_the_canary() -> None:
    def at(hours: int) -> datetime:
        return NOW + timedelta(hours=hours)

    rollout = after(
        *BEGUN,
        move(Action.SHADOW, NEW, at(1), share=0.5),
        move(Action.SHADOW, NEW, at(2), share=1.0),
        move(Action.CANARY, NEW, at(3), share=0.1),
    )
    assert entered_shadow(rollout, rollout.releases[NEW]) == at(1)
    again = rollout
    for one in (
        move(Action.ROLL_BACK, NEW, at(4)),
        move(Action.STAGE, NEW, at(5)),
        move(Action.PREPARE, NEW, at(5), step=Step.READY),
        move(Action.SHADOW, NEW, at(6), share=1.0),
    ):
        again = apply(again, one)
    assert again.releases[NEW].stage is Stage.SHADOW
    assert entered_shadow(again, again.releases[NEW]) == at(6)
    forgotten = replace(rollout, changes=())
    assert entered_shadow(forgotten, rollout.releases[NEW]) == at(3)


def test_a_decision_as_it_is_published() -> None:
    decision = decide([Comparison(baseline=STABLE, evidence=Items())], Policy())
    found = evidence_of(decision, compared_with=OLD, now=NOW)
    assert found.decision == "undecided"
    assert found.sentence.startswith("undecided, compared with old: ")
    assert {one.guard for one in found.findings} == set(Policy().guards)
    assert all(one.units == 0 and one.estimate is None for one in found.findings)
