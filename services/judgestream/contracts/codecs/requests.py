"""`JudgeRequest` <-> `Request`."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from judgestream.contracts.codecs.rubrics import rubric_from_message, rubric_to_message
from judgestream.contracts.codecs.times import moment, timestamp
from judgestream.contracts.unknown_fields import essential_unknown
from judgestream.core import limits
from judgestream.core.conversation import Focus, Turn
from judgestream.core.errors import InvalidRequest
from judgestream.core.limits import quoted
from judgestream.core.types import Candidate, Image, Options, Orders, ReferenceUse, Request
from judgestream.v1 import judging_pb2 as pb

DEFAULT_EXPLANATION_TOKENS = 256
DEFAULT_MODE = "pairwise"
NO_TIME = limits.EARLIEST
"""The event time of a request whose record states none, where no result depends on it."""

_NEWER = (
    "a newer version may have written it; upgrade the workers, then publish the request again"
    " (`judgestream dlq replay`)"
)

_ORDERS = {
    pb.JudgeOptions.ORDERS_UNSPECIFIED: Orders.BOTH,
    pb.JudgeOptions.ORDERS_BOTH: Orders.BOTH,
    pb.JudgeOptions.ORDERS_STRAIGHT: Orders.STRAIGHT,
    pb.JudgeOptions.ORDERS_ROTATIONS: Orders.ROTATIONS,
}
_REFERENCE_USE = {
    pb.JudgeOptions.REFERENCE_USE_UNSPECIFIED: ReferenceUse.AUTO,
    pb.JudgeOptions.REFERENCE_USE_AUTO: ReferenceUse.AUTO,
    pb.JudgeOptions.REFERENCE_USE_NEVER: ReferenceUse.NEVER,
    pb.JudgeOptions.REFERENCE_USE_BOTH: ReferenceUse.BOTH,
}
_FOCUS = {
    pb.JudgeOptions.FOCUS_UNSPECIFIED: Focus.WHOLE,
    pb.JudgeOptions.FOCUS_WHOLE: Focus.WHOLE,
    pb.JudgeOptions.FOCUS_LAST_TURN: Focus.LAST_TURN,
}
_ORDERS_OUT = {
    Orders.BOTH: pb.JudgeOptions.ORDERS_BOTH,
    Orders.STRAIGHT: pb.JudgeOptions.ORDERS_STRAIGHT,
    Orders.ROTATIONS: pb.JudgeOptions.ORDERS_ROTATIONS,
}
_REFERENCE_USE_OUT = {
    ReferenceUse.AUTO: pb.JudgeOptions.REFERENCE_USE_AUTO,
    ReferenceUse.NEVER: pb.JudgeOptions.REFERENCE_USE_NEVER,
    ReferenceUse.BOTH: pb.JudgeOptions.REFERENCE_USE_BOTH,
}
_FOCUS_OUT = {
    Focus.WHOLE: pb.JudgeOptions.FOCUS_UNSPECIFIED,
    Focus.LAST_TURN: pb.JudgeOptions.FOCUS_LAST_TURN,
}


def request_from_message(message: pb.JudgeRequest, event_time: datetime = NO_TIME) -> Request:
    """A request with its defaults filled in. `event_time` is used if the message has no time.

    Raises:
        InvalidRequest: an option or a time is out of range, there are too many parts of a kind, or a newer
            version wrote what this one does not know. `modes.check` checks everything else.
    """
    options = message.options
    where = f"request {quoted(message.request_id)}"
    if problem := next(_too_many(message), ""):
        raise InvalidRequest(f"{where}: {problem}")
    if unknown := essential_unknown(message):
        raise InvalidRequest(f"{where}: {unknown} is unknown: {_NEWER}")
    explanation_tokens = options.max_explanation_tokens or DEFAULT_EXPLANATION_TOKENS
    if explanation_tokens > limits.EXPLANATION_TOKENS:
        raise InvalidRequest(
            f"{where}: options.max_explanation_tokens is {explanation_tokens};"
            f" at most {limits.EXPLANATION_TOKENS}"
        )
    try:
        orders = _ORDERS[options.orders]
        reference_use = _REFERENCE_USE[options.reference_use]
        focus = _FOCUS[options.focus]
        if message.HasField("requested_at"):
            event_time = moment(message.requested_at)
    except KeyError as exc:
        raise InvalidRequest(f"{where}: unknown option value {exc}: {_NEWER}") from exc
    except ValueError as exc:
        raise InvalidRequest(f"{where}: requested_at: {exc}") from exc
    unnamed = all(not candidate.id for candidate in message.candidates)
    return Request(
        request_id=message.request_id,
        mode=message.mode or DEFAULT_MODE,
        question=message.question,
        candidates=tuple(
            Candidate(
                id=str(k) if unnamed else c.id,
                text=c.text,
                system=c.system,
                images=_images(c.images),
                turns=_turns_from(c.turns),
                first_stage_score=c.first_stage_score if c.HasField("first_stage_score") else None,
            )
            for k, c in enumerate(message.candidates, start=1)
        ),
        requested_at=event_time,
        reference=message.reference if message.HasField("reference") else None,
        options=Options(
            orders=orders,
            reference_use=reference_use,
            explain=options.explain,
            max_explanation_tokens=explanation_tokens,
            focus=focus,
            pairs=options.pairs,
            hybrid_weight=options.hybrid_weight if options.HasField("hybrid_weight") else None,
        ),
        metadata=dict(message.metadata),
        images=_images(message.images),
        rubric=rubric_from_message(message.rubric) if message.HasField("rubric") else None,
        discussion=_turns_from(message.discussion),
    )


def _too_many(message: pb.JudgeRequest) -> Iterator[str]:
    """Which parts are more than `modes.check` accepts. A record of 1 MiB can have 500,000 of
    them, whose values would take seconds to make."""
    if (found := len(message.candidates)) > limits.CANDIDATES:
        yield f"{found} candidates; at most {limits.CANDIDATES}"
    images = len(message.images) + sum(len(one.images) for one in message.candidates)
    if images > limits.IMAGES:
        yield f"{images} images; at most {limits.IMAGES} for the question and all candidates together"
    for place, one in enumerate(message.candidates, start=1):
        if (found := len(one.turns)) > limits.TURNS:
            yield f"candidates[{place}].turns has {found} messages; at most {limits.TURNS}"
    if (found := len(message.discussion)) > limits.DISCUSSION:
        yield f"discussion has {found} messages; at most {limits.DISCUSSION}: leave out the oldest"
    if (found := len(message.rubric.criteria)) > limits.CRITERIA:
        yield f"rubric has {found} criteria; 1 to {limits.CRITERIA}"


def request_to_message(request: Request) -> pb.JudgeRequest:
    return pb.JudgeRequest(
        request_id=request.request_id,
        mode=request.mode,
        question=request.question,
        candidates=[
            pb.Candidate(
                id=c.id,
                text=c.text,
                system=c.system,
                images=_messages(c.images),
                turns=_turns_to(c.turns),
                first_stage_score=c.first_stage_score,
            )
            for c in request.candidates
        ],
        reference=request.reference,
        options=pb.JudgeOptions(
            orders=_ORDERS_OUT[request.options.orders],
            reference_use=_REFERENCE_USE_OUT[request.options.reference_use],
            explain=request.options.explain,
            max_explanation_tokens=request.options.max_explanation_tokens,
            focus=_FOCUS_OUT[request.options.focus],
            pairs=request.options.pairs,
            hybrid_weight=request.options.hybrid_weight,
        ),
        requested_at=timestamp(request.requested_at),
        metadata=request.metadata,
        images=_messages(request.images),
        rubric=rubric_to_message(request.rubric) if request.rubric is not None else None,
        discussion=_turns_to(request.discussion),
    )


def _images(messages: Iterable[pb.Image]) -> tuple[Image, ...]:
    return tuple(Image(url=m.url, data=m.data, media_type=m.media_type) for m in messages)


def _messages(images: Iterable[Image]) -> list[pb.Image]:
    return [pb.Image(url=i.url, data=i.data, media_type=i.media_type) for i in images]


def _turns_from(turns: Iterable[pb.Turn]) -> tuple[Turn, ...]:
    return tuple(Turn(role=turn.role, text=turn.text) for turn in turns)


def _turns_to(turns: Iterable[Turn]) -> list[pb.Turn]:
    return [pb.Turn(role=turn.role, text=turn.text) for turn in turns]
