"""The memories in Redis, computed from records on the topics."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from judgestream.adapters.redis.rebuilding import billionths
from judgestream.apps.recovery.alarms import states_of
from judgestream.apps.recovery.published import note_of, with_note
from judgestream.apps.recovery.spending import Costs, day_of
from judgestream.contracts.codecs.verdicts import verdict_from_message, verdict_to_message
from judgestream.core.rollout.assignment import Assignment, Outcome, from_text, to_text, turn
from judgestream.core.types import MemberReading, Status, Verdict
from judgestream.v1.bias_pb2 import Alarm

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
VERDICT = Verdict(
    verdict_id="v",
    request_id="r",
    mode="pairwise",
    status=Status.SCORED,
    release="new",
    requested_at=NOON,
    judged_at=NOON,
)
PLACE = "judge.requests.v1[3]@70"


def test_a_redelivered_request_is_suppressed_whatever_the_route_is_now() -> None:
    text = with_note("", note_of(VERDICT, [PLACE], fallback="judge.verdicts.v1[3]@9"))
    found = turn(from_text(text), place=PLACE, routed="other", requested_at=NOON)
    assert found.suppressed and found.release == "new"


def test_a_resend_is_suppressed_by_the_release_that_has_scored_it() -> None:
    memory = from_text(with_note("", note_of(VERDICT, [], fallback="judge.verdicts.v1[3]@9")))
    assert turn(memory, place=PLACE, routed="new", requested_at=NOON).suppressed
    assert not turn(memory, place=PLACE, routed="other", requested_at=NOON).suppressed


def test_an_unscored_verdict_does_not_suppress_a_resend() -> None:
    unscored = replace(VERDICT, status=Status.UNSCORED)
    memory = from_text(with_note("", note_of(unscored, [PLACE], fallback="x")))
    assert turn(memory, place=PLACE, routed="new", requested_at=NOON).suppressed
    assert not turn(memory, place="later", routed="new", requested_at=NOON).suppressed


def test_what_a_worker_has_noted_meanwhile_stays() -> None:
    noted = Assignment(place=PLACE, release="new", requested_at=NOON, outcome=Outcome.SCORED)
    text = to_text([noted])
    assert with_note(text, note_of(VERDICT, [], fallback="x")) == text
    assigned = to_text([replace(noted, outcome=Outcome.ASSIGNED)])
    merged = from_text(with_note(assigned, note_of(VERDICT, [PLACE], fallback="x")))
    assert merged == (noted,)
    other = to_text([replace(noted, release="other", place="elsewhere")])
    assert len(from_text(with_note(other, note_of(VERDICT, [PLACE], fallback="x")))) == 2


def test_costs_count_once_a_judgement_and_by_day() -> None:
    """Judged at noon for 2 dollars, delivered twice, and judged again on the next day for 3."""
    costs = Costs(day=day_of(NOON + timedelta(days=1)))
    first = replace(VERDICT, cost=2.0)
    for one in (first, first, replace(first, judged_at=NOON + timedelta(days=1), cost=3.0)):
        costs.add(one)
    assert (costs.total["new"], costs.today["new"]) == (5.0, 3.0)


def test_a_jury_costs_what_its_members_cost() -> None:
    costs = Costs(day=day_of(NOON))
    members = tuple(
        MemberReading(release=name, status=Status.SCORED, cost=cost)
        for name, cost in (("a", 1.0), ("b", 2.0), ("c", None))
    )
    costs.add(replace(VERDICT, cost=3.0, members=members))
    assert dict(costs.total) == {"a": 1.0, "b": 2.0}


def alarm(rule: str, state: Any, metric: str = "tie_rate") -> Alarm:
    return Alarm(alarm_id=rule, release="new", rule=rule, metric=metric, state=state)


def test_the_newest_state_of_each_alarm_counts() -> None:
    (state, doubted) = states_of(
        [
            alarm("ties", Alarm.STATE_RAISED),
            alarm("position", Alarm.STATE_RAISED, "flip_consistency"),
            alarm("ties", Alarm.STATE_CLEARED),
            Alarm(alarm_id="next", release="new", rule="next", state=77),  # type: ignore[arg-type]
        ]
    )["new"]
    assert {name: rule.raised for name, rule in state.rules.items()} == {
        "ties": False,
        "position": True,
    }
    assert all(rule.told for rule in state.rules.values()), "none is published again as new"
    assert doubted


@pytest.mark.parametrize("cost", [1e10, 1e308, float("inf"), float("nan"), -1.0])
def test_a_cost_beyond_all_budgets_is_not_counted(cost: float) -> None:
    """Its sum would be no number of Redis, in which workers then could add nothing to it."""
    message = verdict_to_message(replace(VERDICT, cost=1.0))
    message.cost = cost
    with pytest.raises(ValueError, match="from 0 to 1e.09 dollars"):
        verdict_from_message(message)


@pytest.mark.parametrize(
    ("dollars", "kept"),
    [(0.0, 0), (2.0, 2 * 10**9), (1e300, 4 * 10**18), (float("inf"), 4 * 10**18)],
)
def test_an_amount_of_any_size_is_one_that_redis_can_add_to(dollars: float, kept: int) -> None:
    assert billionths(dollars) == kept < 2**63
