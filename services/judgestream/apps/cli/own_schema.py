"""Our own request schema as an input format: protobuf's JSON mapping, camelCase or snake_case.

It stands here and not in `core.formats`, because the core does not know the protobuf contracts.
"""

import json
from datetime import UTC, datetime

from judgestream.contracts.codecs import request_from_message
from judgestream.contracts.json_mapping import parsed
from judgestream.core.errors import InvalidRequest
from judgestream.core.formats.base import Draft, Format, dataset_name
from judgestream.core.formats.fields import Fields, InvalidRecord
from judgestream.v1.judging_pb2 import JudgeRequest

_NO_TIME = datetime.fromtimestamp(0, UTC)


def convert(fields: Fields) -> Draft:
    """A `JudgeRequest`. One without a request id gets a digest of its place and content as its id."""
    message = parsed(fields, JudgeRequest)
    try:
        request = request_from_message(message, _NO_TIME)
    except (InvalidRequest, ValueError) as exc:
        raise InvalidRecord(f"{fields.place}: {exc}") from exc
    content = json.dumps(fields.values, sort_keys=True)
    return Draft(
        name=request.request_id or dataset_name("request", None, fields, content),
        question=request.question,
        candidates=request.candidates,
        mode=request.mode,
        reference=request.reference,
        options=request.options,
        requested_at=request.requested_at if message.HasField("requested_at") else None,
        metadata=request.metadata,
    )


JUDGESTREAM = Format(
    name="judgestream",
    summary="our own schema (protos/judgestream/v1/judging.proto: JudgeRequest) in JSON",
    needs=(("question",), ("candidates",)),
    convert=convert,
)
