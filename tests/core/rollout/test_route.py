"""Which release answers a request: stable, sticky, and in the stated shares."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgestream.core.rollout.route import Arm, Route
from judgestream.core.rollout.state import Action
from tests.core.rollout.build import after, move, ready, stable

IDS = [f"request-{k}" for k in range(4000)]


def canary(share: float, **where: str) -> Route:
    return Route.of(
        after(
            *stable("old"),
            *ready("new"),
            move(Action.SHADOW, "new", share=0.25),
            move(Action.CANARY, "new", share=share, where=where),
        )
    )


def test_without_a_candidate_the_stable_release_answers_everything() -> None:
    route = Route.of(after(*stable("old")))
    assert {route.release_for(one, {}) for one in IDS} == {"old"}
    assert not any(route.shadows_for(one, {}) for one in IDS)


def test_without_a_stable_release_nothing_is_routed() -> None:
    assert Route().release_for("r", {}) == ""


@pytest.mark.no_cover
def test_a_canary_answers_its_share() -> None:
    taken = sum(canary(0.1).release_for(one, {}) == "new" for one in IDS)
    assert 340 < taken < 460  # 400 expected; three standard deviations are 57


@pytest.mark.no_cover
def test_a_larger_share_keeps_the_requests_of_a_smaller_one() -> None:
    small = {one for one in IDS if canary(0.1).release_for(one, {}) == "new"}
    large = {one for one in IDS if canary(0.3).release_for(one, {}) == "new"}
    assert small < large


def test_a_canary_may_be_for_one_tenant() -> None:
    route = canary(1.0, tenant="a")
    assert route.release_for("r", {"tenant": "a"}) == "new"
    assert route.release_for("r", {"tenant": "b"}) == "old"
    assert route.release_for("r", {}) == "old"


def test_no_request_is_judged_in_shadow_by_the_release_that_answers_it() -> None:
    route = canary(0.5)
    shadowed = [one for one in IDS if route.shadows_for(one, {})]
    assert all(route.release_for(one, {}) == "old" for one in shadowed)
    assert 400 < len(shadowed) < 600  # a quarter of the half that the canary does not answer


@given(
    st.text(max_size=20), st.floats(0, 1), st.dictionaries(st.text(max_size=3), st.text(max_size=3))
)
def test_any_id_and_metadata_have_one_release(
    request_id: str, share: float, metadata: dict[str, str]
) -> None:
    arm = Arm(release="new", share=share)
    route = Route(stable="old", canaries=(arm,), shadows=(arm,))
    answers = route.release_for(request_id, metadata)
    assert answers in ("old", "new")
    assert answers == route.release_for(request_id, dict(metadata))
    assert answers not in route.shadows_for(request_id, metadata)
