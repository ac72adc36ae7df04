"""Whatever stands on the topics, a report comes out, and no number in it is NaN."""

import json
from datetime import timedelta

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from judgestream.apps.cli import agreement_view as view
from judgestream.core.transforms import STRAIGHT, SWAPPED, UNKNOWN, Transform
from judgestream.core.types import (
    PROBE_KEY,
    CandidateScore,
    Label,
    PassResult,
    Reading,
    Reply,
    Status,
    Unreadable,
    Verdict,
)
from judgestream.evaluation.label_join import join, paired
from judgestream.evaluation.labels import Ballots
from judgestream.evaluation.order_rules import OrderRule
from judgestream.evaluation.scored_verdict import ScoredVerdict, ambiguous
from tests.core.build import NOON, UNREAD

names = st.sampled_from(["a", "b", "", "z", "a " * 300])
requests = st.sampled_from(["q1", "q2", "q3", "", "\x00"])
share = st.none() | st.sampled_from([0.0, 0.5, 1.0, 1 / 3]) | st.floats(allow_nan=True)
number = st.floats(allow_nan=True)
labels = st.builds(
    Label,
    label_id=st.text(max_size=2),
    request_id=requests,
    annotator=st.sampled_from(["human-1", "human-2", "", " "]),
    labelled_at=st.integers(0, 3).map(lambda k: NOON + timedelta(days=k)),
    winner=names,
    tie=st.booleans(),
)
readings = st.just(UNREAD) | st.builds(
    Reading, means=st.just((1.0, 2.0)), greedy=st.just(()), win=share, tie=share, lose=share
)


def _whole(reading: Reading | Unreadable) -> bool:
    """Its probabilities are all there, or none of them is."""
    if isinstance(reading, Unreadable) or reading.win is None:
        return True
    return None not in (reading.tie, reading.lose)


passes = st.lists(
    st.builds(
        PassResult,
        transform=st.sampled_from(
            [
                STRAIGHT,
                SWAPPED,
                UNKNOWN,
                Transform(order=(0, 1), with_reference=True),
                Transform(order=(2, 0, 1)),
                Transform(order=(1, 0, 2)),
            ]
        ),
        reading=readings.filter(_whole),
        reply=st.just(Reply(text="")),
    ),
    max_size=3,
).map(tuple)
verdicts = st.builds(
    Verdict,
    verdict_id=st.just("v"),
    request_id=requests,
    mode=st.sampled_from(["pairwise", "single", ""]),
    status=st.sampled_from(Status),
    requested_at=st.just(NOON),
    judged_at=st.just(NOON),
    release=st.sampled_from(["r", "s"]),
    winner=names,
    tie=st.booleans(),
    scores=st.lists(
        st.builds(
            CandidateScore, candidate_id=names, score=st.none() | number, length=st.integers(0)
        ),
        max_size=3,
    ).map(tuple),
    p_win=share,
    p_tie=share,
    p_lose=share,
    passes=passes,
    content_digest=st.sampled_from(["", "d1", "d2"]),
    metadata=st.sampled_from([{}, {PROBE_KEY: "1"}, {"k": "c"}]),
)


@settings(deadline=None, max_examples=60, phases=[Phase.reuse, Phase.generate])
@given(
    st.lists(labels, max_size=8),
    st.lists(verdicts, max_size=10),
    st.sampled_from(OrderRule),
    st.sampled_from([{}, {"q1": 1, "q2": 1, "q3": 1}]),
)
def test_a_report_comes_out_of_anything(
    of_people: list[Label], told: list[Verdict], rule: OrderRule, prompts: dict[str, int]
) -> None:
    ballots = Ballots(of_people)
    judged = [
        one for one in (ScoredVerdict.of(v, cluster_key="k") for v in told) if one is not None
    ]
    doubtful = ambiguous(judged)
    results = [
        join(
            release,
            [one for one in judged if one.release == release],
            ballots,
            prompts=prompts,
            doubtful=doubtful,
            rule=rule,
        )
        for release in ("r", "s")
    ]
    for result in results:
        assert json.dumps(view.as_json(result, ballots), allow_nan=False) != "{}"
        view.remarks(result)
    found, *alone = paired(results[0], results[1])
    json.dumps(view.pair_json(("r", "s"), found, (alone[0], alone[1])), allow_nan=False)
