"""Input formats of this project's own requests and labels: protobuf's JSON mapping, camelCase or snake_case.

They are not in `core.formats`, because the core does not import the protobuf contracts.
"""

import json
from collections.abc import Mapping
from types import MappingProxyType

from judgestream.contracts.codecs.labels import label_from_message
from judgestream.contracts.codecs.requests import request_from_message
from judgestream.contracts.json_mapping import parsed
from judgestream.core.errors import InvalidRequest
from judgestream.core.formats import FORMATS
from judgestream.core.formats.base import Draft, RequestFormat, Vote, dataset_name
from judgestream.core.formats.fields import Fields, InvalidRecord, listed
from judgestream.core.formats.pairs import metadata_texts
from judgestream.core.formats.reasons import Aside, NoLabel
from judgestream.core.types import Label
from judgestream.v1.judging_pb2 import JudgeRequest
from judgestream.v1.judging_pb2 import Label as LabelMessage

_ID = ("requestId", "request_id")


def convert(fields: Fields) -> Draft:
    """A `JudgeRequest`, optionally with its labels in the field `labels`.

    A missing request id becomes a digest of the place and the content. Metadata values that are null are left
    out; numbers, booleans, lists and objects become their JSON text. Ids may be whole numbers. `labels` is a
    list of `{annotator, winner}` or `{annotator, tie: true}`.
    """
    values = {name: value for name, value in fields.values.items() if name != "labels"}
    message = parsed(Fields(_normalised(values), fields.place), JudgeRequest)
    try:
        request = request_from_message(message)
    except (InvalidRequest, ValueError) as exc:
        raise InvalidRecord(f"{fields.place}: {exc}") from exc
    votes, lost = _votes(fields)
    return Draft(
        name=request.request_id or dataset_name("request", None, fields, _content(values)),
        question=request.question,
        candidates=request.candidates,
        mode=request.mode,
        reference=request.reference,
        votes=votes,
        unlabelled=lost,
        options=request.options,
        requested_at=request.requested_at if message.HasField("requested_at") else None,
        metadata=request.metadata,
        images=request.images,
        complete=True,
        rubric=request.rubric,
        discussion=request.discussion,
    )


def convert_label(fields: Fields) -> Label:
    """A `Label`. Its request is submitted separately."""
    message = parsed(Fields(_normalised(fields.values), fields.place), LabelMessage)
    try:
        label = label_from_message(message)
    except (InvalidRequest, ValueError) as exc:
        raise InvalidRecord(f"{fields.place}: {exc}") from exc
    for name, value in (("requestId", label.request_id), ("annotator", label.annotator)):
        if not value:
            fields.reject(name, "is missing")
    if label.winner and label.tie:
        fields.set_aside(Aside.CONTRADICTION, "tie", "is true, but there is also a winner")
    if not label.winner and not label.tie:
        fields.set_aside(
            Aside.NO_CHOICE, "winner", "is empty, and `tie` is not true: nothing was chosen"
        )
    return label


def _normalised(values: Mapping[str, object]) -> dict[str, object]:
    """The values as protobuf requires them: metadata and ids as text, and no nulls."""
    normalised = {name: value for name, value in values.items() if value is not None}
    metadata = normalised.get("metadata")
    if isinstance(metadata, dict):
        normalised["metadata"] = metadata_texts(metadata)
    for name in _ID:
        if name in normalised:
            normalised[name] = _id_text(normalised[name])
    candidates = listed(normalised.get("candidates"))
    if isinstance(candidates, list):
        normalised["candidates"] = [_candidate(candidate) for candidate in candidates]
    return normalised


def _candidate(value: object) -> object:
    if not isinstance(value, dict):
        return value
    normalised = {name: part for name, part in value.items() if part is not None}
    return normalised | {"id": _id_text(normalised["id"])} if "id" in normalised else normalised


def _id_text(value: object) -> object:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _content(values: Mapping[str, object]) -> str:
    return json.dumps(values, sort_keys=True)


def _votes(fields: Fields) -> tuple[tuple[Vote, ...], tuple[NoLabel, ...]]:
    """The labels in the request's own record."""
    if not fields.has("labels"):
        return (), ()
    votes: list[Vote] = []
    lost: list[NoLabel] = []
    for k, value in enumerate(fields.items("labels")):
        label = fields.nested(f"labels[{k}]", value)
        winner = label.identity("winner") or ""
        tie = label.values.get("tie")
        if tie is not None and not isinstance(tie, bool):
            label.reject("tie", "must be true or false")
        if bool(winner) == bool(tie):
            lost.append(NoLabel.UNKNOWN_WINNER if winner else NoLabel.NO_WINNER)
        else:
            votes.append(Vote(annotator=label.text("annotator"), winner=winner))
    return tuple(votes), tuple(lost)


JUDGESTREAM = RequestFormat(
    name="judgestream",
    summary="our own schema (protos/judgestream/v1/judging.proto: JudgeRequest) in JSON, also with `labels`",
    needs=(("question", "mode"), ("candidates",)),
    convert=convert,
)
LABELS = RequestFormat(
    name="judgestream-labels",
    summary="our own labels (judging.proto: Label) in JSON",
    needs=(("annotator",), _ID),
    convert=convert_label,
    when=lambda values: "winner" in values or "tie" in values,
)
SUBMITTED: Mapping[str, RequestFormat] = MappingProxyType(
    {JUDGESTREAM.name: JUDGESTREAM, LABELS.name: LABELS, **FORMATS}
)
"""Every format that `judgestream submit` reads."""
