"""Every status that Triton was seen to answer with becomes the right class of error."""

import pytest
from tritonclient.utils import InferenceServerException

from judgestream.adapters.triton import translate
from judgestream.core.errors import (
    JudgeDeadlineExceeded,
    JudgeOverloaded,
    JudgestreamError,
    JudgeUnavailable,
    JudgeUnhealthy,
    PromptTooLong,
    RejectedByJudge,
)

SEEN: list[tuple[str, str, type[JudgestreamError]]] = [
    ("UNAVAILABLE", "[request id: 1] Exceeds maximum queue size", JudgeOverloaded),
    ("UNAVAILABLE", "Request timeout expired", JudgeOverloaded),
    ("UNAVAILABLE", "Request for version 2 is not at ready state", JudgeUnavailable),
    ("UNAVAILABLE", "failed to connect to all addresses", JudgeUnavailable),
    ("NOT_FOUND", "Request for unknown model: 'x' is not found", JudgeUnavailable),
    ("NOT_FOUND", "Request for unknown model: 'x' has no available versions", JudgeUnavailable),
    ("DEADLINE_EXCEEDED", "Deadline Exceeded", JudgeDeadlineExceeded),
    ("INVALID_ARGUMENT", "prompt_too_long: 3000 tokens, the context holds 2032", PromptTooLong),
    ("INVALID_ARGUMENT", "unexpected shape for input 'text_input'", RejectedByJudge),
    ("INTERNAL", "Stub process 'judgelm_0_0' is not healthy.", JudgeUnhealthy),
    ("CANCELLED", "Locally cancelled by application!", JudgeUnavailable),
]


@pytest.mark.parametrize(("status", "text", "error"), SEEN)
def test_status_and_text_make_the_class(
    status: str, text: str, error: type[JudgestreamError]
) -> None:
    found = translate(InferenceServerException(text, status=f"StatusCode.{status}"), "judgelm-1")
    assert type(found) is error
    assert text.removeprefix("prompt_too_long: ") in str(found) and "judgelm-1" in str(found)


def test_only_what_can_never_be_judged_is_not_retried() -> None:
    for status, text, error in SEEN:
        assert error.retryable == (status != "INVALID_ARGUMENT"), text
