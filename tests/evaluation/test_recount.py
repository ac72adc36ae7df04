"""The recount of a topic: each judgement once, by its final verdict, whatever the order of arrival."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgestream.core.order_sampling import sampled
from judgestream.core.types import Status, Verdict
from judgestream.evaluation.contribution import BUCKETS, bucket_of, contribution, event_time
from judgestream.evaluation.probes import report, total
from judgestream.evaluation.recount import Recount, by_prompt, merged
from judgestream.evaluation.time_windows import EPOCH, window_of
from tests.core.test_order_sampling import PLANNED
from tests.evaluation.windows import NOON, judged

MINUTE = timedelta(minutes=1)


def recount(*verdicts: Verdict) -> Recount:
    found = Recount()
    for verdict in verdicts:
        found.add(contribution(verdict))
    return found


def counts(*verdicts: Verdict) -> dict[str, int]:
    (of_release,) = recount(*verdicts).releases().values()
    return total(of_release.values())


VERDICTS = st.lists(
    st.builds(
        judged,
        st.sampled_from(["r1", "r2"]),
        status=st.sampled_from(Status),
        minute=st.sampled_from([0, 1, 7]),
        judged_minute=st.sampled_from([60, 61]),
        lean=st.sampled_from(["consistent", "first"]),
        prompt=st.sampled_from(["p", "q"]),
        content=st.sampled_from(["c", ""]),
    ),
    max_size=8,
)


@given(VERDICTS.flatmap(lambda all_: st.tuples(st.just(all_), st.permutations(all_))))
def test_order_and_repetition_change_nothing(both: tuple[list[Verdict], list[Verdict]]) -> None:
    first, other = both
    expected = recount(*first).windows(MINUTE)
    assert recount(*other, *other[:3]).windows(MINUTE) == expected


def test_a_failure_and_its_replay_count_once_in_the_window_of_the_final_one() -> None:
    failed = judged("r", status=Status.FAILED, minute=3)
    scored = judged("r", judged_minute=59)
    for verdicts in ((failed, scored), (scored, failed)):
        assert list(recount(*verdicts).windows(MINUTE)) == [("judge-1", window_of(NOON, MINUTE))]
        assert counts(*verdicts)["n"] == counts(*verdicts)["scored"] == 1
        assert "failed" not in counts(*verdicts)


def test_an_undecodable_failure_counts_until_its_request_is_judged() -> None:
    bad = judged("r", status=Status.FAILED, content="")
    assert counts(bad) == {"n": 1, "failed": 1}
    assert "failed" not in counts(bad, judged("r"))
    assert counts(bad, judged("another"))["failed"] == 1


def test_a_sampled_pair_counts_for_those_that_were_judged_in_one_order() -> None:
    """Half of the pairs lean; a tenth is judged in both orders. The rates are those of all pairs."""
    verdicts = []
    for k in range(3000):
        one = judged(f"r{k}", lean="first" if k % 2 else "consistent", minute=k / 100)
        drawn = sampled(PLANNED, one.verdict_id, 0.1)[0]
        passes = one.passes if len(drawn) == 2 else one.passes[:1]
        verdicts.append(replace(one, passes=passes, both_orders_probability=0.1))
    by_prompt = recount(*verdicts).releases()["judge-1"]
    metric = next(one for one in report(by_prompt.values()) if one.name == "flip_consistency")
    assert metric.interval is not None and metric.value is not None
    assert 2300 < metric.n < 3700 and abs(metric.value - 0.5) < 0.12
    # about 300 pairs in both orders: as wide as Wilson's interval of 150 of 300
    assert 0.1 < metric.interval.high - metric.interval.low < 0.13


def test_a_hopping_window_has_the_verdicts_of_all_its_panes() -> None:
    found = recount(*(judged(f"r{minute}", minute=minute) for minute in (0, 1, 2, 3)))
    windows = found.windows(3 * MINUTE, MINUTE)
    starts = {
        (window.start - NOON) // MINUTE: total(of.values())["n"]
        for (_, window), of in windows.items()
    }
    assert starts == {-2: 1, -1: 2, 0: 3, 1: 3, 2: 2, 3: 1}
    assert merged(found.windows(MINUTE).values()) == found.releases()["judge-1"]


def test_a_producers_clock_that_is_ahead_does_not_move_the_window() -> None:
    ahead = judged("r", minute=85, judged_minute=60)
    assert event_time(ahead) == NOON + timedelta(minutes=60)
    assert event_time(replace(ahead, judged_at=EPOCH)) == ahead.requested_at, "it does not say"


def test_prompts_share_buckets_by_what_was_asked() -> None:
    one, other = judged("r1", prompt="p"), judged("r2", prompt="p", release="judge-2")
    assert bucket_of(one) == bucket_of(other) == contribution(one).bucket
    old = [replace(judged(f"r{k}"), prompt_digest="", content_digest=f"c{k}") for k in range(200)]
    buckets = {bucket_of(verdict) for verdict in old}
    assert len(buckets) > 180 and all(0 <= int(bucket, 16) < BUCKETS for bucket in buckets)


def test_counts_that_sum_to_nothing_are_left_out() -> None:
    assert by_prompt([("a", {"n": 1}), ("a", {"n": -1}), ("b", {"n": 0})]) == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"verdict_id": ""},
        {"requested_at": EPOCH},
        {"release": "x" * 1000},
        {"verdict_id": "x" * 1000},
    ],
    ids=["no id", "no time", "release", "long id"],
)
def test_what_is_no_verdict_of_ours_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="verdict"):
        contribution(replace(judged("r"), **changes))  # type: ignore[arg-type]
