"""`Label` messages <-> labels."""

from judgestream.contracts.codecs.times import moment, timestamp
from judgestream.core.types import Label
from judgestream.v1 import judging_pb2 as pb


def label_to_message(label: Label) -> pb.Label:
    message = pb.Label(
        label_id=label.label_id,
        request_id=label.request_id,
        annotator=label.annotator,
        winner=label.winner,
        tie=label.tie,
        labelled_at=timestamp(label.labelled_at),
        sampling_probability=label.sampling_probability,
    )
    if label.passed is not None:
        message.passed = label.passed
    return message


def label_from_message(message: pb.Label) -> Label:
    """The published label, valid or not (`checks.label_problem`).

    Raises:
        ValueError: its time is implausible.
    """
    return Label(
        label_id=message.label_id,
        request_id=message.request_id,
        annotator=message.annotator,
        winner=message.winner,
        tie=message.tie,
        labelled_at=moment(message.labelled_at),
        sampling_probability=message.sampling_probability
        if message.HasField("sampling_probability")
        else None,
        passed=message.passed if message.HasField("passed") else None,
    )
