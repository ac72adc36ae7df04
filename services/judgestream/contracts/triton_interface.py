"""The interface between the judging workers and the judges in Triton: tensor names and errors.

Triton transports a status and a text. One status has several meanings, so the text starts with a marker:
`prompt_too_long: 3000 tokens, ...`. A model's error is encoded with `outgoing` and decoded with `incoming`;
both use `TRITON_ERRORS`.
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
IMAGES = "image"
"""Input of judges that see images: per row the images of its prompt in base64, filled up with empty texts. It
has the name and the encoding of Triton's vLLM backend. Sent for prompts with images only, because judges of
texts do not have it."""
OUTPUTS = ("text_output", "finish_reason", "num_input_tokens", "num_output_tokens", "score_probs")
REASONINGS = "num_reasonings"
"""Output of judges that reason before their scores. Requested for such prompts only, because releases that
were installed earlier do not have it."""

BATCH_FAILED = "model_failed: "


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One way in which a call fails.

    status   gRPC status
    error    our class
    marker   for errors of our own models: the start of the text; for Triton's: a part of it; "" for any
    sent     whether our own models send it
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


# The first matching row counts, so a status's unmarked row is the last one. JudgeError is for failures that
# may concern this request only or all requests: the worker finds out with a known good prompt.
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
    # also while a server shuts down and before it is back
    _triton("NOT_FOUND", ReleaseNotLoaded),
    _triton("DEADLINE_EXCEEDED", JudgeDeadlineExceeded),
    _triton("CANCELLED", JudgeUnavailable),
    # a prompt or reply above the size limit of gRPC messages
    _triton("RESOURCE_EXHAUSTED", JudgeError, "message larger than max"),
    _triton("RESOURCE_EXHAUSTED", JudgeOverloaded),
    # a proxy in front of Triton
    _triton("PERMISSION_DENIED", RequestsRefused),
    _triton("UNAUTHENTICATED", RequestsRefused),
    # the model is decoupled now, or does not support the call
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
    """The class of error of a call's status and text, and the text without its marker.

    An unknown status (a broken connection has none) means that the judge is unavailable.
    """
    text = _REQUEST_ID.sub("", text)
    for row in TRITON_ERRORS:
        if row.matches(status, text):
            return row.error, text.removeprefix(row.marker) if row.sent else text
    return JudgeUnavailable, f"{text} ({status or 'no status'})"


def outgoing(error: JudgestreamError) -> tuple[str, str]:
    """The Python backend's code and the text for a model's error.

    An error without a row is sent as refused (`PoisonError`) or as unavailable.
    """
    row = _row(type(error)) or _row(
        RejectedByJudge if isinstance(error, PoisonError) else JudgeUnavailable
    )
    if row is None:  # the table has both
        raise LookupError(type(error).__name__)
    return PYTHON_CODES[row.status], row.marker + str(error)


def gravest(errors: Sequence[JudgestreamError]) -> JudgestreamError:
    """The error of a request whose prompts failed differently.

    Permanent errors come first, then those of the whole release.
    """
    branches = (PoisonError, ReleaseError)
    return min(
        errors,
        key=lambda error: next(
            (k for k, branch in enumerate(branches) if isinstance(error, branch)), len(branches)
        ),
    )


def _row(error: type[JudgestreamError]) -> Row | None:
    return next((row for row in TRITON_ERRORS if row.sent and row.error is error), None)
