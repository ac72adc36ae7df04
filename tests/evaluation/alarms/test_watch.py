"""Alarms: raised by evidence, cleared past the other level, with a bounded share of false ones."""

import json
from datetime import UTC, datetime, timedelta
from math import exp

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgestream.evaluation.alarms.evidence import cells, log_evidence
from judgestream.evaluation.alarms.policy import AlarmPolicy, AlarmRule, Side
from judgestream.evaluation.alarms.watch import Change, ReleaseState, family_size, watch
from judgestream.evaluation.probes import Counts
from judgestream.evaluation.time_windows import TimeWindow
from tests.evaluation.simulate_alarms import Traffic, day

MINUTE = timedelta(minutes=1)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TIES = AlarmRule(name="ties", metric="tie_rate", side=Side.ABOVE, limit=0.2, clear=0.15, least=50)
FLIPS = AlarmRule(name="flips", metric="flip_consistency", side=Side.BELOW, limit=0.7, clear=0.75)
DELTA = AlarmRule(name="delta", metric="delta_bias", side=Side.ABOVE, limit=0.1, clear=0.1)
POLICY = AlarmPolicy(rules=(TIES,))


def prompts(tied: int, untied: int) -> list[Counts]:
    return [*[{"tied": 1}] * tied, *[{"untied": 1}] * untied]


def look(
    state: ReleaseState, minute: int, counts: list[Counts], *, hop: timedelta = MINUTE
) -> tuple[ReleaseState, list[Change]]:
    start = NOON + minute * MINUTE
    window = TimeWindow(start=start, end=start + MINUTE)
    return watch(state, POLICY, release="judge", window=window, by_prompt=counts, hop=hop)


def raised() -> ReleaseState:
    state, changes = look(ReleaseState(), 0, prompts(90, 10))
    assert [change.raised for change in changes] == [True]
    return state


def test_a_strong_change_raises_the_alarm_at_once_and_only_once() -> None:
    state = raised()
    state, changes = look(state, 1, prompts(90, 10))
    assert changes == [] and state.rules["ties"].raised and state.raises == 1


def test_a_raised_alarm_says_what_it_rests_on() -> None:
    _, (change,) = look(ReleaseState(), 0, prompts(90, 10))
    assert (change.value, change.n) == (0.9, 100)
    assert change.needed == family_size(MINUTE, 1) / 0.05 == 28_800
    assert change.evidence >= change.needed


def test_between_the_limit_and_clear_the_alarm_stays() -> None:
    state, changes = look(raised(), 1, prompts(18, 82))  # .18: not above .2, not below .15
    assert changes == [] and state.rules["ties"].raised
    state, changes = look(state, 2, prompts(4, 26))  # too few to say
    assert changes == []
    state, (change,) = look(state, 3, prompts(2, 28))  # together 6 of 60
    assert (change.raised, change.value, change.n) == (False, 0.1, 60)
    assert not state.rules["ties"].raised


def test_a_weak_change_raises_the_alarm_when_it_lasts() -> None:
    state, minute = ReleaseState(), 0
    while not (state.rules and state.rules["ties"].raised):
        state, _ = look(state, minute, prompts(9, 21))
        minute += 1
    assert 5 < minute < 60


def test_overlapping_windows_count_alone() -> None:
    state = ReleaseState()
    for minute in range(100):
        state, _ = look(state, minute, prompts(9, 21), hop=MINUTE / 2)
    assert not state.rules["ties"].raised


def test_a_late_correction_and_a_window_seen_twice_change_nothing() -> None:
    state, _ = look(ReleaseState(), 5, prompts(10, 40))
    assert look(state, 5, prompts(50, 0)) == (state, [])
    assert look(state, 4, prompts(50, 0)) == (state, [])


def test_a_rule_says_once_that_it_is_cleared_when_it_has_enough_verdicts() -> None:
    state, changes = look(ReleaseState(), 0, prompts(4, 36))
    assert changes == []
    state, (change,) = look(state, 1, prompts(1, 9))
    assert (change.raised, change.first, change.value, change.n) == (False, True, 0.1, 50)
    state, changes = look(state, 2, prompts(5, 45))
    assert changes == []
    assert look(state, 24 * 60, prompts(5, 45))[1] == []


def test_a_new_day_begins_with_no_evidence_but_with_the_alarms_that_are_raised() -> None:
    state, _ = look(ReleaseState(), 0, prompts(9, 21))
    assert state.rules["ties"].windows == 1
    tomorrow, _ = look(state, 24 * 60, prompts(9, 21))
    assert tomorrow.rules["ties"].windows == 1 and tomorrow.day > state.day
    still, _ = look(raised(), 24 * 60, prompts(9, 21))
    assert still.rules["ties"].raised and still.raises == 0


def test_the_state_survives_json_and_nonsense_is_an_empty_state() -> None:
    for state in (ReleaseState(), raised(), look(ReleaseState(), 0, prompts(9, 21))[0]):
        assert ReleaseState.from_json(state.as_json()) == state
    wrong = json.loads(raised().as_json())
    wrong["rules"]["ties"]["log_sum"] = float("nan")
    for text in ("", "{", "7", '{"rules": 3}', json.dumps(wrong)):
        assert ReleaseState.from_json(text) == ReleaseState()


@pytest.mark.parametrize("rule", [TIES, FLIPS], ids=["above", "below"])
@pytest.mark.parametrize("size", [1, 5])
def test_the_expected_evidence_is_at_most_one_at_the_limit(rule: AlarmRule, size: int) -> None:
    """Exactly, over all outcomes of three prompts whose verdicts are all equal."""
    share = rule.limit
    hit, miss = ("tied", "untied") if rule is TIES else ("consistent", "toward_first")
    expected = 0.0
    for outcome in np.ndindex(2, 2, 2):
        counts = [{hit if one else miss: size, "ordered": size} for one in outcome]
        chance = share ** sum(outcome) * (1 - share) ** (3 - sum(outcome))
        expected += chance * exp(log_evidence(rule, cells(rule, counts)))
    assert expected == pytest.approx(1.0)


def test_the_evidence_for_a_difference_looks_to_both_sides() -> None:
    first = [{"toward_first": 1, "ordered": 1}] * 40 + [{"ordered": 1}] * 60
    second = [{"toward_second": 1, "ordered": 1}] * 40 + [{"ordered": 1}] * 60
    both = [{"toward_first": 1, "toward_second": 1, "ordered": 2}] * 40
    one, other, none = (log_evidence(DELTA, cells(DELTA, of)) for of in (first, second, both))
    assert one == pytest.approx(other) and one > 4.0 > 0.0 > none


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=6), st.integers(1, 3))
def test_any_counts_have_evidence(rows: list[tuple[int, int]], by: int) -> None:
    counts = [{"tied": tied, "untied": untied} for tied, untied in rows * by]
    assert log_evidence(TIES, cells(TIES, counts)) < 200


def test_at_the_limit_a_day_seldom_has_an_alarm_and_a_change_is_found() -> None:
    """`python -m tests.simulations` has the figures of more days."""
    draw = np.random.default_rng(7)
    traffic = Traffic(prompts=40, verdicts=3, correlation=0.5)
    assert sum(bool(day(draw, traffic, changed={}, windows=96)) for _ in range(5)) == 0
    found = [day(draw, traffic, changed={"ties": 0.4}, windows=48) for _ in range(5)]
    assert all([rule for _, rule in alarms] == ["ties"] for alarms in found)
