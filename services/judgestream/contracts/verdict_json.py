"""Verdicts in protobuf's JSON mapping, together with their requests."""

from typing import Any

from google.protobuf import json_format

from judgestream.contracts.codecs.requests import request_to_message
from judgestream.core.types import Request
from judgestream.v1.judging_pb2 import Verdict as VerdictMessage


def verdict_with_request(message: VerdictMessage, request: Request | None) -> dict[str, Any]:
    """The verdict with its request in the field `request`, null if the request is no longer on its topic."""
    texts = None if request is None else json_format.MessageToDict(request_to_message(request))
    return {**json_format.MessageToDict(message), "request": texts}
