"""Triton's errors become ours: every status, and every text that Triton was observed to send."""

import grpc
import pytest
from tritonclient.utils import InferenceServerException

from judgestream.adapters.triton.errors import control_call, judge_call, judge_error
from judgestream.contracts.triton_interface import TRITON_ERRORS
from judgestream.core.errors import (
    ConfigurationError,
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

OBSERVED: list[tuple[str, str, type[JudgestreamError]]] = [
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


@pytest.mark.parametrize(("status", "text", "error"), OBSERVED)
def test_status_and_text_make_the_class(
    status: str, text: str, error: type[JudgestreamError]
) -> None:
    found = judge_error(InferenceServerException(text, status=f"StatusCode.{status}"), "judgelm-1")
    assert type(found) is error
    words = text.split("] ")[-1].removeprefix("prompt_too_long: ").removeprefix("bad_request: ")
    words = words.removeprefix("model_failed: ")
    words = words.removeprefix("key_refused: ")
    assert words in str(found) and "judgelm-1" in str(found)


STATUSES = [code.name for code in grpc.StatusCode if code is not grpc.StatusCode.OK]


def test_every_grpc_status_has_a_row_for_any_text() -> None:
    mapped = {row.status for row in TRITON_ERRORS if not row.marker}
    assert mapped == set(STATUSES)


def test_a_megabyte_of_words_is_cut() -> None:
    found = judge_error(InferenceServerException("x" * 1_000_000, status="INTERNAL"), "judgelm-1")
    assert len(str(found)) < 600 and str(found).endswith("[cut]")


@pytest.mark.parametrize("status", [*STATUSES, ""])
def test_no_status_leaves_a_call_untranslated(status: str) -> None:
    raised: Exception = InferenceServerException(
        "odd words", status=f"StatusCode.{status}" if status else None
    )
    with pytest.raises(JudgestreamError, match="odd words") as judging, judge_call("judgelm-1"):
        raise raised
    assert judging.value.__cause__ is raised
    with (
        pytest.raises(JudgestreamError, match="odd words") as control,
        control_call("load it", "h:1"),
    ):
        raise raised
    assert control.value.__cause__ is raised


def test_a_broken_grpc_stream_is_translated_too() -> None:
    class Broken(grpc.RpcError):
        def code(self) -> grpc.StatusCode:
            return grpc.StatusCode.DEADLINE_EXCEEDED

        def details(self) -> str:
            return "too slow"

    with pytest.raises(JudgeDeadlineExceeded, match="judgelm-1: too slow"), judge_call("judgelm-1"):
        raise Broken()
    with pytest.raises(JudgeUnavailable), judge_call("judgelm-1"):
        raise grpc.RpcError()


@pytest.mark.parametrize(
    ("status", "text", "error", "words"),
    [
        ("UNAVAILABLE", "away", JudgeUnavailable, "cannot load it: away"),
        ("DEADLINE_EXCEEDED", "slow", JudgeDeadlineExceeded, "cannot load it: slow"),
        ("INTERNAL", "no such file", ConfigurationError, "no such file; see Triton's log"),
        ("UNAVAILABLE", "x is restricted, expecting header y", ConfigurationError, "CONTROL_KEY"),
    ],
)
def test_control_errors_name_the_action_and_the_remedy(
    status: str, text: str, error: type[JudgestreamError], words: str
) -> None:
    with pytest.raises(error, match="Triton at h:1") as raised, control_call("load it", "h:1"):
        raise InferenceServerException(text, status=f"StatusCode.{status}")
    assert words in str(raised.value)


def test_our_own_errors_pass_unchanged() -> None:
    ours = JudgeError("ours")
    with pytest.raises(JudgeError) as raised, judge_call("judgelm-1"):
        raise ours
    assert raised.value is ours
