"""Triton Inference Server over gRPC: prompts out, replies back."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Sequence
from time import monotonic
from typing import Any, Self

import grpc
import numpy as np
from tritonclient.grpc.aio import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

from judgestream.core.errors import (
    ConfigurationError,
    JudgeDeadlineExceeded,
    JudgeOverloaded,
    JudgestreamError,
    JudgeUnavailable,
    JudgeUnhealthy,
    PromptTooLong,
    RejectedByJudge,
)
from judgestream.core.modes import Pass
from judgestream.core.templates.base import Grammar
from judgestream.core.types import Release, Reply

log = logging.getLogger(__name__)

OUTPUTS = ("text_output", "finish_reason", "num_input_tokens", "num_output_tokens", "score_probs")
HEAL_EVERY_S = 30.0

_REQUESTED = [InferRequestedOutput(name) for name in OUTPUTS]


def translate(exc: InferenceServerException, release: str) -> JudgestreamError:
    """Triton's status and text -> our error class (measured: the same status means different things)."""
    status = (exc.status() or "").removeprefix("StatusCode.")
    text = exc.message() or str(exc)
    reason = text.removeprefix("prompt_too_long: ").removeprefix("bad_request: ")
    message = f"release {release}: {reason}"
    if status == "DEADLINE_EXCEEDED":
        return JudgeDeadlineExceeded(message)
    if status == "UNAVAILABLE":
        if "maximum queue size" in text or "timeout expired" in text:
            return JudgeOverloaded(message)
        return JudgeUnavailable(message)
    if status == "NOT_FOUND":  # also while a server drains: it comes back, so it is never poison
        return JudgeUnavailable(message)
    if status == "INVALID_ARGUMENT":
        return PromptTooLong(message) if "prompt_too_long" in text else RejectedByJudge(message)
    if status == "INTERNAL":
        return JudgeUnhealthy(message)
    return JudgeUnavailable(f"{message} ({status or 'no status'})")


class TritonJudge:
    """One release behind one channel. Safe to use from many tasks of one event loop.

    decoupled  the release answers in several responses, so it takes streaming calls only
    """

    def __init__(
        self,
        client: InferenceServerClient,
        release: Release,
        deadline_s: float,
        *,
        decoupled: bool = False,
    ) -> None:
        self.release = release
        self._client = client
        self._decoupled = decoupled
        self._deadline_s = deadline_s
        self._healing = asyncio.Lock()
        self._healed_at = -HEAL_EVERY_S

    @classmethod
    async def connect(cls, address: str, release: str, *, deadline_s: float) -> Self:
        """Find the release at `address` (host:port) and ask Triton what it is.

        With an empty `release` the server must have exactly one judge loaded.

        Raises:
            JudgeUnavailable: no Triton there, or the release is not ready.
            ConfigurationError: the model is no judge of ours, or there are several to choose from.
        """
        client = InferenceServerClient(address)
        try:
            name = release or await _only_judge(client)
            if not await client.is_model_ready(name, client_timeout=deadline_s):
                raise JudgeUnavailable(
                    f"release {name} is not ready on Triton at {address}: load it, or see Triton's log"
                )
            config = await client.get_model_config(name, as_json=True, client_timeout=deadline_s)
        except InferenceServerException as exc:
            await client.close()
            raise JudgeUnavailable(
                f"Triton at {address} does not answer for release {release or '(any)'}:"
                f" {exc.message()}. Start it, or set JUDGESTREAM_TRITON__GRPC"
            ) from exc
        except JudgestreamError:
            await client.close()
            raise
        policy = config.get("config", {}).get("model_transaction_policy", {})
        decoupled = bool(policy.get("decoupled", False))
        return cls(client, _release(name, config), deadline_s, decoupled=decoupled)

    async def close(self) -> None:
        await self._client.close()

    async def ask(self, passes: Sequence[Pass]) -> list[Reply]:
        """One reply per pass, in order, from one request to Triton.

        The passes of a request travel together, so that they are judged by one release at one time, cost
        one round trip, and can share their common prefix inside the model.

        Raises:
            PoisonError: the judge will never take one of these prompts.
            RetryableError: it may, later.
        """
        started = monotonic()
        rows = len(passes)
        inputs = [
            _bytes_input("text_input", [p.prompt for p in passes]),
            _bytes_input("sampling_parameters", [_sampling(p.max_tokens) for p in passes]),
            _bytes_input("score_grammar", [_grammar(p.grammar) for p in passes]),
        ]
        try:
            responses = await self._responses(inputs)
        except InferenceServerException as exc:
            error = translate(exc, self.release.name)
            if isinstance(error, JudgeUnhealthy):
                await self._heal()
            raise error from exc
        return self._replies(responses, rows, latency=monotonic() - started)

    async def _responses(self, inputs: list[InferInput]) -> list[Any]:
        """Everything that comes back for one request: one response, or those of a stream to its end."""
        name = self.release.name
        if not self._decoupled:
            return [
                await self._client.infer(
                    name, inputs, outputs=_REQUESTED, client_timeout=self._deadline_s
                )
            ]

        async def once() -> AsyncIterator[dict[str, Any]]:
            yield {"model_name": name, "inputs": inputs, "outputs": _REQUESTED}

        stream = self._client.stream_infer(
            once(),
            stream_timeout=self._deadline_s,
            headers={"triton_grpc_error": "true"},  # else errors come without a status
        )
        found: list[Any] = []
        try:
            async for result, error in stream:
                if error is not None:
                    raise error
                found.append(result)
        except grpc.RpcError as exc:
            raise InferenceServerException(exc.details(), status=str(exc.code())) from exc
        finally:
            stream.cancel()  # a request that nobody waits for stops costing
        return found

    def _replies(self, responses: Sequence[Any], rows: int, latency: float) -> list[Reply]:
        """One reply per row: texts are what all responses add up to, the rest is as the last one says."""
        columns = [[response.as_numpy(name) for name in OUTPUTS] for response in responses]
        if not columns or any(c is None or len(c) != rows for part in columns for c in part):
            raise JudgeUnhealthy(f"release {self.release.name}: reply without all of {OUTPUTS}")
        _, reasons, tokens_in, tokens_out, probs = columns[-1]
        return [
            Reply(
                text=b"".join(part[0][k].item() for part in columns).decode(errors="replace"),
                score_probs=tuple(probs[k].tolist()),
                finish_reason=reasons[k].item().decode(errors="replace"),
                input_tokens=int(tokens_in[k].item()),
                output_tokens=int(tokens_out[k].item()),
                latency_s=latency,
            )
            for k in range(rows)
        ]

    async def _heal(self) -> None:
        """Reload the model when its process has died: Triton itself never restarts it.

        Measured: `load_model` alone does nothing, unload and load heal it. Only with explicit model
        control; elsewhere Triton refuses, which is logged, and its own supervisor has to act.
        """
        async with self._healing:
            if monotonic() - self._healed_at < HEAL_EVERY_S:
                return
            self._healed_at = monotonic()
            name = self.release.name
            log.warning("release %s is unhealthy: unloading and loading it", name)
            try:
                await self._client.unload_model(name, client_timeout=self._deadline_s)
                await self._client.load_model(name, client_timeout=self._deadline_s)
            except InferenceServerException as exc:
                log.error("release %s could not be reloaded: %s", name, exc.message())


async def _only_judge(client: InferenceServerClient) -> str:
    # Not the repository's index: that belongs to the control plane, which may be restricted.
    loaded = await client.get_inference_statistics(as_json=True)
    ready = [model["name"] for model in loaded.get("model_stats", [])]
    judges = [
        name
        for name in sorted(set(ready))
        if "checkpoint_digest" in _parameters(await client.get_model_config(name, as_json=True))
    ]
    if len(judges) == 1:
        return str(judges[0])
    found = ", ".join(judges) if judges else "none"
    raise ConfigurationError(
        f"set JUDGESTREAM_TRITON__RELEASE to the judge to ask (loaded and ready: {found})"
    )


def _parameters(config: dict[str, Any]) -> dict[str, str]:
    parameters = config.get("config", {}).get("parameters", {})
    return {key: str(value.get("string_value", "")) for key, value in parameters.items()}


def _release(name: str, config: dict[str, Any]) -> Release:
    parameters = _parameters(config)
    try:
        return Release(
            name=name,
            checkpoint_digest=parameters["checkpoint_digest"],
            template_id=parameters["template_id"],
            max_input_tokens=int(parameters["max_input_tokens"]),
        )
    except (KeyError, ValueError) as exc:
        raise ConfigurationError(
            f"Triton model {name} is no judge of ours: parameter {exc} is missing or wrong in its"
            " config.pbtxt; install it with `judgestream release install`"
        ) from exc


def _bytes_input(name: str, rows: Sequence[str]) -> InferInput:
    tensor = InferInput(name, [len(rows), 1], "BYTES")
    tensor.set_data_from_numpy(np.array([[row.encode()] for row in rows], dtype=np.object_))
    return tensor


def _sampling(max_tokens: int) -> str:
    return f'{{"max_tokens":{max_tokens},"temperature":0}}'


_GRAMMARS: dict[Grammar, str] = {}


def _grammar(grammar: Grammar) -> str:
    """The grammar as the model wants it. There are few, so each is written once."""
    if grammar not in _GRAMMARS:
        _GRAMMARS[grammar] = json.dumps(
            {
                "labels": list(grammar.labels),
                "count": grammar.count,
                "separator": grammar.separator,
                "lead": grammar.lead,
            }
        )
    return _GRAMMARS[grammar]
