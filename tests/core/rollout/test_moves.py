"""Every action from every stage, and what a legal move does to the rollout."""

from datetime import timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgestream.core.rollout.moves import (
    MOST_KEPT,
    MOST_SHADOWS,
    TABLE,
    IllegalMove,
    Move,
    apply,
    needed_on_triton,
    rollback_target,
)
from judgestream.core.rollout.state import MOST_CHANGES, Action, Rollout, Stage, Step
from tests.core.rollout.build import NOON, after, move, ready, stable

SHARE = 0.1
ROUTES = {
    None: (),
    Stage.STAGED: ready("new"),
    Stage.SHADOW: (*ready("new"), move(Action.SHADOW, "new", share=SHARE)),
    Stage.CANARY: (
        *ready("new"),
        move(Action.SHADOW, "new", share=1.0),
        move(Action.CANARY, "new", share=SHARE),
    ),
    Stage.STABLE: stable("new"),
    Stage.RETIRED: (*ready("new"), move(Action.RETIRE, "new")),
    Stage.FAILED: (*ready("new"), move(Action.FAIL, "new", why="it does not load")),
}
"""Stage of `new` -> the moves that lead there, after `old` was made stable."""

LEGAL = {
    (Action.STAGE, None): Stage.STAGED,
    (Action.STAGE, Stage.RETIRED): Stage.STAGED,
    (Action.STAGE, Stage.FAILED): Stage.STAGED,
    (Action.SHADOW, Stage.STAGED): Stage.SHADOW,
    (Action.SHADOW, Stage.SHADOW): Stage.SHADOW,
    (Action.SHADOW, Stage.CANARY): Stage.SHADOW,
    (Action.SHADOW, Stage.RETIRED): Stage.SHADOW,
    (Action.CANARY, Stage.SHADOW): Stage.CANARY,
    (Action.CANARY, Stage.CANARY): Stage.CANARY,
    (Action.PROMOTE, Stage.STAGED): Stage.STABLE,
    (Action.PROMOTE, Stage.SHADOW): Stage.STABLE,
    (Action.PROMOTE, Stage.CANARY): Stage.STABLE,
    (Action.ROLL_BACK, Stage.SHADOW): Stage.FAILED,
    (Action.ROLL_BACK, Stage.CANARY): Stage.FAILED,
    (Action.ROLL_BACK, Stage.STABLE): Stage.FAILED,
    (Action.RETIRE, Stage.STAGED): Stage.RETIRED,
    (Action.RETIRE, Stage.SHADOW): Stage.RETIRED,
    (Action.RETIRE, Stage.FAILED): Stage.RETIRED,
    (Action.FAIL, Stage.STAGED): Stage.FAILED,
    (Action.FAIL, Stage.SHADOW): Stage.FAILED,
    (Action.FAIL, Stage.CANARY): Stage.FAILED,
}


@pytest.mark.parametrize(
    ("action", "stage"),
    [pair for pair in product(Action, [None, *Stage]) if pair[0] is not Action.PREPARE],
)
def test_every_action_from_every_stage(action: Action, stage: Stage | None) -> None:
    before = after(*stable("old"), *ROUTES[stage])
    wanted = move(action, "new", share=SHARE, why="a test")
    target = LEGAL.get((action, stage))
    if target is None:
        with pytest.raises(IllegalMove, match=f"cannot {action} new: "):
            apply(before, wanted)
        return
    rollout = apply(before, wanted)
    assert rollout.releases["new"].stage is target
    assert rollout.revision == before.revision + 1
    change = rollout.changes[-1]
    assert (change.release, change.action, change.before, change.after) == (
        "new",
        action,
        stage,
        target,
    )
    assert (change.by, change.why) == ("ops", "a test")


def test_the_table_has_a_row_for_every_action_and_stage() -> None:
    assert {(action, stage) for action, row in TABLE.items() for stage in row} == set(
        product(Action, [None, *Stage])
    )


def test_a_promotion_retires_the_stable_release_and_remembers_it() -> None:
    rollout = after(*stable("old"), *stable("new"))
    assert rollout.stable == "new"
    assert rollout.releases["old"].stage is Stage.RETIRED
    assert rollout.previous == ("old",)
    assert rollout.best == "old"  # nothing shows that the new one is better


def test_only_evidence_makes_a_release_the_best() -> None:
    rollout = after(*stable("old"), *ready("new"), move(Action.PROMOTE, "new", better=True))
    assert rollout.best == "new"


def test_a_rollback_of_the_stable_release_brings_the_previous_one_back() -> None:
    promoted = after(*stable("old"), *ready("new"), move(Action.PROMOTE, "new", better=True))
    rollout = apply(promoted, move(Action.ROLL_BACK, "new", why="too many ties"))
    assert (rollout.stable, rollout.best, rollout.previous) == ("old", "old", ())
    assert rollout.releases["new"].error == "too many ties"


def test_a_former_release_that_judges_in_shadow_can_be_brought_back() -> None:
    watched = after(*stable("old"), *stable("new"), move(Action.SHADOW, "old", share=0.2))
    placed = apply(watched, move(Action.ROLL_BACK, "new", why="worse")).releases["old"]
    assert (placed.stage, placed.share, placed.shadow) == (Stage.STABLE, 0.0, 0.0)


@pytest.mark.parametrize(
    ("moves", "reason"),
    [
        (stable("only"), "no release was stable before it"),
        (
            (*stable("old"), *stable("only"), move(Action.PREPARE, "old", step=Step.UNLOADED)),
            "old, which was stable before it, is unloaded",
        ),
        (
            (
                *stable("old"),
                *stable("only"),
                *ready("old"),
                move(Action.SHADOW, "old", share=1.0),
                move(Action.CANARY, "old", share=0.5),
            ),
            "old, which was stable before it, is a canary",
        ),
    ],
)
def test_a_rollback_needs_a_previous_release_that_is_ready(
    moves: tuple[Move, ...], reason: str
) -> None:
    with pytest.raises(IllegalMove, match=reason):
        apply(after(*moves), move(Action.ROLL_BACK, "only"))


@pytest.mark.parametrize("share", [0.0, -0.1, 1.01, float("nan"), float("inf")])
@pytest.mark.parametrize("action", [Action.SHADOW, Action.CANARY])
def test_a_share_is_above_0_and_at_most_1(action: Action, share: float) -> None:
    before = after(*stable("old"), *ROUTES[Stage.SHADOW])
    with pytest.raises(IllegalMove, match="its share is"):
        apply(before, move(action, "new", share=share))


def test_there_is_one_canary_at_a_time() -> None:
    before = after(*stable("old"), *ROUTES[Stage.CANARY], *ready("third"))
    shadowed = apply(before, move(Action.SHADOW, "third", share=1.0))
    with pytest.raises(IllegalMove, match="new is the canary"):
        apply(shadowed, move(Action.CANARY, "third", share=0.5))


def test_a_canary_needs_a_stable_release() -> None:
    with pytest.raises(IllegalMove, match="no stable release"):
        apply(after(*ROUTES[Stage.SHADOW]), move(Action.CANARY, "new", share=0.5))


def test_releases_in_shadow_are_bounded() -> None:
    rollout = after(*stable("old"))
    for k in range(MOST_SHADOWS):
        name = f"r{k}"
        rollout = after(*ready(name), move(Action.SHADOW, name, share=0.5), start=rollout)
    with pytest.raises(IllegalMove, match="retire one"):
        after(*ready("more"), move(Action.SHADOW, "more", share=0.5), start=rollout)


@pytest.mark.parametrize("action", [Action.SHADOW, Action.PROMOTE])
@pytest.mark.parametrize("step", [Step.ANNOUNCED, Step.INSTALLED, Step.LOADED])
def test_a_release_that_is_not_ready_gets_no_traffic(action: Action, step: Step) -> None:
    staged = after(move(Action.STAGE, "new"), move(Action.PREPARE, "new", step=step))
    with pytest.raises(IllegalMove, match=f"not ready yet \\(only {step}\\)"):
        apply(staged, move(action, "new", share=0.5))


def test_a_move_says_who_makes_it() -> None:
    with pytest.raises(IllegalMove, match="who"):
        apply(Rollout(), move(Action.STAGE, "new", by=" "))


def test_a_release_that_is_staged_again_starts_anew() -> None:
    again = after(*ROUTES[Stage.FAILED], move(Action.STAGE, "new", location="s3://bucket/new"))
    placed = again.releases["new"]
    assert (placed.step, placed.error, placed.location) == (Step.ANNOUNCED, "", "s3://bucket/new")


def test_a_canary_keeps_its_share_in_shadow() -> None:
    placed = after(*stable("old"), *ROUTES[Stage.CANARY]).releases["new"]
    assert (placed.share, placed.shadow) == (SHARE, 1.0)


def test_rollback_without_a_name_takes_the_canary_first() -> None:
    rollout = after(*stable("old"), *ROUTES[Stage.CANARY])
    assert rollback_target(rollout) == "new"
    assert rollback_target(after(*stable("old"), *ROUTES[Stage.SHADOW])) == "new"
    assert rollback_target(after(*stable("old"))) == "old"
    with pytest.raises(IllegalMove, match="no release is in traffic"):
        rollback_target(Rollout())


def test_rollback_without_a_name_leads_to_the_former_release_also_while_that_is_in_shadow() -> None:
    watched = after(*stable("old"), *stable("new"), move(Action.SHADOW, "old", share=0.2))
    assert rollback_target(watched) == "new"
    back = after(move(Action.ROLL_BACK, "new"), start=watched)
    assert (back.stable, back.releases["old"].stage) == ("old", Stage.STABLE)
    other = after(*ready("other"), move(Action.SHADOW, "other", share=1.0), start=watched)
    assert rollback_target(other) == "other"


def test_old_releases_leave_triton_after_the_grace_time_but_not_the_previous_one() -> None:
    rollout = after(
        *stable("first"),
        *stable("old"),
        *stable("new"),
        *ready("bad"),
        move(Action.FAIL, "bad", why="worse"),
    )
    soon, later = NOON + timedelta(seconds=5), NOON + timedelta(seconds=60)
    everything = ("bad", "first", "new", "old")
    assert needed_on_triton(rollout, now=soon, grace_s=30.0) == everything
    assert needed_on_triton(rollout, now=later, grace_s=30.0) == ("new", "old")


def test_the_state_is_bounded() -> None:
    rollout = after(*stable("old"))
    for k in range(MOST_KEPT + 20):
        name = f"r{k:04}"
        rollout = after(*ready(name, minute=k), move(Action.RETIRE, name, minute=k), start=rollout)
    assert len(rollout.releases) <= MOST_KEPT
    assert "old" in rollout.releases
    assert "r0000" not in rollout.releases
    assert len(rollout.changes) == MOST_CHANGES


@given(
    st.lists(
        st.tuples(
            st.sampled_from(Action),
            st.sampled_from(["a", "b", "c"]),
            st.floats(-0.5, 1.5),
            st.sampled_from(Step),
        ),
        max_size=40,
    )
)
def test_no_sequence_of_moves_breaks_the_state(
    wishes: list[tuple[Action, str, float, Step]],
) -> None:
    """At most one release is stable and one a canary, traffic is ready traffic, and a refused move changes
    nothing."""
    rollout = Rollout()
    for action, name, share, step in wishes:
        try:
            rollout = apply(rollout, move(action, name, share=share, step=step))
        except IllegalMove:
            continue
        assert len(rollout.at(Stage.STABLE)) <= 1
        assert len(rollout.at(Stage.CANARY)) <= 1
        assert all(one in rollout.releases for one in rollout.previous)
        assert rollout.stable not in rollout.previous
        for placed in rollout.releases.values():
            in_share = placed.stage in (Stage.SHADOW, Stage.CANARY)
            assert (0.0 < placed.share <= 1.0) if in_share else placed.share == 0.0
