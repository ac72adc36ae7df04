"""What every judge of ours does inside Triton's Python backend: tensors in, replies out.

`triton_python_backend_utils` exists only there, so it is handed in. All rows of all requests of a batch go to
the judge together, each request is answered when its own rows are done, and an error stays with its request.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from judgestream.backends.request_schema import prompts_of
from judgestream.contracts.triton_interface import INPUTS, OUTPUTS, gravest, outgoing
from judgestream.core.errors import JudgeError, JudgestreamError, RejectedByJudge
from judgestream.core.prompt import Prompt
from judgestream.core.types import Reply

MAX_TOKENS_TOLD = 2**32 - 1
"""What the tensors of token counts hold."""

Stream = Callable[
    [Sequence[Prompt], Callable[[int], bool]], Iterable[tuple[int, Reply | JudgestreamError]]
]
"""Prompts, and whether the prompt with this index is still wanted -> index and reply, in any order. A
reply whose `finish_reason` is "" is followed by others of the same prompt, each text beginning with the one
before."""


def answer(requests: Sequence[Any], stream: Stream, pb_utils: Any, name: str) -> None:
    """Send every request its response as soon as all of its rows have a reply; returns when all have theirs.

    A client that has gone is noticed before its rows run. Rows of one request never delay another that is
    done, so a large batch does not drive small requests past their deadlines.
    """
    for _ in answering(requests, stream, pb_utils, name):
        pass


def answering(requests: Sequence[Any], stream: Stream, pb_utils: Any, name: str) -> Iterator[None]:
    """The same, step by step: yields after each reply, so that the caller may let others go first.

    Replies that grow become several responses, which takes a decoupled model: each says what is new in
    `text_output`, and in the other tensors how things stand. Requests are read, and wrong ones refused,
    before this returns.
    """
    prompts: list[Prompt] = []
    open_: dict[int, _Open] = {}  # by the index of its first prompt
    owner: list[_Open] = []
    for request in requests:
        try:
            rows = _prompts(request, pb_utils)
        except ValueError as error:
            _Open(request, 0, 0).send(_failure(RejectedByJudge(str(error)), pb_utils), pb_utils)
            continue
        except Exception as error:  # one request's reading must not cost the others their answers
            _Open(request, 0, 0).send(_failure(JudgeError(repr(error)), pb_utils), pb_utils)
            continue
        one = _Open(request, len(prompts), len(rows))
        open_[one.first] = one
        owner.extend([one] * len(rows))
        prompts.extend(rows)

    return _answering(prompts, open_, owner, stream, pb_utils, name)


def _answering(
    prompts: Sequence[Prompt],
    open_: dict[int, "_Open"],
    owner: Sequence["_Open"],
    stream: Stream,
    pb_utils: Any,
    name: str,
) -> Iterator[None]:
    def take(
        found: Iterable[tuple[int, Reply | JudgestreamError]], first: int = 0
    ) -> Iterator[None]:
        for at, reply in found:
            one = owner[first + at]
            if one.first in open_ and one.take(first + at, reply, pb_utils):
                del open_[one.first]
            yield

    def wanted(at: int) -> bool:
        # a request that has its last response must not be asked: Triton crashes (seen with 2.51)
        return owner[at].first in open_ and not owner[at].request.is_cancelled()

    try:
        yield from take(stream(prompts, wanted))
    except Exception as error:
        pb_utils.Logger.log_error(f"{name}: batch of {len(prompts)} failed: {error!r}")
        for one in list(open_.values()):  # memory, most likely: each request gets a try of its own
            try:
                mine = prompts[one.first : one.first + len(one.replies)]
                yield from take(stream(mine, lambda at: True), one.first)
            except Exception as again:
                one.fail(again, name, pb_utils)
                del open_[one.first]
    for one in open_.values():
        gone = pb_utils.TritonError("cancelled by the client", pb_utils.TritonError.CANCELLED)
        one.send(pb_utils.InferenceResponse(error=gone), pb_utils)


Read = Callable[
    [Sequence[Prompt], Callable[[], bool]], Awaitable[Sequence[Reply | JudgestreamError]]
]
"""Prompts, and whether anybody still waits for them -> a reply per prompt, in order."""


async def answer_alone(request: Any, read: Read, pb_utils: Any, name: str) -> None:
    """Answer one request by itself: nothing that happens to it delays or fails another.

    For judges that only wait, such as endpoints. Returns when the response is sent; raises nothing.
    """
    one = _Open(request, 0, 0)
    try:
        prompts = _prompts(request, pb_utils)
        replies = await read(prompts, lambda: not request.is_cancelled())
        response = _response(replies, [""] * len(replies), pb_utils)
    except ValueError as error:
        response = _failure(RejectedByJudge(str(error)), pb_utils)
    except Exception as error:
        one.fail(error, name, pb_utils)
        return
    one.send(response, pb_utils)


def _prompts(request: Any, pb_utils: Any) -> list[Prompt]:
    """Raises ValueError: something is malformed."""
    return prompts_of(
        _column(request, INPUTS[0], pb_utils) or [],
        _column(request, INPUTS[1], pb_utils),
        _column(request, INPUTS[2], pb_utils),
    )


class _Open:
    """A request that has no final response yet; its rows are the prompts from `first` on."""

    def __init__(self, request: Any, first: int, rows: int) -> None:
        self.request = request
        self.first = first
        self.replies: list[Reply | JudgestreamError | None] = [None] * rows
        self._told = [""] * rows
        self._stale = set(range(rows))  # rows that have had nothing new since the last response

    def take(self, at: int, reply: Reply | JudgestreamError, pb_utils: Any) -> bool:
        """A row's news; sends them once every row has some. Returns whether that was the last of them."""
        self.replies[at - self.first] = reply
        self._stale.discard(at - self.first)
        if self._stale:
            return False
        growing = {
            row
            for row, one in enumerate(self.replies)
            if isinstance(one, Reply) and not one.finish_reason
        }
        refused = any(isinstance(one, JudgestreamError) for one in self.replies)
        try:
            response = _response(self.replies, self._told, pb_utils)
        except Exception as error:  # a reply that no tensor holds is its own request's failure
            self.fail(error, "reply", pb_utils)
            return True
        self.send(response, pb_utils, final=refused or not growing)
        self._told = [one.text if isinstance(one, Reply) else "" for one in self.replies]
        self._stale = growing
        return refused or not growing

    def fail(self, error: Exception, name: str, pb_utils: Any) -> None:
        """The last response of a request on which the model itself failed."""
        pb_utils.Logger.log_error(f"{name}: a request of {len(self.replies)} failed: {error!r}")
        self.send(_failure(JudgeError(f"{name}: {error!r}"), pb_utils), pb_utils)

    def send(self, response: Any, pb_utils: Any, *, final: bool = True) -> None:
        last = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL
        self.request.get_response_sender().send(response, flags=last if final else 0)


class Counters:
    """Counters on Triton's metrics port; `show` brings them up to the values of an object's fields."""

    def __init__(self, prefix: str, texts: dict[str, str], labels: dict[str, str], pb_utils: Any):
        self._families = {  # kept: a metric does not outlive its family
            key: pb_utils.MetricFamily(
                name=f"{prefix}_{key}_total",
                description=text,
                kind=pb_utils.MetricFamily.COUNTER,
            )
            for key, text in texts.items()
        }
        self._metrics = {k: f.Metric(labels=labels) for k, f in self._families.items()}
        self._shown: dict[str, float] = dict.fromkeys(texts, 0)

    def show(self, values: object) -> None:
        for key, metric in self._metrics.items():
            now = getattr(values, key)
            metric.increment(now - self._shown[key])
            self._shown[key] = now


class LazyGauges:
    """Gauges on Triton's metrics port, each there from its first value on: a peak that is not known is no
    MFU of 0."""

    def __init__(self, prefix: str, texts: dict[str, str], labels: dict[str, str], pb_utils: Any):
        self._prefix = prefix
        self._texts = texts
        self._labels = labels
        self._pb_utils = pb_utils
        self._metrics: dict[
            str, tuple[Any, Any]
        ] = {}  # families too: a metric does not outlive its own

    def show(self, values: Mapping[str, float]) -> None:
        for key, value in values.items():
            if key not in self._metrics:
                family = self._pb_utils.MetricFamily(
                    name=f"{self._prefix}_{key}",
                    description=self._texts[key],
                    kind=self._pb_utils.MetricFamily.GAUGE,
                )
                self._metrics[key] = family, family.Metric(labels=self._labels)
            self._metrics[key][1].set(value)


def _column(request: Any, name: str, pb_utils: Any) -> list[bytes] | None:
    """An input's rows, or None if the request does not have it."""
    tensor = pb_utils.get_input_tensor_by_name(request, name)
    return None if tensor is None else list(tensor.as_numpy().reshape(-1))


def _response(
    replies: Sequence[Reply | JudgestreamError | None], told: Sequence[str], pb_utils: Any
) -> Any:
    errors = [reply for reply in replies if isinstance(reply, JudgestreamError)]
    if errors:
        return _failure(gravest(errors), pb_utils)
    found = [reply for reply in replies if isinstance(reply, Reply)]
    columns = (
        np.array(
            [
                [_utf8(reply.text.removeprefix(before))]
                for reply, before in zip(found, told, strict=True)
            ],
            dtype=np.object_,
        ),
        np.array([[_utf8(reply.finish_reason)] for reply in found], dtype=np.object_),
        np.array([[_told(reply.input_tokens)] for reply in found], dtype=np.uint32),
        np.array([[_told(reply.output_tokens)] for reply in found], dtype=np.uint32),
        np.array([reply.score_probs for reply in found], dtype=np.float32),
    )
    return pb_utils.InferenceResponse(
        [pb_utils.Tensor(name, column) for name, column in zip(OUTPUTS, columns, strict=True)]
    )


def _utf8(text: str) -> bytes:
    return text.encode(errors="replace")


def _told(tokens: int) -> int:
    return max(0, min(tokens, MAX_TOKENS_TOLD))


def _failure(error: JudgestreamError, pb_utils: Any) -> Any:
    """Our error as the status and text by which clients know it again."""
    code, text = outgoing(error)
    return pb_utils.InferenceResponse(
        error=pb_utils.TritonError(text, getattr(pb_utils.TritonError, code))
    )
