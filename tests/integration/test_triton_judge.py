"""A JudgeLM-like checkpoint, installed and served by the real Triton: what its clients see."""

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest
from tritonclient.grpc import InferenceServerClient, InferInput, InferResult
from tritonclient.utils import InferenceServerException

from judgestream.adapters.releases.model_repository import install
from judgestream.adapters.releases.tuning import Tuning
from judgestream.adapters.triton.judge import TritonJudge
from judgestream.core.modes import PAIRWISE, plan
from judgestream.core.probe import KNOWN_GOOD
from judgestream.core.prompt import Prompt
from judgestream.core.types import Release, Reply
from judgestream.engine.checkpoint import load
from judgestream.engine.judge import Judge
from judgestream.local.triton import TritonServer
from judgestream.template_files import template_of
from tests.engine import tiny
from tests.template_files.house import REASONS_FIRST

pytestmark = pytest.mark.integration

SINGLE_JSON = json.dumps(
    {"labels": list(tiny.SINGLE.labels), "count": 1, "separator": " ", "lead": " "}
)
PAIR_JSON = json.dumps({"labels": list(tiny.PAIR.labels), "count": 2})


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sharded .bin weights and a SentencePiece tokenizer, no manifest: as JudgeLM-7B is published."""
    return tiny.make(tmp_path_factory.mktemp("tiny") / "checkpoint", "spm")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def release(checkpoint: Path, repository: Path) -> Release:
    return install(checkpoint, repository, tuning=Tuning(threads=1))


@pytest.fixture(scope="module")
def own_template(
    checkpoint: Path, repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> Release:
    """The same checkpoint with a template file, whose judge reasons first."""
    file = tmp_path_factory.mktemp("template") / "house.yaml"
    file.write_text(REASONS_FIRST, encoding="utf-8")
    return install(checkpoint, repository, template=file, tuning=Tuning(threads=1))


@pytest.fixture(scope="module")
def server(
    release: Release,
    own_template: Release,
    repository: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[TritonServer]:
    run_dir = tmp_path_factory.mktemp("triton")
    models = [release.name, own_template.name]
    with TritonServer(run_dir=run_dir, model_repository=repository, models=models) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: TritonServer) -> Iterator[InferenceServerClient]:
    with InferenceServerClient(server.grpc_url) as connected:
        yield connected


@pytest.fixture(scope="module")
def judge(checkpoint: Path) -> Judge:
    """The same checkpoint in this process: what Triton has to agree with."""
    return Judge(load(checkpoint))


def column(name: str, rows: Sequence[str | bytes]) -> InferInput:
    tensor = InferInput(name, [len(rows), 1], "BYTES")
    encoded = [[row.encode() if isinstance(row, str) else row] for row in rows]
    tensor.set_data_from_numpy(np.array(encoded, dtype=np.object_))
    return tensor


def ask(
    client: InferenceServerClient,
    release: Release,
    texts: Sequence[str | bytes],
    sampling: Sequence[str] | None = None,
    grammars: Sequence[str] | None = None,
) -> InferResult:
    inputs = [column("text_input", texts)]
    if sampling is not None:
        inputs.append(column("sampling_parameters", sampling))
    if grammars is not None:
        inputs.append(column("score_grammar", grammars))
    return client.infer(release.name, inputs, client_timeout=60)


def check(result: InferResult, row: int, expected: Reply) -> None:
    assert result.as_numpy("text_output")[row, 0] == expected.text.encode()
    assert result.as_numpy("finish_reason")[row, 0] == expected.finish_reason.encode()
    assert result.as_numpy("num_input_tokens")[row, 0] == expected.input_tokens
    assert result.as_numpy("num_output_tokens")[row, 0] == expected.output_tokens
    np.testing.assert_allclose(
        result.as_numpy("score_probs")[row], expected.score_probs, atol=1e-5, rtol=1e-3
    )


def reply_to(judge: Judge, prompt: Prompt) -> Reply:
    (reply,) = judge.read([prompt])
    assert isinstance(reply, Reply)
    return reply


def test_a_pair_comes_back_in_one_request(
    client: InferenceServerClient, release: Release, judge: Judge
) -> None:
    texts = list(tiny.PROMPTS[:2])
    result = ask(client, release, texts)
    assert result.as_numpy("score_probs").shape == (2, 100)
    assert result.as_numpy("score_probs").dtype == np.float32
    assert result.as_numpy("num_input_tokens").dtype == np.uint32
    for row, text in enumerate(texts):
        check(result, row, reply_to(judge, Prompt(text=text, grammar=tiny.PAIR)))


def test_a_worker_asks_a_release_that_it_has_never_seen_in_the_releases_own_template(
    server: TritonServer, own_template: Release, repository: Path
) -> None:
    """The template comes from Triton, and its judge reasons before the scores as it does in this process."""

    async def ask_known_good() -> tuple[Release, list[Reply], list[Prompt]]:
        client = await TritonJudge.connect(server.grpc_url, own_template.name, deadline_s=60)
        try:
            passes = plan(KNOWN_GOOD, PAIRWISE, template_of(client.release))
            prompts = [
                Prompt(text=one.prompt, grammar=one.grammar, reasoning=one.reasoning)
                for one in passes
            ]
            return client.release, await client.ask(passes), prompts
        finally:
            await client.close()

    found, replies, prompts = asyncio.run(ask_known_good())
    assert found == own_template and found.template == REASONS_FIRST
    here = Judge(load(repository / own_template.name / "1" / "checkpoint"))
    for reply, prompt in zip(replies, prompts, strict=True):
        expected = reply_to(here, prompt)
        assert reply.reasonings == 2 and "Final scores:" in reply.text
        assert reply.text == expected.text
        np.testing.assert_allclose(reply.score_probs, expected.score_probs, atol=1e-5, rtol=1e-3)


def test_one_row_explains_and_the_other_does_not(
    client: InferenceServerClient, release: Release, judge: Judge
) -> None:
    texts = list(tiny.PROMPTS[:2])
    sampling = ['{"max_tokens": 7, "temperature": 0.0, "seed": 3}', '{"max_tokens": 0}']
    result = ask(client, release, texts, sampling, [PAIR_JSON] * 2)
    for row, (text, max_tokens) in enumerate(zip(texts, (7, 0), strict=True)):
        prompt = Prompt(text=text, grammar=tiny.PAIR, max_tokens=max_tokens)
        check(result, row, reply_to(judge, prompt))


def test_a_single_score_has_ten_probabilities(
    client: InferenceServerClient, release: Release, judge: Judge
) -> None:
    text = tiny.single_prompt("q", "a", "r")
    result = ask(client, release, [text], None, [SINGLE_JSON])
    assert result.as_numpy("score_probs").shape == (1, 10)
    check(result, 0, reply_to(judge, Prompt(text=text, grammar=tiny.SINGLE)))


@pytest.mark.parametrize(
    ("texts", "sampling", "grammars", "message"),
    [
        (["word " * 3000], None, None, r"prompt_too_long: .* \d{4} tokens, .* 2032 prompt tokens"),
        ([b"\xff"], None, None, "bad_request: text_input is not UTF-8"),
        (["a"], ["{"], None, "bad_request: sampling_parameters: Invalid JSON"),
        (
            ["a"],
            ['{"temperature": 11}'],
            None,
            "bad_request: .*temperature: .* equal to 10, not 11",
        ),
        (["a"], None, ['{"labels": ["1", "1"], "count": 2}'], "bad_request: score grammar: "),
        (["a", "b"], None, [PAIR_JSON, SINGLE_JSON], "bad_request: .*different numbers"),
    ],
)
def test_a_bad_request_says_what_is_wrong(
    client: InferenceServerClient,
    release: Release,
    texts: list[str | bytes],
    sampling: list[str] | None,
    grammars: list[str] | None,
    message: str,
) -> None:
    with pytest.raises(InferenceServerException, match=message) as caught:
        ask(client, release, texts, sampling, grammars)
    assert caught.value.status() == "StatusCode.INVALID_ARGUMENT"


def test_bad_requests_do_not_harm_their_neighbours(
    client: InferenceServerClient, release: Release, judge: Judge
) -> None:
    expected = {
        text: reply_to(judge, Prompt(text=text, grammar=tiny.PAIR)) for text in tiny.PROMPTS
    }

    def one(k: int) -> str:
        if k % 4 == 3:
            try:
                ask(client, release, ["word " * 3000 if k % 8 == 3 else b"\xff"])
            except InferenceServerException as error:
                return str(error.message()).split(":")[0]
            return "answered"
        text = tiny.PROMPTS[k % len(tiny.PROMPTS)]
        check(ask(client, release, [text]), 0, expected[text])
        return "right"

    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(one, range(64)))
    assert outcomes.count("right") == 48
    assert outcomes.count("prompt_too_long") == 8
    assert outcomes.count("bad_request") == 8
    statistics = client.get_inference_statistics(release.name, as_json=True)["model_stats"][0]
    assert int(statistics["execution_count"]) < int(statistics["inference_count"]), "none batched"


def test_the_served_configuration_names_the_release(
    client: InferenceServerClient, release: Release
) -> None:
    config = client.get_model_config(release.name, as_json=True)["config"]
    parameters = {key: value["string_value"] for key, value in config["parameters"].items()}
    assert parameters["checkpoint_digest"] == release.checkpoint_digest
    assert parameters["template_id"] == release.template_id
    assert int(parameters["max_input_tokens"]) == release.max_input_tokens


def test_a_second_release_loads_beside_the_first(
    client: InferenceServerClient, release: Release, repository: Path, tmp_path: Path
) -> None:
    other = install(tiny.make(tmp_path / "other", "split", seed=1), repository)
    client.load_model(other.name, client_timeout=120)
    try:
        assert len(ask(client, other, [tiny.PROMPTS[0]]).as_numpy("score_probs")[0]) == 100
        assert len(ask(client, release, [tiny.PROMPTS[0]]).as_numpy("score_probs")[0]) == 100
    finally:
        client.unload_model(other.name)


def test_a_release_with_swapped_weights_does_not_load(
    client: InferenceServerClient, repository: Path, tmp_path: Path
) -> None:
    wrong = install(tiny.make(tmp_path / "wrong", "split", seed=2), repository)
    config = repository / wrong.name / "config.pbtxt"
    config.write_text(config.read_text().replace(wrong.checkpoint_digest, "0" * 64))
    with pytest.raises(InferenceServerException, match="install the release again"):
        client.load_model(wrong.name, client_timeout=120)


def test_the_engine_tells_its_work_on_the_metrics_port(
    server: TritonServer, client: InferenceServerClient, release: Release
) -> None:
    def counters() -> dict[str, float]:
        with urlopen(server.metrics_url, timeout=10) as page:  # noqa: S310 - our server
            lines = page.read().decode().splitlines()
        return {
            line.split("{")[0]: float(line.rsplit(" ", 1)[1])
            for line in lines
            if line.startswith("judgestream_engine_") and release.name in line
        }

    before = counters()
    ask(client, release, list(tiny.PROMPTS[:3]))
    deadline = time.monotonic() + 10  # Triton collects custom metrics one by one, as they come
    growing = [
        f"judgestream_engine_{name}_total"
        for name in ("prompts", "rows", "prompt_tokens", "seconds")
    ]
    while any((after := counters())[name] == before[name] for name in growing):
        assert time.monotonic() < deadline, "no new prompt was counted in 10 s"
        time.sleep(0.1)
    grown = {name: after[name] - before[name] for name in after}
    assert grown["judgestream_engine_prompts_total"] == 3
    assert grown["judgestream_engine_rows_total"] >= 1
    assert grown["judgestream_engine_prompt_tokens_total"] > 1000
    assert grown["judgestream_engine_seconds_total"] > 0
    assert after["judgestream_engine_kernel_info"] == 1
    assert after["judgestream_engine_row_tokens"] > 0
    assert after["judgestream_engine_devices"] == 1
    assert 0 < after["judgestream_engine_fill_ratio"]
    assert after["judgestream_engine_tokens_per_second"] > 0
    assert "judgestream_engine_mfu_ratio" not in after  # nobody knows this CPU's peak
