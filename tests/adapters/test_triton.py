"""Every status that Triton was seen to answer with becomes the right class of error."""

import grpc
import pytest
from tritonclient.utils import InferenceServerException

from judgestream.adapters.triton import translate
from judgestream.contracts.triton_interface import TRITON_ERRORS
from judgestream.core.errors import (
    JudgeDeadlineExceeded,
    JudgeError,
    JudgeOverloaded,
    JudgestreamError,
    JudgeUnavailable,
    JudgeUnhealthy,
    KeyRefused,
    PromptTooLong,
    RejectedByJudge,
    ReleaseNotLoaded,
)

SEEN: list[tuple[str, str, type[JudgestreamError]]] = [
    ("UNAVAILABLE", "[request id: 1] Exceeds maximum queue size", JudgeOverloaded),
    ("UNAVAILABLE", "Request timeout expired", JudgeOverloaded),
    ("UNAVAILABLE", "Request for version 2 is not at ready state", JudgeUnavailable),
    ("UNAVAILABLE", "failed to connect to all addresses", JudgeUnavailable),
    ("UNAVAILABLE", "key_refused: no such key", KeyRefused),
    ("UNAVAILABLE", "words that hold key_refused: are not the marker", JudgeUnavailable),
    ("NOT_FOUND", "Request for unknown model: 'x' is not found", ReleaseNotLoaded),
    ("NOT_FOUND", "Request for unknown model: 'x' has no available versions", ReleaseNotLoaded),
    ("DEADLINE_EXCEEDED", "Deadline Exceeded", JudgeDeadlineExceeded),
    ("INVALID_ARGUMENT", "prompt_too_long: 3000 tokens, the context holds 2032", PromptTooLong),
    ("INVALID_ARGUMENT", "[request id: 7] bad_request: max_tokens", RejectedByJudge),
    ("INVALID_ARGUMENT", "unexpected shape for input 'text_input'", JudgeError),
    ("INTERNAL", "Stub process 'judgelm_0_0' is not healthy.", JudgeUnhealthy),
    ("INTERNAL", "model_failed: judgelm-1: CUDA error", JudgeError),
    ("INTERNAL", "Failed to process the request(s) for model instance", JudgeError),
    ("CANCELLED", "Locally cancelled by application!", JudgeUnavailable),
    ("", "the connection broke", JudgeUnavailable),
]


@pytest.mark.parametrize(("status", "text", "error"), SEEN)
def test_status_and_text_make_the_class(
    status: str, text: str, error: type[JudgestreamError]
) -> None:
    found = translate(InferenceServerException(text, status=f"StatusCode.{status}"), "judgelm-1")
    assert type(found) is error
    words = text.split("] ")[-1].removeprefix("prompt_too_long: ").removeprefix("bad_request: ")
    words = words.removeprefix("model_failed: ")
    words = words.removeprefix("key_refused: ")
    assert words in str(found) and "judgelm-1" in str(found)


def test_every_grpc_status_has_a_row_for_any_text() -> None:
    mapped = {row.status for row in TRITON_ERRORS if not row.marker}
    assert mapped == {code.name for code in grpc.StatusCode} - {"OK"}


def test_a_megabyte_of_words_is_cut() -> None:
    found = translate(InferenceServerException("x" * 1_000_000, status="INTERNAL"), "judgelm-1")
    assert len(str(found)) < 600 and str(found).endswith("[cut]")
