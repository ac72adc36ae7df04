"""A decoupled judge on the real Triton: scores at once, the explanation behind them as it grows."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tritonclient.grpc.aio import InferenceServerClient, InferInput

from judgestream.adapters.releases.model_repository import install
from judgestream.adapters.releases.tuning import Tuning
from judgestream.adapters.triton.connection import Connection
from judgestream.adapters.triton.judge import TritonJudge
from judgestream.core.errors import JudgestreamError, PromptTooLong
from judgestream.core.passes import Pass
from judgestream.core.prompt import Prompt
from judgestream.core.transforms import STRAIGHT, SWAPPED
from judgestream.core.types import Release, Reply
from judgestream.engine.checkpoint import load
from judgestream.engine.judge import Judge
from judgestream.local.triton import TritonServer
from tests.engine import tiny

pytestmark = pytest.mark.integration

LONG = 1500
"""Explanation tokens: enough to look at a judge while it writes."""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.make(tmp_path_factory.mktemp("tiny") / "checkpoint", "split", seed=3)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def release(checkpoint: Path, repository: Path) -> Release:
    return install(checkpoint, repository, tuning=Tuning(threads=1, decoupled=True))


@pytest.fixture(scope="module")
def server(
    release: Release, repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TritonServer]:
    run_dir = tmp_path_factory.mktemp("triton")
    with TritonServer(
        run_dir=run_dir, model_repository=repository, models=[release.name]
    ) as running:
        yield running


@pytest.fixture(scope="module")
def judge(checkpoint: Path) -> Judge:
    return Judge(load(checkpoint))


def a_pass(text: str, max_tokens: int = 0, swapped: bool = False) -> Pass:
    transform = SWAPPED if swapped else STRAIGHT
    return Pass(transform=transform, prompt=text, grammar=tiny.PAIR, max_tokens=max_tokens)


def expected(judge: Judge, asked: Pass) -> Reply:
    prompt = Prompt(text=asked.prompt, grammar=asked.grammar, max_tokens=asked.max_tokens)
    (reply,) = judge.read([prompt])
    assert isinstance(reply, Reply)
    return reply


def check(found: Reply, wanted: Reply) -> None:
    assert (found.text, found.finish_reason) == (wanted.text, wanted.finish_reason)
    assert (found.input_tokens, found.output_tokens) == (wanted.input_tokens, wanted.output_tokens)
    np.testing.assert_allclose(found.score_probs, wanted.score_probs, atol=1e-5, rtol=1e-3)


async def test_the_judging_apps_client_gets_the_whole_reply(
    server: TritonServer, release: Release, judge: Judge
) -> None:
    client = await TritonJudge.connect(server.grpc_url, release.name, deadline_s=60)
    try:
        passes = [a_pass(tiny.PROMPTS[0], 60), a_pass(tiny.PROMPTS[1], swapped=True)]
        for found, asked in zip(await client.ask(passes), passes, strict=True):
            check(found, expected(judge, asked))
        with pytest.raises(PromptTooLong, match="prompt tokens"):
            await client.ask([a_pass("word " * 3000)])
        many = [[a_pass(tiny.PROMPTS[k % 5], 20 * (k % 3))] for k in range(24)]
        replies = await asyncio.gather(*(client.ask(one) for one in many))
        for (found,), (asked,) in zip(replies, many, strict=True):
            check(found, expected(judge, asked))
    finally:
        await client.close()


async def test_scores_come_first_and_the_explanation_adds_up(
    server: TritonServer, release: Release, judge: Judge
) -> None:
    client = InferenceServerClient(server.grpc_url)
    try:
        parts = [part async for part in stream(client, release, tiny.PROMPTS[0], 80)]
    finally:
        await client.close()
    wanted = expected(judge, a_pass(tiny.PROMPTS[0], 80))
    texts = [part.as_numpy("text_output").item().decode() for part in parts]
    reasons = [part.as_numpy("finish_reason").item().decode() for part in parts]
    assert len(parts) > 3
    assert "".join(texts) == wanted.text
    assert reasons == [*[""] * (len(parts) - 1), wanted.finish_reason]
    for part in parts:  # the scores are final from the first response on
        np.testing.assert_allclose(
            part.as_numpy("score_probs")[0], wanted.score_probs, atol=1e-5, rtol=1e-3
        )


async def test_scores_do_not_wait_for_somebody_elses_explanation(
    server: TritonServer, release: Release
) -> None:
    client = InferenceServerClient(server.grpc_url)
    judge = await TritonJudge.connect(server.grpc_url, release.name, deadline_s=60)
    finished: list[str] = []

    async def write() -> None:
        async for _ in stream(client, release, tiny.PROMPTS[0], LONG):
            if not started.is_set():
                started.set()
        finished.append("explanation")

    started = asyncio.Event()
    writing = asyncio.create_task(write())
    try:
        await asyncio.wait_for(started.wait(), 60)
        await judge.ask([a_pass(tiny.PROMPTS[1])])
        finished.append("scores")
        await asyncio.wait_for(writing, 120)
    finally:
        writing.cancel()
        await judge.close()
        await client.close()
    assert finished == ["scores", "explanation"]


async def test_an_explanation_that_nobody_waits_for_stops(
    server: TritonServer, release: Release
) -> None:
    client = InferenceServerClient(server.grpc_url)
    judge = await TritonJudge.connect(server.grpc_url, release.name, deadline_s=60)
    try:
        before = await written(server, release)
        async for _ in stream(client, release, tiny.PROMPTS[0], LONG):
            break  # hang up after the scores
        await judge.ask([a_pass(tiny.PROMPTS[1], 5)])
        deadline = time.monotonic() + 20
        while (grown := await written(server, release) - before) == 0:
            assert time.monotonic() < deadline, "the counter of written tokens did not move in 20 s"
            await asyncio.sleep(0.2)
        assert grown < LONG / 2
    finally:
        await judge.close()
        await client.close()


async def test_errors_of_a_stream_have_their_status(server: TritonServer, release: Release) -> None:
    connection = Connection(server.grpc_url)
    judge = TritonJudge(connection, release, deadline_s=0.05, decoupled=True)
    try:
        with pytest.raises(JudgestreamError, match="Deadline") as caught:
            await judge.ask([a_pass(tiny.PROMPTS[0], LONG)])
        assert caught.value.retryable
    finally:
        await judge.close()


async def stream(
    client: InferenceServerClient, release: Release, text: str, max_tokens: int
) -> AsyncIterator[Any]:
    """The responses to one prompt; closing it early hangs up."""

    async def once() -> AsyncIterator[dict[str, Any]]:
        sampling = f'{{"max_tokens": {max_tokens}}}'
        inputs = [column("text_input", text), column("sampling_parameters", sampling)]
        yield {"model_name": release.name, "inputs": inputs}

    call = client.stream_infer(once(), stream_timeout=120)
    try:
        async for result, error in call:
            assert error is None, error
            yield result
    finally:
        call.cancel()


def column(name: str, text: str) -> InferInput:
    tensor = InferInput(name, [1, 1], "BYTES")
    tensor.set_data_from_numpy(np.array([[text.encode()]], dtype=np.object_))
    return tensor


async def written(server: TritonServer, release: Release) -> float:
    """The engine's counter of tokens that took a separate step."""
    from urllib.request import urlopen

    with urlopen(server.metrics_url, timeout=10) as page:  # noqa: S310 - our server
        lines = page.read().decode().splitlines()
    return sum(
        float(line.rsplit(" ", 1)[1])
        for line in lines
        if line.startswith("judgestream_engine_written_tokens_total") and release.name in line
    )
