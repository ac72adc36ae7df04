"""Judges behind Triton's vLLM backend, in the real Triton.

The backend itself is not part of the Triton that Python packages bring, so a model that replays what vLLM
really said stands in its place, with the engine's own configuration but for the backend's name. What the real
configuration says is checked as far as Triton takes it: it is parsed, and refused for its backend alone.
"""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import urlopen

import pytest
from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException

from judgestream.adapters.releases.model_config import bundled_models
from judgestream.adapters.releases.vllm import SUFFIX, install_vllm
from judgestream.adapters.triton.judge import TritonJudge
from judgestream.core.errors import JudgeUnavailable, PromptTooLong
from judgestream.core.modes import PAIRWISE, plan
from judgestream.core.parsing import read
from judgestream.core.passes import Pass
from judgestream.core.prompt import Prompt
from judgestream.core.templates import template
from judgestream.core.types import Candidate, Options, Reading, Release, Reply, Request
from judgestream.engine.checkpoint import load
from judgestream.engine.judge import Judge
from judgestream.local.triton import TritonServer
from tests.backends.record_vllm import EXPLANATION_TOKENS, PAIRS
from tests.backends.recorded_vllm import RECORDED
from tests.paths import ROOT

pytestmark = pytest.mark.integration

TINY = bundled_models() / "judges" / "tiny"
STAND_IN = ROOT / "tests" / "models" / "recorded_vllm"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def release(repository: Path) -> Release:
    installed = install_vllm(TINY, repository)
    engine = repository / (installed.name + SUFFIX)
    config = engine / "config.pbtxt"
    text = config.read_text()
    assert 'backend: "vllm"' in text
    config.write_text(text.replace('backend: "vllm"', 'backend: "python"'))
    shutil.copy(STAND_IN / "1" / "model.py", engine / "1" / "model.py")
    shutil.copy(RECORDED, engine / "1" / "answers.json")
    return installed


@pytest.fixture(scope="module")
def server(
    release: Release, repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TritonServer]:
    with TritonServer(
        run_dir=tmp_path_factory.mktemp("triton"),
        model_repository=repository,
        models=[release.name + SUFFIX, release.name],
        omp_num_threads=1,
    ) as running:
        yield running


def passes(pair: int, **options: object) -> list[Pass]:
    question, first, second, reference = PAIRS[pair]
    request = Request(
        request_id="r",
        mode=PAIRWISE.name,
        question=question,
        candidates=(Candidate(id="a", text=first), Candidate(id="b", text=second)),
        reference=reference,
        requested_at=datetime.now(UTC),
        options=replace(Options(), **options),  # type: ignore[arg-type]
    )
    return list(plan(request, PAIRWISE, template("judgelm-v1")))


def ask(server: TritonServer, release: Release, asked: list[Pass]) -> list[Reply]:
    async def run() -> list[Reply]:
        client = await TritonJudge.connect(server.grpc_url, release.name, deadline_s=30)
        try:
            return await client.ask(asked)
        finally:
            await client.close()

    return asyncio.run(run())


def test_the_judging_app_s_client_reads_what_our_own_engine_reads(
    server: TritonServer, release: Release
) -> None:
    judge = Judge(load(TINY))
    for pair in range(len(PAIRS)):
        asked = passes(pair)
        replies = ask(server, release, asked)
        own = judge.read([Prompt(text=one.prompt, grammar=one.grammar) for one in asked])
        for one, reply, expected in zip(asked, replies, own, strict=True):
            assert isinstance(expected, Reply)
            assert (reply.text, reply.finish_reason) == (expected.text, "stop")
            assert reply.input_tokens == expected.input_tokens
            theirs, ours = read(reply, one.grammar), read(expected, one.grammar)
            assert type(theirs) is type(ours)  # both a reading, or both unreadable
            if isinstance(theirs, Reading) and isinstance(ours, Reading):
                assert theirs.greedy == ours.greedy
                assert theirs.means[0] == pytest.approx(ours.means[0], abs=0.1)


def test_an_explanation_follows_its_scores(server: TritonServer, release: Release) -> None:
    asked = passes(0, explain=True, max_explanation_tokens=EXPLANATION_TOKENS)
    first, second = ask(server, release, asked)
    scores, _, explanation = first.text.partition("\n")
    assert len(scores.split()) == 2 and explanation
    assert len(second.text.split()) == 2  # the pass that was not to explain


def test_what_vllm_refuses_is_refused_in_our_terms(server: TritonServer, release: Release) -> None:
    asked = [replace(one, prompt="not recorded") for one in passes(0)]
    with pytest.raises(PromptTooLong, match="maximum"):
        ask(server, release, asked)


def test_what_was_asked_is_on_the_metrics_port(server: TritonServer, release: Release) -> None:
    ask(server, release, passes(0))
    with closing(urlopen(server.metrics_url, timeout=10)) as page:  # noqa: S310 - our server
        lines = [
            line
            for line in page.read().decode().splitlines()
            if line.startswith("judgestream_vllm_") and release.name in line
        ]
    values = {line.split("{")[0]: float(line.rsplit(" ", 1)[1]) for line in lines}
    assert (
        values["judgestream_vllm_requests_total"] >= values["judgestream_vllm_prompts_total"] >= 2
    )
    assert values["judgestream_vllm_input_tokens_total"] >= 50


def test_an_engine_that_is_not_loaded_is_named_and_retryable(
    server: TritonServer, release: Release
) -> None:
    engine = release.name + SUFFIX
    with InferenceServerClient(server.grpc_url) as client:
        client.unload_model(engine)
        with pytest.raises(JudgeUnavailable, match=engine):
            ask(server, release, passes(0))
        client.load_model(engine, client_timeout=60)
    assert len(ask(server, release, passes(0))) == 2


def test_triton_takes_the_real_configuration_and_misses_the_backend_alone(
    server: TritonServer, repository: Path, tmp_path: Path
) -> None:
    real = tmp_path / "real"
    installed = install_vllm(TINY, real)
    name = "real-engine"
    shutil.copytree(real / (installed.name + SUFFIX), repository / name)
    config = repository / name / "config.pbtxt"
    config.write_text(config.read_text().replace(installed.name + SUFFIX, name))
    with (
        InferenceServerClient(server.grpc_url) as client,
        pytest.raises(InferenceServerException, match="backend.*vllm|vllm.*backend"),
    ):
        client.load_model(name, client_timeout=60)
