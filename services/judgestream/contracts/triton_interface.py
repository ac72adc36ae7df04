"""What the judging workers and the judges behind Triton agree on: tensor names, and how errors travel.

Triton carries a status and a text. The same status means different things, so the text starts with a marker:
`prompt_too_long: 3000 tokens, ...`. A model's error is written with `outgoing` and read back with
`incoming`; both look it up in `TRITON_ERRORS`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from judgestream.core.errors import (
    EndpointUnreachable,
    JudgeDeadlineExceeded,
    JudgeError,
    JudgeOverloaded,
    JudgestreamError,
    JudgeUnavailable,
    JudgeUnhealthy,
    KeyRefused,
    ModelUnknown,
    PoisonError,
    PromptTooLong,
    QuotaExhausted,
    RejectedByJudge,
    ReleaseError,
    ReleaseNotLoaded,
    RequestsRefused,
)

INPUTS = ("text_input", "sampling_parameters", "score_grammar")
OUTPUTS = ("text_output", "finish_reason", "num_input_tokens", "num_output_tokens", "score_probs")

BATCH_FAILED = "model_failed: "


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One way in which a call fails.

    status   gRPC status
    marker   what the text starts with, for errors of our own models; contains, for Triton's; "" for the rest
    sent     our own models send it
    """

    status: str
    error: type[JudgestreamError]
    marker: str = ""
    sent: bool = False

    def matches(self, status: str, text: str) -> bool:
        if status != self.status:
            return False
        return text.startswith(self.marker) if self.sent else self.marker in text


def _ours(status: str, error: type[JudgestreamError], marker: str = "") -> Row:
    return Row(status=status, error=error, marker=marker or f"{error.code}: ", sent=True)


def _triton(status: str, error: type[JudgestreamError], marker: str = "") -> Row:
    return Row(status=status, error=error, marker=marker)


# The first row that matches counts, so a status's unmarked row stands last. JudgeError is for failures that
# may be this request's or everybody's: the worker finds out by asking a known good prompt.
TRITON_ERRORS: tuple[Row, ...] = (
    _ours("INVALID_ARGUMENT", PromptTooLong),
    _ours("INVALID_ARGUMENT", RejectedByJudge, "bad_request: "),
    _triton("INVALID_ARGUMENT", JudgeError),
    _ours("UNAVAILABLE", KeyRefused),
    _ours("UNAVAILABLE", QuotaExhausted),
    _ours("UNAVAILABLE", ModelUnknown),
    _ours("UNAVAILABLE", RequestsRefused),
    _ours("UNAVAILABLE", EndpointUnreachable),
    _ours("UNAVAILABLE", JudgeOverloaded),
    _ours("UNAVAILABLE", JudgeDeadlineExceeded),
    _ours("UNAVAILABLE", JudgeUnavailable),
    _triton("UNAVAILABLE", JudgeOverloaded, "maximum queue size"),
    _triton("UNAVAILABLE", JudgeOverloaded, "timeout expired"),
    _triton("UNAVAILABLE", JudgeUnavailable),
    _ours("INTERNAL", JudgeError, BATCH_FAILED),
    _triton("INTERNAL", JudgeUnhealthy, "is not healthy"),
    _triton("INTERNAL", JudgeError),
    # also while a server drains: it comes back
    _triton("NOT_FOUND", ReleaseNotLoaded),
    _triton("DEADLINE_EXCEEDED", JudgeDeadlineExceeded),
    _triton("CANCELLED", JudgeUnavailable),
    # one prompt or reply larger than a gRPC message may be
    _triton("RESOURCE_EXHAUSTED", JudgeError, "message larger than max"),
    _triton("RESOURCE_EXHAUSTED", JudgeOverloaded),
    # a proxy in front of Triton
    _triton("PERMISSION_DENIED", RequestsRefused),
    _triton("UNAUTHENTICATED", RequestsRefused),
    # the model answers in several responses now, or takes no such call
    _triton("UNIMPLEMENTED", RequestsRefused),
    _triton("UNKNOWN", JudgeError),
    _triton("ALREADY_EXISTS", JudgeError),
    _triton("FAILED_PRECONDITION", JudgeError),
    _triton("ABORTED", JudgeError),
    _triton("OUT_OF_RANGE", JudgeError),
    _triton("DATA_LOSS", JudgeError),
)

# the names of Triton's Python backend for the statuses that our models send
PYTHON_CODES = {
    "INVALID_ARGUMENT": "INVALID_ARG",
    "UNAVAILABLE": "UNAVAILABLE",
    "INTERNAL": "INTERNAL",
}

_REQUEST_ID = re.compile(r"^\[request id: [^\]]*\] ")


def incoming(status: str, text: str) -> tuple[type[JudgestreamError], str]:
    """A call's status and text -> the class of error, and the text without its marker.

    A status that is not gRPC's (a broken connection has none) means that the judge is unavailable.
    """
    text = _REQUEST_ID.sub("", text)
    for row in TRITON_ERRORS:
        if row.matches(status, text):
            return row.error, text.removeprefix(row.marker) if row.sent else text
    return JudgeUnavailable, f"{text} ({status or 'no status'})"


def outgoing(error: JudgestreamError) -> tuple[str, str]:
    """A model's error -> the Python backend's code and the text. What has no row of its own is sent as its
    branch: refused, or unavailable."""
    found = _row(type(error)) or _row(
        RejectedByJudge if isinstance(error, PoisonError) else JudgeUnavailable
    )
    if found is None:  # the table has both
        raise LookupError(type(error).__name__)
    return PYTHON_CODES[found.status], found.marker + str(error)


def gravest(errors: Sequence[JudgestreamError]) -> JudgestreamError:
    """The error that decides over a request whose prompts failed differently: what is final comes first,
    then what holds for the whole release."""
    branches = (PoisonError, ReleaseError)
    return min(
        errors,
        key=lambda error: next(
            (k for k, branch in enumerate(branches) if isinstance(error, branch)), len(branches)
        ),
    )


def _row(error: type[JudgestreamError]) -> Row | None:
    return next((row for row in TRITON_ERRORS if row.sent and row.error is error), None)
