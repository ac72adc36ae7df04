"""Any verdict that another producer publishes is read or refused; no reader of verdicts fails on it."""

import json
from math import inf, nan

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from judgestream.adapters.files.verdict_rows import verdict_row
from judgestream.contracts.codecs.verdicts import verdict_from_message
from judgestream.core.modes import MODES
from judgestream.core.verdict_text import details, verdict_line
from judgestream.evaluation.probes import count_names, observe, report
from judgestream.evaluation.scored_verdict import ScoredVerdict
from judgestream.v1 import judging_pb2 as pb

NAMES = ["straight", "swapped", "straight+reference", "swapped/c", "order-0-1-2", "order-2-1-0"]
PASS_NAMES = st.sampled_from([*NAMES, "order-999-0", "order-1-0", "none", "none/analysis", "\x00"])
shares = st.none() | st.floats(0, 1)
numbers = st.lists(st.floats(-10, 10), max_size=4)
scores = st.builds(
    pb.CandidateScore,
    candidate_id=st.sampled_from(["a", "a", "b", "", "\u202e"]),
    score=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    rank=st.integers(0, 0xFFFFFFFF),
    p_best=shares,
    low=st.none() | st.floats(-1, 1),
    high=st.none() | st.floats(-1, 1),
    criteria=st.lists(st.builds(pb.CriterionScore, criterion_id=st.text(max_size=3)), max_size=2),
)
passes = st.builds(
    pb.PassReading,
    name=PASS_NAMES,
    means=numbers,
    greedy=numbers,
    values=numbers,
    p_best=st.lists(st.floats(0, 1), max_size=4),
    p_win=shares,
    p_tie=shares,
    p_lose=shares,
    unreadable=st.sampled_from(["", "", "", "truncated", "no such reason"]),
    release=st.sampled_from(["", "m"]),
)
verdicts = st.builds(
    pb.Verdict,
    verdict_id=st.just("v"),
    request_id=st.just("r"),
    mode=st.sampled_from([*MODES, "a mode of tomorrow", ""]),
    status=st.sampled_from([1, 2, 3]),
    winner=st.sampled_from(["", "", "a", "nobody"]),
    tie=st.booleans(),
    p_win=shares,
    p_tie=shares,
    p_lose=shares,
    confidence=shares,
    scores=st.lists(scores, max_size=4),
    passes=st.lists(passes, max_size=6),
    method=st.sampled_from(["", "reward", "a method of tomorrow"]),
    cost=st.none() | st.floats(0, 2e9),
    members=st.lists(
        st.builds(pb.MemberReading, release=st.text(max_size=3), status=st.sampled_from([1, 2, 3])),
        max_size=2,
    ),
)


@pytest.mark.no_cover
@given(verdicts)
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_reader_survives_what_others_publish(message: pb.Verdict) -> None:
    try:
        verdict = verdict_from_message(message)
    except ValueError:
        return
    assert verdict_line(verdict)
    assert list(details(verdict))
    json.dumps(verdict_row(verdict), default=str)
    counts = observe(verdict)
    assert counts.keys() <= set(count_names())
    assert all(one.value is None or 0 <= one.value <= 1 for one in report([counts_of(counts)]))
    ScoredVerdict.of(verdict)


def counts_of(counts: dict[str, int]) -> dict[str, int]:
    return {name: counts.get(name, 0) for name in count_names()}


def test_two_ranked_documents_are_not_a_pair_of_answers() -> None:
    message = pb.Verdict(
        verdict_id="v",
        request_id="r",
        mode="rerank",
        status=pb.Verdict.STATUS_SCORED,
        winner="a",
        scores=[
            pb.CandidateScore(candidate_id="a", score=0.9, rank=1, length=9),
            pb.CandidateScore(candidate_id="b", score=0.1, rank=2, length=5),
        ],
    )
    verdict = verdict_from_message(message)
    assert observe(verdict) == {"n": 1, "scored": 1}
    assert ScoredVerdict.of(verdict) is None


@pytest.mark.parametrize("cost", [nan, inf, -0.5])
def test_a_cost_that_is_not_an_amount_is_refused(cost: float) -> None:
    message = pb.Verdict(verdict_id="v", request_id="r", status=pb.Verdict.STATUS_SCORED, cost=cost)
    with pytest.raises(ValueError, match="cost is"):
        verdict_from_message(message)
    message = pb.Verdict(
        verdict_id="v",
        request_id="r",
        status=pb.Verdict.STATUS_SCORED,
        members=[pb.MemberReading(status=pb.Verdict.STATUS_SCORED, cost=cost)],
    )
    with pytest.raises(ValueError, match="cost is"):
        verdict_from_message(message)
