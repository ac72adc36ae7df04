"""An error that a judge sends is the error that its worker reads."""

import pytest

from judgestream.contracts.triton_interface import TRITON_ERRORS, gravest, incoming, outgoing
from judgestream.core.errors import (
    InternalError,
    JudgeOverloaded,
    JudgestreamError,
    JudgeUnavailable,
    KeyRefused,
    PromptTooLong,
    RejectedByJudge,
    StoreUnavailable,
)

SENT = [row.error for row in TRITON_ERRORS if row.sent]
GRPC = {"INVALID_ARG": "INVALID_ARGUMENT"}


@pytest.mark.parametrize("error", SENT, ids=lambda error: error.code)
def test_what_a_judge_sends_arrives_as_it_was(error: type[JudgestreamError]) -> None:
    code, text = outgoing(error("why: it is so"))
    assert incoming(GRPC.get(code, code), text) == (error, "why: it is so")


@pytest.mark.parametrize(
    ("error", "arrives"),
    [(InternalError("a"), RejectedByJudge), (StoreUnavailable("a"), JudgeUnavailable)],
)
def test_what_has_no_row_arrives_as_its_branch(
    error: JudgestreamError, arrives: type[JudgestreamError]
) -> None:
    code, text = outgoing(error)
    assert incoming(GRPC.get(code, code), text)[0] is arrives


def test_what_is_final_decides_over_a_request_then_what_holds_for_the_release() -> None:
    wait, release, final = JudgeOverloaded("w"), KeyRefused("r"), PromptTooLong("f")
    assert gravest([wait, release, final]) is final
    assert gravest([wait, release]) is release
    assert gravest([wait]) is wait
