"""Triton Inference Server over gRPC: prompts out, replies back.

This is the data plane: it asks and reports, and never loads or unloads a model (see `triton_control`).
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any, Self

import grpc
import numpy as np
from tritonclient.grpc.aio import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

from judgestream.contracts.triton_interface import INPUTS, OUTPUTS, incoming
from judgestream.core.errors import (
    ConfigurationError,
    JudgeError,
    JudgestreamError,
    JudgeUnavailable,
    ReleaseChanged,
    ReleaseNotLoaded,
)
from judgestream.core.passes import Pass
from judgestream.core.templates.base import Grammar
from judgestream.core.types import Release, Reply

VERIFY_S = 2.0
"""A release whose identity was looked up longer ago is looked up again before it is asked. Triton takes
longer than this to restart, so no verdict names a checkpoint that did not give it."""

MAX_NAME_BYTES = 255
MAX_SHOWN = 500
"""Characters of Triton's or a provider's words in an error."""

_REQUESTED = [InferRequestedOutput(name) for name in OUTPUTS]


def translate(exc: InferenceServerException, release: str) -> JudgestreamError:
    """Triton's status and text -> our class of error, by the table that its models write from."""
    status = (exc.status() or "").removeprefix("StatusCode.")
    error, text = incoming(status, exc.message() or str(exc))
    shown = text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + " [cut]"
    return error(f"release {release}: {shown}")


@contextmanager
def _translated(release: str) -> Iterator[None]:
    try:
        yield
    except InferenceServerException as exc:
        raise translate(exc, release) from exc
    except grpc.RpcError as exc:
        code, details = getattr(exc, "code", lambda: None)(), getattr(exc, "details", str)()
        foreign = InferenceServerException(str(details), status=str(code))
        raise translate(foreign, release) from exc


class TritonJudge:
    """One release behind one channel. Safe to use from many tasks of one event loop.

    parameters  of the model's configuration in Triton
    decoupled   the release answers in several responses, so it takes streaming calls only
    """

    def __init__(
        self,
        client: InferenceServerClient,
        release: Release,
        deadline_s: float,
        *,
        decoupled: bool = False,
        parameters: Mapping[str, str] | None = None,
    ) -> None:
        self.release = release
        self.parameters = dict(parameters or {})
        self._client = client
        self._decoupled = decoupled
        self._deadline_s = deadline_s
        self._verifying = asyncio.Lock()
        self._verified_at = monotonic()

    @classmethod
    async def connect(cls, address: str, release: str, *, deadline_s: float) -> Self:
        """Find the release at `address` (host:port) and ask Triton what it is.

        With an empty `release` the server must have exactly one judge loaded.

        Raises:
            JudgeUnavailable: no Triton there.
            ReleaseNotLoaded: it is there, but the release is not ready.
            ConfigurationError: the model is not a judge of ours, or there are several to choose from.
        """
        _check_name(release)
        client = InferenceServerClient(address)
        try:
            name = release or await _only_judge(client)
            with _translated(name):
                ready = await client.is_model_ready(name, client_timeout=deadline_s)
            if not ready:
                raise ReleaseNotLoaded(
                    f"release {name} is not loaded on Triton at {address}: load it with"
                    f" `judgestream release load {name}`, or see Triton's log"
                )
            with _translated(name):
                config = await _config(client, name, deadline_s)
            policy = config.get("model_transaction_policy", {})
            return cls(
                client,
                _release(name, config),
                deadline_s,
                decoupled=bool(policy.get("decoupled", False)),
                parameters=_parameters(config),
            )
        except JudgeUnavailable as exc:
            await client.close()
            raise JudgeUnavailable(
                f"Triton at {address} does not answer for release {release or '(any)'}: {exc}."
                " Start it, or set JUDGESTREAM_TRITON__GRPC"
            ) from exc
        except BaseException:
            await client.close()
            raise

    async def close(self) -> None:
        await self._client.close()

    async def ask(self, passes: Sequence[Pass]) -> list[Reply]:
        """One reply per pass, in order, from one request to Triton.

        The passes of a request travel together, so that they are judged by one release at one time, cost
        one round trip, and can share their common prefix inside the model.

        Raises:
            PoisonError: the judge will never take one of these prompts.
            ReleaseError: it takes no prompts at all until somebody acts.
            RetryableError: it may, later.
        """
        started = monotonic()
        rows = len(passes)
        inputs = [
            _bytes_input(INPUTS[0], [p.prompt for p in passes]),
            _bytes_input(INPUTS[1], [_sampling(p.max_tokens) for p in passes]),
            _bytes_input(INPUTS[2], [_grammar(p.grammar) for p in passes]),
        ]
        await self._verify()
        try:
            with _translated(self.release.name):
                responses = await self._responses(inputs)
        except JudgestreamError:
            self._verified_at = 0.0  # whatever went wrong, another model may answer next
            raise
        return self._replies(responses, rows, latency=monotonic() - started)

    async def _verify(self) -> None:
        """See that the release's name still stands for its checkpoint.

        Raises:
            ReleaseChanged: it does not.
            ReleaseError, RetryableError: Triton does not tell.
        """
        if monotonic() - self._verified_at < VERIFY_S:
            return
        async with self._verifying:
            if monotonic() - self._verified_at < VERIFY_S:
                return
            name, ours = self.release.name, self.release.checkpoint_digest
            with _translated(name):
                config = await _config(self._client, name, self._deadline_s)
            found = _parameters(config).get("checkpoint_digest", "")
            if found != ours:
                raise ReleaseChanged(
                    f"Triton now has checkpoint {found[:8] or 'without a digest'} under the name {name},"
                    f" which was {ours[:8]} when this worker started: load the release that belongs"
                    " there, or restart the worker to judge with the new one"
                )
            self._verified_at = monotonic()

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
        finally:
            stream.cancel()  # a request that nobody waits for stops costing
        return found

    def _replies(self, responses: Sequence[Any], rows: int, latency: float) -> list[Reply]:
        """One reply per row: texts are what all responses add up to, the rest is as the last one says."""
        columns = [[response.as_numpy(name) for name in OUTPUTS] for response in responses]
        if not columns or any(c is None or len(c) != rows for part in columns for c in part):
            raise JudgeError(f"release {self.release.name}: a reply without all of {OUTPUTS}")
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


def _check_name(release: str) -> None:
    """Triton's models are folders; whatever cannot be one is a slip in the settings."""
    if (
        not release.isprintable()
        or "/" in release
        or release in (".", "..")
        or release != release.strip()
        or len(release.encode()) > MAX_NAME_BYTES
    ):
        raise ConfigurationError(
            f"JUDGESTREAM_TRITON__RELEASE is {release[:80]!r}, which cannot be a model's name; `judgestream"
            " release list` shows those there are"
        )


async def _config(
    client: InferenceServerClient, name: str, deadline_s: float = 10.0
) -> dict[str, Any]:
    found = await client.get_model_config(name, as_json=True, client_timeout=deadline_s)
    config: dict[str, Any] = found.get("config", {})
    return config


async def _only_judge(client: InferenceServerClient) -> str:
    """The one judge that is loaded. Asks for statistics, which name every loaded model: the repository's
    index needs the control key, and a worker has none.
    """
    with _translated("(any)"):
        statistics = await client.get_inference_statistics(as_json=True, client_timeout=10.0)
        loaded = sorted({model["name"] for model in statistics.get("model_stats", [])})
        judges = [
            name
            for name in loaded
            if "checkpoint_digest" in _parameters(await _config(client, name))
        ]
    if len(judges) == 1:
        return str(judges[0])
    found = ", ".join(judges) if judges else "none"
    raise ConfigurationError(
        f"set JUDGESTREAM_TRITON__RELEASE to the judge to ask (loaded and ready: {found})"
    )


def _parameters(config: Mapping[str, Any]) -> dict[str, str]:
    parameters = config.get("parameters", {})
    return {key: str(value.get("string_value", "")) for key, value in parameters.items()}


def _release(name: str, config: Mapping[str, Any]) -> Release:
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
            f"Triton model {name} is not a judge of ours: parameter {exc} is missing or wrong in its"
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
