"""`MemberReading` messages <-> what each member of a jury found."""

from judgestream.contracts.codecs.outcomes import (
    STATUS,
    STATUS_OUT,
    score_from_message,
    score_to_message,
    uint32,
)
from judgestream.core.types import MemberReading
from judgestream.v1 import judging_pb2 as pb


def member_to_message(member: MemberReading) -> pb.MemberReading:
    message = pb.MemberReading(
        release=member.release,
        checkpoint_digest=member.checkpoint_digest,
        template_id=member.template_id,
        weight=member.weight,
        status=STATUS_OUT[member.status],
        reason=member.reason,
        error_class=member.error_class,
        error_message=member.error_message,
        winner=member.winner,
        tie=member.tie,
        p_win=member.p_win,
        p_tie=member.p_tie,
        p_lose=member.p_lose,
        scores=[score_to_message(score) for score in member.scores],
        input_tokens=uint32(member.input_tokens),
        output_tokens=uint32(member.output_tokens),
        cost=member.cost,
    )
    if member.flipped is not None:
        message.flipped = member.flipped
    return message


def member_from_message(message: pb.MemberReading) -> MemberReading:
    """The published reading.

    Raises:
        ValueError: an unknown status.
    """
    if message.status not in STATUS:
        raise ValueError(
            f"status {message.status} of member {message.release[:80]!r} is unknown: a newer version may"
            " have written it"
        )
    return MemberReading(
        release=message.release,
        checkpoint_digest=message.checkpoint_digest,
        template_id=message.template_id,
        weight=message.weight,
        status=STATUS[message.status],
        reason=message.reason,
        error_class=message.error_class,
        error_message=message.error_message,
        winner=message.winner,
        tie=message.tie,
        p_win=message.p_win if message.HasField("p_win") else None,
        p_tie=message.p_tie if message.HasField("p_tie") else None,
        p_lose=message.p_lose if message.HasField("p_lose") else None,
        scores=tuple(score_from_message(score) for score in message.scores),
        flipped=message.flipped if message.HasField("flipped") else None,
        input_tokens=message.input_tokens,
        output_tokens=message.output_tokens,
        cost=message.cost if message.HasField("cost") else None,
    )
