"""Every message survives both encodings, and every value of the core survives its message."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judgestream.contracts.codecs.labels import label_from_message, label_to_message
from judgestream.contracts.codecs.requests import request_from_message, request_to_message
from judgestream.contracts.codecs.verdicts import verdict_from_message, verdict_to_message
from judgestream.contracts.events import JSON, PROTOBUF
from judgestream.contracts.topics import TOPICS, Topic
from judgestream.contracts.wire import decode, encode
from judgestream.core import limits
from judgestream.core.conversation import Focus, Turn
from judgestream.core.images import placed
from judgestream.core.limits import EXPLANATION_TOKENS, PAIRS
from judgestream.core.rubric import Criterion, CriterionScore, Rubric
from judgestream.core.transforms import Transform
from judgestream.core.types import (
    Candidate,
    CandidateScore,
    Image,
    Label,
    MemberReading,
    Options,
    Orders,
    PassResult,
    Reading,
    ReferenceUse,
    Reply,
    Request,
    Status,
    Style,
    Unread,
    Unreadable,
    Verdict,
)
from judgestream.v1 import judging_pb2 as pb
from tests.contracts.messages import messages

text = st.text(max_size=12)
name = st.text(min_size=1, max_size=12).filter(lambda value: bool(value.strip()))
count = st.integers(0, (1 << 32) - 1)
share = st.floats(0, 1)
number = st.floats(allow_nan=False, allow_infinity=False)
dollars = st.floats(0, 1e9)
seconds = st.floats(0, 1e6)
metadata = st.dictionaries(text, text, max_size=3)
styles = st.builds(Style, words=count, headers=count, list_items=count, bold=count)
times = st.integers(0, 250_000_000_000_000_000).map(
    lambda microseconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
)


@pytest.mark.parametrize("topic", TOPICS.values(), ids=TOPICS)
@given(data=st.data())
@settings(max_examples=40)
def test_every_message_of_a_topic_survives_both_encodings(
    topic: Topic, data: st.DataObject
) -> None:
    message = data.draw(messages(topic.record))
    for content_type in (PROTOBUF, JSON):
        value = encode(message, content_type)
        if value:  # an empty message has no bytes in protobuf, and an empty record is refused
            assert decode(topic.record, value, content_type) == message


images = st.lists(
    st.builds(Image, url=text, data=st.binary(max_size=9), media_type=text), max_size=2
).map(tuple)
turns = st.lists(st.builds(Turn, role=text, text=text), max_size=3).map(tuple)
rubrics = st.builds(
    Rubric,
    criteria=st.lists(
        st.builds(
            Criterion,
            id=text,
            description=text,
            low=number,
            high=number,
            weight=number,
            pass_threshold=st.none() | number,
        ),
        max_size=3,
    ).map(tuple),
    pass_threshold=st.none() | number,
)
requests = st.builds(
    Request,
    request_id=text,
    mode=name,
    question=text,
    candidates=st.lists(
        st.builds(
            Candidate,
            id=name,
            text=text,
            system=text,
            images=images,
            turns=turns,
            first_stage_score=st.none() | number,
        ),
        max_size=6,
    ).map(tuple),
    requested_at=times,
    reference=st.none() | text,
    options=st.builds(
        Options,
        orders=st.sampled_from(Orders),
        reference_use=st.sampled_from(ReferenceUse),
        explain=st.booleans(),
        max_explanation_tokens=st.integers(1, EXPLANATION_TOKENS),
        focus=st.sampled_from(Focus),
        pairs=st.integers(0, PAIRS),
        hybrid_weight=st.none() | number,
    ),
    metadata=metadata,
    images=images,
    rubric=st.none() | rubrics,
    discussion=turns,
)


def has_few_images(request: Request) -> bool:
    """A request with more is refused before its values are made."""
    return len(list(placed(request))) <= limits.IMAGES


@given(requests.filter(has_few_images), st.sampled_from([PROTOBUF, JSON]))
def test_every_request_survives_the_wire(request: Request, content_type: str) -> None:
    value = encode(request_to_message(request), content_type)
    assert request_from_message(decode(pb.JudgeRequest, value, content_type)) == request


@given(
    st.builds(
        Label,
        label_id=text,
        request_id=text,
        annotator=text,
        labelled_at=times,
        winner=text,
        tie=st.booleans(),
        sampling_probability=st.none() | share,
        passed=st.none() | st.booleans(),
    ),
    st.sampled_from([PROTOBUF, JSON]),
)
def test_every_label_survives_the_wire(label: Label, content_type: str) -> None:
    value = encode(label_to_message(label), content_type)
    assert label_from_message(decode(pb.Label, value, content_type)) == label


replies = st.builds(
    Reply,
    text=text,
    finish_reason=text,
    input_tokens=count,
    output_tokens=count,
    latency_s=seconds,
)
unreadable = st.builds(Unreadable, reason=st.sampled_from(Unread), detail=text)


criterion_scores = st.builds(
    CriterionScore,
    criterion_id=text,
    score=st.none() | number,
    low=st.none() | number,
    high=st.none() | number,
    passed=st.none() | st.booleans(),
)


@st.composite
def passes(draw: st.DrawFn, candidates: int) -> PassResult:
    shown = draw(st.integers(1, candidates))
    order = tuple(draw(st.permutations(range(candidates))))[:shown]
    scores = st.tuples(*(number for _ in order))
    sides = draw(st.tuples(share, share, share) | st.just((None, None, None)))
    read = st.builds(
        Reading,
        means=scores | st.just(()),
        greedy=scores | st.just(()),
        win=st.just(sides[0]),
        tie=st.just(sides[1]),
        lose=st.just(sides[2]),
        outside=share,
        p_best=st.tuples(*(share for _ in order)) | st.just(()),
    )
    return PassResult(
        transform=Transform(
            order=order,
            with_reference=draw(st.booleans()),
            criterion=draw(st.sampled_from(["", "tone"])),
            partial=shown < candidates,
        ),
        reading=draw(unreadable | read),
        reply=draw(replies),
        release=draw(text),
    )


scores = st.lists(
    st.builds(CandidateScore, candidate_id=text, score=st.none() | number, length=count), max_size=2
).map(tuple)
members = st.builds(
    MemberReading,
    release=text,
    status=st.sampled_from(Status),
    checkpoint_digest=text,
    template_id=text,
    weight=number,
    reason=text,
    error_class=text,
    error_message=text,
    winner=text,
    tie=st.booleans(),
    p_win=st.none() | share,
    p_tie=st.none() | share,
    p_lose=st.none() | share,
    scores=scores,
    flipped=st.none() | st.booleans(),
    input_tokens=count,
    output_tokens=count,
    cost=st.none() | dollars,
)


@st.composite
def verdicts(draw: st.DrawFn) -> Verdict:
    candidates = draw(st.integers(1, 6))
    tie = draw(st.booleans())
    probability = st.none() | share
    return Verdict(
        verdict_id=draw(name),
        request_id=draw(name),
        mode=draw(text),
        status=draw(st.sampled_from(Status)),
        requested_at=draw(times),
        judged_at=draw(times),
        release=draw(text),
        reason=draw(text),
        winner="" if tie else draw(text),
        tie=tie,
        scores=tuple(
            CandidateScore(
                candidate_id=str(k),
                score=draw(st.none() | number),
                length=draw(count),
                criteria=tuple(draw(st.lists(criterion_scores, max_size=2))),
                passed=draw(st.none() | st.booleans()),
                p_best=draw(probability),
                rank=draw(count),
                low=draw(st.none() | number),
                high=draw(st.none() | number),
                style=draw(st.none() | styles),
            )
            for k in range(candidates)
        ),
        p_win=draw(probability),
        p_tie=draw(probability),
        p_lose=draw(probability),
        confidence=draw(probability),
        flipped=draw(st.none() | st.booleans()),
        explanation=draw(text),
        passes=tuple(draw(st.lists(passes(candidates), max_size=3))),
        input_tokens=draw(count),
        output_tokens=draw(count),
        latency_s=draw(seconds),
        attempts=draw(count),
        metadata=draw(metadata),
        prompt_digest=draw(text),
        both_orders_probability=draw(st.none() | st.floats(0.01, 1.0)),
        content_digest=draw(text),
        answers_cut_to=draw(st.integers(0, (1 << 31) - 1)),
        passed=draw(st.none() | st.booleans()),
        cost=draw(st.none() | dollars),
        members=tuple(draw(st.lists(members, max_size=2))),
    )


@given(verdicts(), st.sampled_from([PROTOBUF, JSON]))
@settings(max_examples=60)
def test_every_verdict_survives_the_wire(verdict: Verdict, content_type: str) -> None:
    value = encode(verdict_to_message(verdict), content_type)
    assert verdict_from_message(decode(pb.Verdict, value, content_type)) == verdict


def test_a_pass_of_a_newer_version_keeps_its_reading_and_pairs_with_nothing() -> None:
    message = pb.Verdict(verdict_id="v", request_id="r", status=pb.Verdict.STATUS_SCORED)
    message.passes.add(name="swapped+rubric", means=[1.0, 2.0])
    (result,) = verdict_from_message(message).passes
    assert result.transform.name == "unknown"
    assert isinstance(result.reading, Reading)
    assert result.reading.means == (1.0, 2.0)
