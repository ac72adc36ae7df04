"""When each request of a batch is answered. `pb_utils` exists inside Triton only; integration tests use the
real one, this stand-in records what is sent and when."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from judgestream.backends.triton_requests import answer
from judgestream.core.errors import JudgestreamError, JudgeUnavailable, PromptTooLong
from judgestream.core.prompt import Prompt
from judgestream.core.types import Reply


class TritonError(Exception):
    CANCELLED, INVALID_ARG, INTERNAL, UNAVAILABLE = (
        "CANCELLED",
        "INVALID_ARG",
        "INTERNAL",
        "UNAVAILABLE",
    )

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class Response:
    def __init__(self, tensors: Sequence[Any] = (), error: TritonError | None = None) -> None:
        self.tensors = dict(tensors)
        self.error = error


PB: Any = SimpleNamespace(
    TritonError=TritonError,
    InferenceResponse=Response,
    Tensor=lambda name, column: (name, column),
    TRITONSERVER_RESPONSE_COMPLETE_FINAL=1,
    Logger=SimpleNamespace(log_error=lambda text: None),
    get_input_tensor_by_name=lambda request, name: request.inputs.get(name),
)


class Request:
    """Rows of text; `sent` are its responses, `journal` the order in which all requests got theirs."""

    def __init__(self, *texts: str, journal: list["Request"], gone: bool = False) -> None:
        column = np.array([[text.encode()] for text in texts], dtype=np.object_)
        self.inputs = {"text_input": SimpleNamespace(as_numpy=lambda: column)}
        self.sent: list[Response] = []
        self.finals: list[bool] = []
        self.gone = gone
        self._journal = journal

    def is_cancelled(self) -> bool:
        return self.gone

    def get_response_sender(self) -> Any:
        def send(response: Response, flags: int) -> None:
            self.finals.append(flags == 1)
            self.sent.append(response)
            self._journal.append(self)

        return SimpleNamespace(send=send)

    @property
    def code(self) -> str:
        (response,) = self.sent
        assert self.finals == [True]
        return response.error.code if response.error else "ok"


def reply(text: str) -> Reply:
    return Reply(text=text, score_probs=(1.0,), finish_reason="stop", input_tokens=1)


Wanted = Callable[[int], bool]
Found = Iterable[tuple[int, Reply | JudgestreamError]]


def test_a_request_is_answered_when_its_own_rows_are_done() -> None:
    journal: list[Request] = []
    first, second = Request("a", "b", journal=journal), Request("c", journal=journal)

    def backwards(prompts: Sequence[Prompt], wanted: Wanted) -> Iterator[tuple[int, Reply]]:
        for at in reversed(range(len(prompts))):
            yield at, reply(prompts[at].text.upper())
            if at == 2:
                assert journal == [second], "the second request was to be answered already"

    answer([first, second], backwards, PB, "m")
    assert journal == [second, first]
    assert first.sent[0].tensors["text_output"].ravel().tolist() == [b"A", b"B"]


def test_rows_of_a_client_that_has_gone_are_not_run() -> None:
    journal: list[Request] = []
    gone, here = Request("a", journal=journal, gone=True), Request("b", journal=journal)
    ran: list[str] = []

    def stream(prompts: Sequence[Prompt], wanted: Wanted) -> Iterator[tuple[int, Reply]]:
        for at, prompt in enumerate(prompts):
            if wanted(at):
                ran.append(prompt.text)
                yield at, reply("x")

    answer([gone, here], stream, PB, "m")
    assert ran == ["b"]
    assert (gone.code, here.code) == ("CANCELLED", "ok")


def test_a_failed_batch_is_retried_request_by_request() -> None:
    journal: list[Request] = []
    good, bad = Request("good", journal=journal), Request("bad", journal=journal)

    def stream(prompts: Sequence[Prompt], wanted: Wanted) -> Found:
        if any(prompt.text == "bad" for prompt in prompts):
            raise MemoryError("too much")
        return [(at, reply("x")) for at in range(len(prompts))]

    answer([bad, good], stream, PB, "m")
    assert (good.code, bad.code) == ("ok", "INTERNAL")


@pytest.mark.parametrize(
    ("error", "code"),
    [(PromptTooLong("3000"), "INVALID_ARG"), (JudgeUnavailable("away"), "UNAVAILABLE")],
)
def test_an_error_stays_with_its_request(error: JudgestreamError, code: str) -> None:
    journal: list[Request] = []
    good, bad = Request("good", journal=journal), Request("bad", "good", journal=journal)

    def stream(prompts: Sequence[Prompt], wanted: Wanted) -> Found:
        return [(at, error if p.text == "bad" else reply("x")) for at, p in enumerate(prompts)]

    answer([good, bad], stream, PB, "m")
    assert (good.code, bad.code) == ("ok", code)
    assert len(journal) == 2


def growing(text: str, finish: str = "") -> Reply:
    return Reply(text=text, score_probs=(1.0,), finish_reason=finish, input_tokens=1)


def told(request: Request) -> list[list[str]]:
    return [
        [part.decode() for part in response.tensors["text_output"].ravel()]
        for response in request.sent
    ]


def test_replies_that_grow_become_responses_that_add_up() -> None:
    journal: list[Request] = []
    request = Request("a", "b", journal=journal)

    def stream(prompts: Sequence[Prompt], wanted: Wanted) -> Found:
        yield 0, growing("8 7\n")
        assert not request.sent, "row b had nothing yet"
        yield 1, growing("3 3", "stop")  # scores only
        assert told(request) == [["8 7\n", "3 3"]]
        yield 0, growing("8 7\nA is")
        yield 0, growing("8 7\nA is right.", "stop")

    answer([request], stream, PB, "m")
    assert told(request) == [["8 7\n", "3 3"], ["A is", ""], [" right.", ""]]
    assert request.finals == [False, False, True]
    reasons = [r.tensors["finish_reason"].ravel().tolist() for r in request.sent]
    assert reasons == [[b"", b"stop"], [b"", b"stop"], [b"stop", b"stop"]]


def test_an_error_after_a_first_response_is_the_last_one() -> None:
    journal: list[Request] = []
    request = Request("a", journal=journal)

    def stream(prompts: Sequence[Prompt], wanted: Wanted) -> Found:
        yield 0, growing("8 7\n")
        yield 0, JudgeUnavailable("gone")

    answer([request], stream, PB, "m")
    assert request.finals == [False, True]
    assert request.sent[-1].error is not None and request.sent[-1].error.code == "UNAVAILABLE"
