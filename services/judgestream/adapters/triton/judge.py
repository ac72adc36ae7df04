"""The data plane of Triton: prompts out, replies back.

It asks and reports errors. It never loads or unloads a model: see `control`.
"""

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from time import monotonic
from typing import Any, Self

import numpy as np
from tritonclient.grpc.aio import InferenceServerClient, InferInput, InferRequestedOutput

from judgestream.adapters.tls.client import PLAINTEXT, ClientTls
from judgestream.adapters.triton.connection import Connection
from judgestream.adapters.triton.errors import judge_call
from judgestream.adapters.triton.model_config import (
    check_name,
    model_config,
    only_judge,
    parameters,
    release_of,
)
from judgestream.contracts.triton_interface import IMAGES, INPUTS, OUTPUTS, REASONINGS
from judgestream.core.costs import Terms
from judgestream.core.errors import (
    ConfigurationError,
    JudgeError,
    JudgestreamError,
    JudgeUnavailable,
    ReleaseChanged,
    ReleaseNotLoaded,
)
from judgestream.core.passes import Pass
from judgestream.core.templates.base import Grammar, Reasoning
from judgestream.core.types import Image, Release, Reply
from judgestream.telemetry.spans import Kind, Span, Value, current

log = logging.getLogger(__name__)

VERIFY_S = 2.0
"""The identity of a release is checked again after this time. Triton takes longer to restart, so no verdict
names a checkpoint that did not give it."""

OPERATION = "text_completion"
"""What a call to a judge is in the conventions of generative AI."""

_REQUESTED = [InferRequestedOutput(name) for name in OUTPUTS]
_REQUESTED_OF_REASONING = [*_REQUESTED, InferRequestedOutput(REASONINGS)]


class TritonJudge:
    """One release at one Triton. Safe to use from many tasks of one event loop.

    parameters  of the model's configuration in Triton
    terms       prices and budget, as of the latest `verify`
    decoupled   the release answers in several responses, so it takes streaming calls only
    """

    def __init__(
        self,
        connection: Connection,
        release: Release,
        deadline_s: float,
        *,
        decoupled: bool = False,
        parameters: Mapping[str, str] | None = None,
    ) -> None:
        self.release = release
        self.parameters = dict(parameters or {})
        self.terms = Terms.of(self.parameters)
        self._connection = connection
        self._decoupled = decoupled
        self._deadline_s = deadline_s
        self._verifying = asyncio.Lock()
        self._verified_at = monotonic()

    @classmethod
    async def connect(
        cls, address: str, release: str, *, deadline_s: float, tls: ClientTls = PLAINTEXT
    ) -> Self:
        """Find the release at `address` (host:port) and read its configuration.

        With an empty `release` the server must have exactly one judge loaded.

        Raises:
            JudgeUnavailable: no Triton answers.
            ReleaseNotLoaded: Triton answers, but the release is not ready.
            ConfigurationError: the model is not one of our judges, there are several to choose from, or a
                file of `tls` is missing or wrong.
        """
        check_name(release)
        connection = Connection(address, tls=tls)
        try:
            name = release or await only_judge(connection)
            return await cls.open(connection, name, deadline_s=deadline_s)
        except JudgeUnavailable as exc:
            await connection.close()
            raise JudgeUnavailable(
                f"Triton at {address} does not answer for release {release or '(any)'}: {exc}."
                " Start it, or set JUDGESTREAM_TRITON__GRPC"
            ) from exc
        except BaseException:
            await connection.close()
            raise

    @classmethod
    async def open(cls, connection: Connection, name: str, *, deadline_s: float) -> Self:
        """The release `name` over a connection that several judges may share. Its owner closes it.

        Raises:
            As `connect`.
        """
        with judge_call(name):
            async with connection.client() as client:
                ready = await client.is_model_ready(name, client_timeout=deadline_s)
        if not ready:
            raise ReleaseNotLoaded(
                f"release {name} is not loaded on Triton at {connection.address}: load it with"
                f" `judgestream release load {name}`, or see Triton's log"
            )
        config = await model_config(connection, name, deadline_s)
        policy = config.get("model_transaction_policy", {})
        return cls(
            connection,
            release_of(name, config),
            deadline_s,
            decoupled=bool(policy.get("decoupled", False)),
            parameters=parameters(config),
        )

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()

    async def ask(self, passes: Sequence[Pass]) -> list[Reply]:
        """One reply per pass, in order, from one request to Triton.

        The passes of a request travel together: one release judges them at one time, they cost one round
        trip, and they can share their common prefix inside the model.

        Raises:
            PoisonError: the judge will never accept one of these prompts.
            ReleaseError: the release accepts no prompts until somebody acts.
            RetryableError: the same call may succeed later.
        """
        with current().child(f"{OPERATION} {self.release.name}", Kind.CLIENT) as span:
            if not span.recording:
                return await self._ask(passes, {})
            span.put(_asked(self.release.name, self._connection.address, passes))
            replies = await self._ask(passes, _metadata(span))
            span.put(_answered(replies))
            return replies

    async def _ask(self, passes: Sequence[Pass], metadata: Mapping[str, str]) -> list[Reply]:
        """`metadata`: headers of the call."""
        started = monotonic()
        inputs = [
            _bytes_input(INPUTS[0], [one.prompt for one in passes]),
            _bytes_input(INPUTS[1], [_sampling(one.max_tokens, one.reasoning) for one in passes]),
            _bytes_input(INPUTS[2], [_grammar(one.grammar) for one in passes]),
        ]
        if any(one.images for one in passes):
            inputs.append(_images_input([one.images for one in passes]))
        await self.verify()
        try:
            with judge_call(self.release.name):
                reasons = any(one.reasoning is not None for one in passes)
                # another server is asked at once, which must not wait for an explanation
                async with self._connection.client(explain=False) as client:
                    responses = await self._responses(
                        client, inputs, _REQUESTED_OF_REASONING if reasons else _REQUESTED, metadata
                    )
        except JudgestreamError:
            self._verified_at = 0.0  # another model may answer the next call
            raise
        return self._replies(responses, len(passes), latency_s=monotonic() - started)

    async def verify(self) -> None:
        """Check that the release's name still stands for its checkpoint, and read its terms again.

        Raises:
            ReleaseChanged: it does not.
            ReleaseError, RetryableError: Triton does not return the configuration.
        """
        if monotonic() - self._verified_at < VERIFY_S:
            return
        async with self._verifying:
            if monotonic() - self._verified_at < VERIFY_S:
                return
            name, ours = self.release.name, self.release.checkpoint_digest
            config = await model_config(self._connection, name, self._deadline_s)
            current = parameters(config)
            theirs = current.get("checkpoint_digest", "")
            if theirs != ours:
                raise ReleaseChanged(
                    f"Triton now has checkpoint {theirs[:8] or 'without a digest'} under the name {name},"
                    f" which was {ours[:8]} when this worker started: load the release that belongs"
                    " there, or restart the worker to judge with the new one"
                )
            self._take_terms(current)
            self._verified_at = monotonic()

    def _take_terms(self, current: Mapping[str, str]) -> None:
        try:
            self.terms = Terms.of(current)
        except ConfigurationError as exc:
            log.warning("release %s keeps its former prices and budget: %s", self.release.name, exc)

    async def _responses(
        self,
        client: InferenceServerClient,
        inputs: list[InferInput],
        outputs: list[InferRequestedOutput],
        metadata: Mapping[str, str],
    ) -> list[Any]:
        """All responses to one request: a single one, or those of a stream up to its end."""
        name = self.release.name
        if not self._decoupled:
            return [
                await client.infer(
                    name,
                    inputs,
                    outputs=outputs,
                    client_timeout=self._deadline_s,
                    headers=dict(metadata),
                )
            ]

        async def once() -> AsyncIterator[dict[str, Any]]:
            yield {"model_name": name, "inputs": inputs, "outputs": outputs}

        stream = client.stream_infer(
            once(),
            stream_timeout=self._deadline_s,
            # without it errors carry no status
            headers={**metadata, "triton_grpc_error": "true"},
        )
        responses: list[Any] = []
        try:
            async for result, error in stream:
                if error is not None:
                    raise error
                responses.append(result)
        finally:
            stream.cancel()  # stops the work for a caller that no longer waits
        return responses

    def _replies(self, responses: Sequence[Any], rows: int, latency_s: float) -> list[Reply]:
        """One reply per row. Texts are joined over all responses; the last response has the rest."""
        columns = [[response.as_numpy(name) for name in OUTPUTS] for response in responses]
        if not columns or any(c is None or len(c) != rows for part in columns for c in part):
            raise JudgeError(f"release {self.release.name}: the reply lacks some of {OUTPUTS}")
        _, reasons, tokens_in, tokens_out, probs = columns[-1]
        reasonings = responses[-1].as_numpy(REASONINGS)
        prices = self.terms.prices
        return [
            Reply(
                text=b"".join(part[0][k].item() for part in columns).decode(errors="replace"),
                score_probs=tuple(probs[k].tolist()),
                finish_reason=reasons[k].item().decode(errors="replace"),
                input_tokens=int(tokens_in[k].item()),
                output_tokens=int(tokens_out[k].item()),
                latency_s=latency_s,
                reasonings=0 if reasonings is None else int(reasonings[k].item()),
                cost=prices.cost(tokens_in[k].item(), tokens_out[k].item())
                if prices.stated
                else None,
            )
            for k in range(rows)
        ]


def _asked(release: str, address: str, passes: Sequence[Pass]) -> dict[str, Value]:
    """What a span tells about a call before it is made."""
    host, _, port = address.rpartition(":")
    return {
        "gen_ai.operation.name": OPERATION,
        "gen_ai.provider.name": "triton",
        "gen_ai.request.model": release,
        "gen_ai.request.max_tokens": max(one.max_tokens for one in passes),
        "server.address": host.strip("[]"),
        "server.port": int(port) if port.isdigit() else 0,
        "judgestream.passes": [one.transform.name for one in passes],
    }


def _answered(replies: Sequence[Reply]) -> dict[str, Value]:
    """What a span tells about the replies: sums, and a value per pass. No texts."""
    return {
        "gen_ai.usage.input_tokens": sum(one.input_tokens for one in replies),
        "gen_ai.usage.output_tokens": sum(one.output_tokens for one in replies),
        "gen_ai.response.finish_reasons": [one.finish_reason for one in replies],
        "judgestream.pass_input_tokens": [one.input_tokens for one in replies],
        "judgestream.pass_output_tokens": [one.output_tokens for one in replies],
    }


def _metadata(span: Span) -> dict[str, str]:
    """The trace context for Triton, which continues the trace where it is set up for that."""
    return {name: value.decode() for name, value in span.headers()}


def _bytes_input(name: str, rows: Sequence[str]) -> InferInput:
    """A BYTES tensor of shape (rows, 1)."""
    tensor = InferInput(name, [len(rows), 1], "BYTES")
    tensor.set_data_from_numpy(np.array([[row.encode()] for row in rows], dtype=np.object_))
    return tensor


def _images_input(rows: Sequence[Sequence[Image]]) -> InferInput:
    """A BYTES tensor of shape (rows, images), each image in base64."""
    most = max(map(len, rows))
    encoded = np.full((len(rows), most), b"", dtype=np.object_)
    for row, images in enumerate(rows):
        for column, image in enumerate(images):
            if not image.data:
                raise ValueError("an image without its bytes cannot be sent: resolve it first")
            encoded[row, column] = base64.b64encode(image.data)
    tensor = InferInput(IMAGES, [len(rows), most], "BYTES")
    tensor.set_data_from_numpy(encoded)
    return tensor


def _sampling(max_tokens: int, reasoning: Reasoning | None) -> str:
    if reasoning is None:
        return f'{{"max_tokens":{max_tokens},"temperature":0}}'
    return json.dumps({"max_tokens": 0, "temperature": 0, "reasoning": asdict(reasoning)})


@cache
def _grammar(grammar: Grammar) -> str:
    """The grammar as the model expects it. There are few, so each is serialised once."""
    fields: dict[str, object] = {
        "labels": list(grammar.labels),
        "count": grammar.count,
        "separator": grammar.separator,
        "lead": grammar.lead,
    }
    # older judges do not know these fields
    newer = {"reward": grammar.reward, "marker": grammar.marker, "closing": grammar.closing}
    return json.dumps(fields | {name: value for name, value in newer.items() if value})
