"""Any request and any reply end in a verdict that survives the wire, or in an error of the project."""

from dataclasses import replace
from math import isclose

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from judgestream.adapters.files.verdict_rows import verdict_row
from judgestream.contracts.codecs.requests import request_from_message, request_to_message
from judgestream.contracts.codecs.verdicts import verdict_from_message, verdict_to_message
from judgestream.contracts.events import JSON, PROTOBUF
from judgestream.contracts.wire import decode, encode
from judgestream.core.errors import (
    EmptyQuestion,
    InvalidRequest,
    UnknownMode,
    UnsupportedMode,
)
from judgestream.core.identity import content_digest
from judgestream.core.modes import MODES, Mode, check, check_template, for_template, plan
from judgestream.core.templates import TEMPLATES
from judgestream.core.templates.base import Template
from judgestream.core.types import PassResult, Release, Request, Status, Verdict
from judgestream.core.verdict_text import details, verdict_line
from judgestream.core.verdicts import Effort, build_verdict, limited
from judgestream.evaluation.probes import observe, report
from judgestream.evaluation.scored_verdict import ScoredVerdict
from judgestream.v1 import judging_pb2 as pb
from tests.core.build import NOON
from tests.core.hostile import messages, replies

REFUSED = (InvalidRequest, UnknownMode, EmptyQuestion)


def _can_judge(template: Template, mode: Mode) -> bool:
    try:
        check_template(mode, template)
    except UnsupportedMode:
        return False
    return True


SERVED = [
    (template, mode)
    for template in TEMPLATES.values()
    for mode in MODES.values()
    if _can_judge(template, mode)
]


@pytest.mark.parametrize(
    ("template", "mode"), SERVED, ids=[f"{template.id}-{mode.name}" for template, mode in SERVED]
)
@given(data=st.data())
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_request_is_refused_by_name_or_judged(
    template: Template, mode: Mode, data: st.DataObject
) -> None:
    message = data.draw(messages(st.just(mode.name), absurd=100))
    try:
        request = request_from_message(message, NOON)
        mode = check(request)
    except REFUSED as refused:
        assert "\n" not in str(refused) and len(str(refused)) < 2000
        return
    results: list[PassResult] = []
    try:
        while stage := plan(request, mode, template, results):
            asked = data.draw(replies(stage))
            results += (one.result(reply) for one, reply in zip(stage, asked, strict=True))
    except UnsupportedMode as lacking:
        assert template.id in str(lacking)
        return
    verdict = build_verdict(
        request=request,
        mode=for_template(mode, template),
        release=Release(
            name="r", checkpoint_digest="d", template_id=template.id, max_input_tokens=4096
        ),
        results=results,
        effort=Effort(attempts=1, latency_s=1.0, ended_at=NOON),
        verdict_id="v1",
        content_digest=content_digest(request),
    )
    _check_numbers(request, verdict)
    _check_wire(verdict)
    _check_readers(verdict)


def _check_numbers(request: Request, verdict: Verdict) -> None:
    shares = [verdict.p_win, verdict.p_tie, verdict.p_lose]
    known = [share for share in shares if share is not None]
    assert len(known) in (0, 3)
    if known:
        assert isclose(sum(known), 1.0, abs_tol=1e-6)
    best = [score.p_best for score in verdict.scores if score.p_best is not None]
    if best:
        assert isclose(sum(best), 1.0, abs_tol=1e-3)
    if verdict.confidence is not None:
        known.append(verdict.confidence)
    assert all(-1e-9 <= share <= 1 + 1e-9 for share in (*known, *best))
    ranked = [(one.rank, one.score) for one in verdict.scores if one.rank and one.score is not None]
    for rank, score in ranked:
        above = sum(other > score for _, other in ranked)
        assert rank <= above + 1 and all(r < rank for r, other in ranked if other > score + 1e-6)
    if verdict.status is Status.SCORED:
        assert not (verdict.winner and verdict.tie)
        assert verdict.winner in {"", *(one.id for one in request.candidates)}
    assert verdict.cost is None or verdict.cost >= 0


def _check_wire(verdict: Verdict) -> None:
    published, _ = limited(verdict)
    passes = tuple(
        replace(
            one,
            reply=replace(
                one.reply,
                score_probs=(),
                cost=None,
                input_tokens=min(max(0, one.reply.input_tokens), 0xFFFFFFFF),
                output_tokens=max(0, one.reply.output_tokens),
            ),
        )
        for one in published.passes
    )
    expected = replace(
        published,
        passes=passes,
        input_tokens=min(max(0, published.input_tokens), 0xFFFFFFFF),
        output_tokens=max(0, published.output_tokens),
    )
    for content_type in (PROTOBUF, JSON):
        value = encode(verdict_to_message(published), content_type)
        read = verdict_from_message(decode(pb.Verdict, value, content_type))
        if not verdict.scores:  # an answer to a question: the verdict does not name its candidates
            read = replace(
                read,
                passes=tuple(
                    replace(one, transform=asked.transform)
                    for one, asked in zip(read.passes, passes, strict=True)
                ),
            )
        assert read == expected


def _check_readers(verdict: Verdict) -> None:
    assert verdict_line(verdict)
    assert list(details(verdict))
    verdict_row(verdict)
    report([observe(verdict)])
    compared = ScoredVerdict.of(verdict)
    if compared is not None and compared.outcome is not None:
        assert len(verdict.scores) == 2


@given(message=messages())
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_valid_request_and_its_digest_survive_the_wire(message: pb.JudgeRequest) -> None:
    try:
        request = request_from_message(message, NOON)
        check(request)
    except REFUSED:
        return
    for content_type in (PROTOBUF, JSON):
        value = encode(request_to_message(request), content_type)
        read = request_from_message(decode(pb.JudgeRequest, value, content_type))
        assert read == request
        assert content_digest(read) == content_digest(request)
