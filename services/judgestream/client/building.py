"""Requests and labels built from plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

from judgestream.core import follow_ups
from judgestream.core.errors import InvalidRequest
from judgestream.core.rubric import Rubric
from judgestream.core.types import Candidate, Image, Label, Options, Request, Verdict


def pair(
    question: str,
    first: str | Candidate,
    second: str | Candidate,
    *,
    reference: str | None = None,
    request_id: str = "",
    options: Options | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Request:
    """A request to compare two answers, dated now.

    Plain texts become the candidates "1" and "2". Without a `request_id` a random one is used; set it to make
    sending the request twice harmless.

    Raises:
        InvalidRequest: an argument is not text; the message names it.
    """
    return _request(
        "pairwise",
        question,
        (first, second),
        reference=reference,
        request_id=request_id,
        options=options,
        metadata=metadata,
    )


def single(
    question: str,
    answer: str | Candidate,
    *,
    reference: str | None = None,
    request_id: str = "",
    options: Options | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Request:
    """A request to score one answer from 1 to 10, dated now. Otherwise like `pair`.

    A reference answer anchors the scale: it counts as a 10.
    """
    return _request(
        "single",
        question,
        (answer,),
        reference=reference,
        request_id=request_id,
        options=options,
        metadata=metadata,
    )


def multi(
    question: str,
    answers: Sequence[str | Candidate],
    *,
    reference: str | None = None,
    request_id: str = "",
    options: Options | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Request:
    """A request to score 2 to 16 answers in one prompt, and to rank them. Otherwise like `pair`.

    With `Options(orders=Orders.ROTATIONS)` every answer stands at every position once.
    """
    return _request(
        "multi",
        question,
        answers,
        reference=reference,
        request_id=request_id,
        options=options,
        metadata=metadata,
    )


def tournament(
    question: str,
    answers: Sequence[str | Candidate],
    *,
    reference: str | None = None,
    request_id: str = "",
    options: Options | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Request:
    """A request to rank 3 to 16 answers by comparing them in pairs. Otherwise like `pair`.

    All pairs are judged, n (n - 1) / 2 of n answers; `Options(pairs=20)` judges 20 of them.
    """
    return _request(
        "tournament",
        question,
        answers,
        reference=reference,
        request_id=request_id,
        options=options,
        metadata=metadata,
    )


def multimodal(
    question: str,
    answers: Sequence[str | Candidate],
    *,
    images: Sequence[Image] = (),
    reference: str | None = None,
    request_id: str = "",
    options: Options | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Request:
    """A request to score one answer about images, or to compare two. Otherwise like `pair`.

    `images` belong to the question; images as answers are `Candidate(id=..., text="", images=(...))`, of
    which an image scorer ranks up to eight. Without any image one answer is compared with its reference,
    which may have alternatives: "-1<OR>minus one".
    """
    request = _request(
        "multimodal",
        question,
        answers,
        reference=reference,
        request_id=request_id,
        options=options,
        metadata=metadata,
    )
    return replace(request, images=tuple(images))


def rerank(
    query: str,
    documents: Sequence[str | Candidate],
    *,
    request_id: str = "",
    options: Options | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Request:
    """A request to rank 2 to 100 documents by whether they help with a query. Otherwise like `pair`.

    `Options(explain=True)` analyses the query and each document first. `Options(hybrid_weight=100)` adds the
    first-stage scores, which every document then needs: `Candidate(id=..., text=..., first_stage_score=...)`.
    """
    return _request(
        "rerank",
        query,
        documents,
        reference=None,
        request_id=request_id,
        options=options,
        metadata=metadata,
    )


def conversations(
    *candidates: Candidate,
    question: str = "",
    reference: str | None = None,
    request_id: str = "",
    options: Options | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Request:
    """A request to compare two conversations, or to score one. Otherwise like `pair`.

    Each is a `Candidate(id=..., turns=(Turn(role="user", text=...), Turn(role="assistant", text=...), ...))`.
    `Options(focus=Focus.LAST_TURN)` judges the last reply alone.
    """
    return _request(
        "multi_turn",
        question,
        candidates,
        reference=reference,
        request_id=request_id,
        options=options,
        metadata=metadata,
    )


def by_rubric(
    question: str,
    answer: str | Candidate,
    rubric: Rubric,
    *,
    reference: str | None = None,
    request_id: str = "",
    options: Options | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Request:
    """A request to score one answer for each criterion of a rubric. Otherwise like `pair`."""
    request = _request(
        "rubric",
        question,
        (answer,),
        reference=reference,
        request_id=request_id,
        options=options,
        metadata=metadata,
    )
    return replace(request, rubric=rubric)


def follow_up(
    request: Request, verdict: Verdict, question: str, *, request_id: str = "", criterion: str = ""
) -> Request:
    """A question to the judge about its verdict on a request; the answer is `explanation` of the new verdict.

    To continue, ask about the answer: `follow_up(asked, answer, ...)`. Of a rubric's verdict, `criterion`
    names the one to ask about.

    Raises:
        InvalidRequest: the verdict cannot be discussed.
    """
    return follow_ups.follow_up(
        request,
        verdict,
        question,
        request_id=request_id or uuid4().hex,
        at=datetime.now(UTC),
        criterion=criterion,
    )


def _request(
    mode: str,
    question: str,
    answers: Sequence[str | Candidate],
    *,
    reference: str | None,
    request_id: str,
    options: Options | None,
    metadata: Mapping[str, str] | None,
) -> Request:
    candidates = tuple(
        answer if isinstance(answer, Candidate) else Candidate(id=str(k), text=answer)
        for k, answer in enumerate(answers, start=1)
    )
    texts: dict[str, object] = {"question": question, "request_id": request_id}
    if reference is not None:
        texts["reference"] = reference
    for candidate in candidates:
        texts |= {
            f"text of candidate {candidate.id!r}": candidate.text,
            f"id {candidate.id!r} of a candidate": candidate.id,
            f"system of candidate {candidate.id!r}": candidate.system,
        }
    for key, entry in (metadata or {}).items():
        texts |= {f"metadata key {key!r}": key, f"metadata[{key!r}]": entry}
    for name, value in texts.items():
        if not isinstance(value, str):
            raise InvalidRequest(
                f"{name} must be text, not {type(value).__name__}: write str({value!r:.40})"
            )
    return Request(
        request_id=request_id or uuid4().hex,
        mode=mode,
        question=question,
        candidates=candidates,
        requested_at=datetime.now(UTC),
        reference=reference,
        options=options or Options(),
        metadata=dict(metadata or {}),
    )


def label(
    request_id: str,
    *,
    annotator: str,
    winner: str,
    label_id: str = "",
    sampling_probability: float | None = None,
) -> Label:
    """An annotator's judgement of a request, dated now. `winner` is a candidate id, or "" for a tie.

    State the `sampling_probability` where requests are sampled for labelling, so that corrected figures hold
    for all of them.
    """
    return Label(
        label_id=label_id or uuid4().hex,
        request_id=request_id,
        annotator=annotator,
        labelled_at=datetime.now(UTC),
        winner=winner,
        tie=winner == "",
        sampling_probability=sampling_probability,
    )


def pass_label(
    request_id: str,
    *,
    annotator: str,
    passed: bool,
    label_id: str = "",
    sampling_probability: float | None = None,
) -> Label:
    """Whether an annotator finds a request's one answer good enough, dated now. Arguments as of `label`."""
    return Label(
        label_id=label_id or uuid4().hex,
        request_id=request_id,
        annotator=annotator,
        labelled_at=datetime.now(UTC),
        passed=passed,
        sampling_probability=sampling_probability,
    )
