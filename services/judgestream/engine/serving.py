"""What every judge of ours does inside Triton's Python backend: tensors in, replies out.

`triton_python_backend_utils` exists only there, so it is handed in. All rows of all requests of a batch go to
the judge together, and an error stays with its own request.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from judgestream.core.errors import (
    JudgestreamError,
    PromptTooLong,
    RejectedByJudge,
    RetryableError,
)
from judgestream.core.types import Reply
from judgestream.engine.prompt import Prompt
from judgestream.engine.wire import BAD_REQUEST, TOO_LONG, prompts_of

OUTPUTS = ("text_output", "finish_reason", "num_input_tokens", "num_output_tokens", "score_probs")

Read = Callable[[Sequence[Prompt]], Sequence[Reply | JudgestreamError]]


def answer(requests: Sequence[Any], read: Read, pb_utils: Any, name: str) -> list[Any]:
    """One response per request, in order; a cancelled one costs nothing."""
    responses: list[Any] = [None] * len(requests)
    prompts: list[Prompt] = []
    spans: list[tuple[int, int, int]] = []
    for at, request in enumerate(requests):
        if request.is_cancelled():
            error = pb_utils.TritonError("cancelled by the client", pb_utils.TritonError.CANCELLED)
            responses[at] = pb_utils.InferenceResponse(error=error)
            continue
        try:
            rows = prompts_of(
                _column(request, "text_input", pb_utils) or [],
                _column(request, "sampling_parameters", pb_utils),
                _column(request, "score_grammar", pb_utils),
            )
        except ValueError as error:
            responses[at] = _failure(RejectedByJudge(str(error)), pb_utils)
            continue
        spans.append((at, len(prompts), len(prompts) + len(rows)))
        prompts.extend(rows)
    replies = None
    try:
        replies = read(prompts)
    except Exception as error:
        pb_utils.Logger.log_error(f"{name}: batch of {len(prompts)} failed: {error!r}")
    for at, start, stop in spans:
        try:  # where the batch failed (memory, most likely) each request gets a try of its own
            found = replies[start:stop] if replies is not None else read(prompts[start:stop])
            responses[at] = _response(found, pb_utils)
        except Exception as error:
            internal = pb_utils.TritonError(f"{name}: {error!r}", pb_utils.TritonError.INTERNAL)
            responses[at] = pb_utils.InferenceResponse(error=internal)
    return responses


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


def _column(request: Any, name: str, pb_utils: Any) -> list[bytes] | None:
    """An input's rows, or None if the request does not have it."""
    tensor = pb_utils.get_input_tensor_by_name(request, name)
    return None if tensor is None else list(tensor.as_numpy().reshape(-1))


def _response(replies: Sequence[Reply | JudgestreamError], pb_utils: Any) -> Any:
    found: list[Reply] = []
    for reply in replies:
        if not isinstance(reply, Reply):
            return _failure(reply, pb_utils)
        found.append(reply)
    columns = (
        np.array([[reply.text.encode()] for reply in found], dtype=np.object_),
        np.array([[reply.finish_reason.encode()] for reply in found], dtype=np.object_),
        np.array([[reply.input_tokens] for reply in found], dtype=np.uint32),
        np.array([[reply.output_tokens] for reply in found], dtype=np.uint32),
        np.array([reply.score_probs for reply in found], dtype=np.float32),
    )
    return pb_utils.InferenceResponse(
        [pb_utils.Tensor(name, column) for name, column in zip(OUTPUTS, columns, strict=True)]
    )


def _failure(error: JudgestreamError, pb_utils: Any) -> Any:
    """Our error as the status by which clients know it again (see `adapters.triton.translate`)."""
    codes = pb_utils.TritonError
    if isinstance(error, PromptTooLong):
        return pb_utils.InferenceResponse(error=codes(TOO_LONG + str(error), codes.INVALID_ARG))
    if isinstance(error, RetryableError):
        return pb_utils.InferenceResponse(error=codes(str(error), codes.UNAVAILABLE))
    return pb_utils.InferenceResponse(error=codes(BAD_REQUEST + str(error), codes.INVALID_ARG))
