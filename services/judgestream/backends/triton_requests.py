"""Requests in Triton's Python backend: tensors in, replies out. Shared by all of our judges.

`pb_utils` (triton_python_backend_utils) exists only inside Triton, so it is passed in. All rows of all
requests of a batch go to the judge together. Each request is answered when its own rows are done, and an
error stays with its request.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from judgestream.backends.request_schema import prompts_of
from judgestream.contracts.triton_interface import (
    IMAGES,
    INPUTS,
    OUTPUTS,
    REASONINGS,
    gravest,
    outgoing,
)
from judgestream.core.errors import JudgeError, JudgestreamError, RejectedByJudge
from judgestream.core.prompt import Prompt
from judgestream.core.types import Reply

MAX_TOKEN_COUNT = 2**32 - 1
"""Largest value of the tensors with token counts."""

Stream = Callable[
    [Sequence[Prompt], Callable[[int], bool]], Iterable[tuple[int, Reply | JudgestreamError]]
]
"""Prompts, and whether the prompt with this index is still wanted -> index and reply, in any order. A
reply whose `finish_reason` is "" is followed by others of the same prompt, each text beginning with the one
before."""


def answer(requests: Sequence[Any], stream: Stream, pb_utils: Any, name: str) -> None:
    """Send every request its response as soon as all of its rows have a reply. Returns after the last one.

    A client that has gone is noticed before its rows run. Rows of one request never delay another that is
    done, so a large batch does not push small requests past their deadlines.
    """
    for _ in answering(requests, stream, pb_utils, name):
        pass


def answering(requests: Sequence[Any], stream: Stream, pb_utils: Any, name: str) -> Iterator[None]:
    """The same, step by step: yields after each reply, so that the caller can run other batches in between.

    Replies that grow become several responses, which needs a decoupled model. Each response has the new text
    in `text_output` and the present values in the other tensors. Requests are parsed, and malformed ones
    are refused, before this function returns.
    """
    prompts: list[Prompt] = []
    pending: dict[int, _Pending] = {}  # by the index of its first prompt
    owners: list[_Pending] = []  # per prompt
    for request in requests:
        try:
            rows = _prompts(request, pb_utils)
        except ValueError as error:
            _Pending(request, 0, 0).send(_failure(RejectedByJudge(str(error)), pb_utils), pb_utils)
            continue
        except Exception as error:  # must not cost the other requests their responses
            _Pending(request, 0, 0).send(_failure(JudgeError(repr(error)), pb_utils), pb_utils)
            continue
        owner = _Pending(request, len(prompts), len(rows))
        pending[owner.first] = owner
        owners.extend([owner] * len(rows))
        prompts.extend(rows)

    return _answering(prompts, pending, owners, stream, pb_utils, name)


def _answering(
    prompts: Sequence[Prompt],
    pending: dict[int, "_Pending"],
    owners: Sequence["_Pending"],
    stream: Stream,
    pb_utils: Any,
    name: str,
) -> Iterator[None]:
    def deliver(
        replies: Iterable[tuple[int, Reply | JudgestreamError]], first: int = 0
    ) -> Iterator[None]:
        for index, reply in replies:
            owner = owners[first + index]
            if owner.first in pending and owner.take(first + index, reply, pb_utils):
                del pending[owner.first]
            yield

    def wanted(index: int) -> bool:
        # `is_cancelled` of a request that has its last response crashes Triton (seen with 2.51)
        return owners[index].first in pending and not owners[index].request.is_cancelled()

    try:
        yield from deliver(stream(prompts, wanted))
    except Exception as error:
        pb_utils.Logger.log_error(f"{name}: batch of {len(prompts)} failed: {error!r}")
        # most likely out of memory: try each request by itself
        for owner in list(pending.values()):
            try:
                rows = prompts[owner.first : owner.first + len(owner.replies)]
                yield from deliver(stream(rows, lambda index: True), owner.first)
            except Exception as second_error:
                owner.fail(second_error, name, pb_utils)
                del pending[owner.first]
    for owner in pending.values():
        cancelled = pb_utils.TritonError("cancelled by the client", pb_utils.TritonError.CANCELLED)
        owner.send(pb_utils.InferenceResponse(error=cancelled), pb_utils)


Read = Callable[
    [Sequence[Prompt], Callable[[], bool]], Awaitable[Sequence[Reply | JudgestreamError]]
]
"""Prompts, and whether a client still waits for them -> a reply per prompt, in order."""


async def answer_alone(request: Any, read: Read, pb_utils: Any, name: str) -> None:
    """Answer one request by itself, so that it neither delays nor fails another.

    For judges that only wait, such as endpoints. Returns when the response is sent. Never raises.
    """
    pending = _Pending(request, 0, 0)
    try:
        prompts = _prompts(request, pb_utils)
        replies = await read(prompts, lambda: not request.is_cancelled())
        response = _response(replies, [""] * len(replies), pb_utils)
    except ValueError as error:
        response = _failure(RejectedByJudge(str(error)), pb_utils)
    except Exception as error:
        pending.fail(error, name, pb_utils)
        return
    pending.send(response, pb_utils)


def _prompts(request: Any, pb_utils: Any) -> list[Prompt]:
    """Raises ValueError: malformed input."""
    return prompts_of(
        _column(request, INPUTS[0], pb_utils) or [],
        _column(request, INPUTS[1], pb_utils),
        _column(request, INPUTS[2], pb_utils),
        _images(request, pb_utils),
    )


class _Pending:
    """A request that has no final response yet. Its rows are the prompts from `first` on."""

    def __init__(self, request: Any, first: int, rows: int) -> None:
        self.request = request
        self.first = first
        self.replies: list[Reply | JudgestreamError | None] = [None] * rows
        self._sent = [""] * rows  # text of each row in the responses so far
        self._unchanged = set(range(rows))  # rows without news since the last response

    def take(self, index: int, reply: Reply | JudgestreamError, pb_utils: Any) -> bool:
        """Store a row's reply; send a response once every growing row has news.

        Returns whether that was the final response.
        """
        self.replies[index - self.first] = reply
        self._unchanged.discard(index - self.first)
        if self._unchanged:
            return False
        growing = {
            row
            for row, reply in enumerate(self.replies)
            if isinstance(reply, Reply) and not reply.finish_reason
        }
        refused = any(isinstance(reply, JudgestreamError) for reply in self.replies)
        try:
            response = _response(self.replies, self._sent, pb_utils)
        except Exception as error:  # a reply that does not fit its tensor fails this request only
            self.fail(error, "reply", pb_utils)
            return True
        final = refused or not growing
        self.send(response, pb_utils, final=final)
        self._sent = [reply.text if isinstance(reply, Reply) else "" for reply in self.replies]
        self._unchanged = growing
        return final

    def fail(self, error: Exception, name: str, pb_utils: Any) -> None:
        """Send the final response of a request on which the model itself failed."""
        pb_utils.Logger.log_error(f"{name}: a request of {len(self.replies)} failed: {error!r}")
        self.send(_failure(JudgeError(f"{name}: {error!r}"), pb_utils), pb_utils)

    def send(self, response: Any, pb_utils: Any, *, final: bool = True) -> None:
        flags = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL if final else 0
        self.request.get_response_sender().send(response, flags=flags)


def _images(request: Any, pb_utils: Any) -> list[list[bytes]] | None:
    """Each row's images; None if the request has none."""
    tensor = pb_utils.get_input_tensor_by_name(request, IMAGES)
    return None if tensor is None else [list(row) for row in tensor.as_numpy()]


def _column(request: Any, name: str, pb_utils: Any) -> list[bytes] | None:
    """An input's rows; None if the request does not have this input."""
    tensor = pb_utils.get_input_tensor_by_name(request, name)
    return None if tensor is None else list(tensor.as_numpy().reshape(-1))


def _response(
    replies: Sequence[Reply | JudgestreamError | None], sent: Sequence[str], pb_utils: Any
) -> Any:
    """A response with one row per reply, each text without what was `sent` before; or the gravest error."""
    errors = [reply for reply in replies if isinstance(reply, JudgestreamError)]
    if errors:
        return _failure(gravest(errors), pb_utils)
    rows = [reply for reply in replies if isinstance(reply, Reply)]
    texts = [reply.text.removeprefix(before) for reply, before in zip(rows, sent, strict=True)]
    columns = (
        np.array([[_utf8(text)] for text in texts], dtype=np.object_),
        np.array([[_utf8(reply.finish_reason)] for reply in rows], dtype=np.object_),
        np.array([[_token_count(reply.input_tokens)] for reply in rows], dtype=np.uint32),
        np.array([[_token_count(reply.output_tokens)] for reply in rows], dtype=np.uint32),
        np.array([reply.score_probs for reply in rows], dtype=np.float32),
    )
    reasonings = np.array([[reply.reasonings] for reply in rows], dtype=np.uint32)
    named = [*zip(OUTPUTS, columns, strict=True), (REASONINGS, reasonings)]
    return pb_utils.InferenceResponse([pb_utils.Tensor(name, column) for name, column in named])


def _utf8(text: str) -> bytes:
    return text.encode(errors="replace")


def _token_count(tokens: int) -> int:
    return max(0, min(tokens, MAX_TOKEN_COUNT))


def _failure(error: JudgestreamError, pb_utils: Any) -> Any:
    """Our error as the status and text from which clients restore it."""
    code, text = outgoing(error)
    return pb_utils.InferenceResponse(
        error=pb_utils.TritonError(text, getattr(pb_utils.TritonError, code))
    )
