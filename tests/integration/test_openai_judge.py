"""The judging app's own client against the real Triton with a judge behind a local chat endpoint."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from judgestream.adapters.releases.endpoint import RemoteJudge, install_endpoint
from judgestream.adapters.triton.judge import TritonJudge
from judgestream.core.costs import Prices, Terms
from judgestream.core.errors import JudgestreamError, JudgeUnavailable, PromptTooLong
from judgestream.core.identity import content_digest, verdict_id
from judgestream.core.modes import PAIRWISE, plan
from judgestream.core.types import Candidate, Options, Release, Request, Verdict
from judgestream.core.verdicts import Effort, build_verdict
from judgestream.local.triton import TritonServer
from judgestream.template_files import template_of
from tests.backends.chat.endpoint import Endpoint, completion, prefers_longer
from tests.template_files.house import MESSAGES

pytestmark = pytest.mark.integration

KEY = "JUDGESTREAM_TEST_ENDPOINT_KEY"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    server = Endpoint(prefers_longer)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def release(endpoint: Endpoint, repository: Path) -> Release:
    judge = RemoteJudge(endpoint=endpoint.url, endpoint_model="local", deadline_s=3)
    prices = Prices(per_million_in=1, per_million_out=1)
    return install_endpoint(judge, repository, terms=Terms(prices=prices))


@pytest.fixture(scope="module")
def reasoning_release(endpoint: Endpoint, repository: Path) -> Release:
    """The same endpoint with a template file, whose judge reasons first, three times."""
    text = MESSAGES.replace(
        "forms:",
        "reasoning: {marker: 'Final scores:', max_tokens: 50, samples: 3, temperature: 0.5}\nforms:",
    )
    judge = RemoteJudge(
        endpoint=endpoint.url, endpoint_model="local", template_id="house-chat-v1", template=text
    )
    return install_endpoint(judge, repository)


@pytest.fixture(scope="module")
def server(
    release: Release,
    reasoning_release: Release,
    repository: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[TritonServer]:
    with TritonServer(
        run_dir=tmp_path_factory.mktemp("triton"),
        model_repository=repository,
        models=[release.name, reasoning_release.name],
    ) as running:
        yield running


@pytest.fixture(autouse=True)
def _healthy(endpoint: Endpoint) -> None:
    endpoint.answer = prefers_longer


def request(first: str, second: str, *, explain: bool = False) -> Request:
    return Request(
        request_id="r",
        mode=PAIRWISE.name,
        question="Does ice float?",
        candidates=(Candidate(id="a", text=first), Candidate(id="b", text=second)),
        requested_at=datetime.now(UTC),
        options=Options(explain=explain),
    )


def judge(server: TritonServer, release: Release, wanted: Request) -> Verdict:
    async def run() -> Verdict:
        client = await TritonJudge.connect(server.grpc_url, release.name, deadline_s=20)
        try:
            passes = plan(wanted, PAIRWISE, template_of(client.release))
            replies = await client.ask(passes)
            content = content_digest(wanted)
            return build_verdict(
                request=wanted,
                mode=PAIRWISE,
                release=client.release,
                results=[one.result(reply) for one, reply in zip(passes, replies, strict=True)],
                effort=Effort(attempts=1, latency_s=0.0, ended_at=datetime.now(UTC)),
                verdict_id=verdict_id(wanted.request_id, client.release.name, wanted.mode, content),
                content_digest=content,
            )
        finally:
            await client.close()

    return asyncio.run(run())


def test_both_orders_settle_into_one_verdict(
    server: TritonServer, release: Release, endpoint: Endpoint
) -> None:
    verdict = judge(server, release, request("Yes, it is lighter than water.", "No.", explain=True))
    assert (verdict.winner, verdict.flipped) == ("a", False)
    assert [round(score.score or 0, 3) for score in verdict.scores] == [8.8, 2.3]
    assert verdict.p_win == pytest.approx(1.0)
    assert "Because of its length." in verdict.explanation
    assert verdict.template_id == "chat-v1" and verdict.input_tokens == 642
    assert verdict.checkpoint_digest == release.checkpoint_digest


def test_a_judge_that_reasons_first_is_asked_in_its_own_template(
    server: TritonServer, reasoning_release: Release, endpoint: Endpoint
) -> None:
    def reasons(body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        user = body["messages"][-1]["content"]
        first, second = (user.split(f"### Answer {k}\n")[1].split("\n###")[0] for k in (1, 2))
        scores = (9, 2) if len(first) > len(second) else (2, 9)
        scores = scores if body["seed"] < 2 else (5, 5)
        text = "<think>Final scores: 1 1</think>The longer one.\nFinal scores: {} {}"
        return 200, {}, completion(text.format(*scores))

    endpoint.answer = reasons
    wanted = request("Yes, it is lighter than water.", "No. </s>", explain=True)
    verdict = judge(server, reasoning_release, wanted)
    assert (verdict.winner, verdict.template_id) == ("a", "house-chat-v1")
    assert verdict.p_win == pytest.approx(2 / 3) and verdict.p_tie == pytest.approx(1 / 3)
    assert verdict.explanation == "The longer one."
    assert [one.reply.reasonings for one in verdict.passes] == [3, 3]


def test_an_endpoint_that_is_away_is_retryable_and_one_that_refuses_is_not(
    server: TritonServer, release: Release, endpoint: Endpoint
) -> None:
    def answers(status: int, text: str) -> Any:
        return lambda body: (status, {}, {"error": {"message": text}})

    faults: list[tuple[int, str, type[JudgestreamError]]] = [
        (503, "warming up", JudgeUnavailable),
        (400, "maximum context length is 10 tokens", PromptTooLong),
    ]
    for status, text, error in faults:
        endpoint.answer = answers(status, text)
        with pytest.raises(error, match=text.split()[0]):
            judge(server, release, request("a", "b"))
    endpoint.answer = prefers_longer
    assert judge(server, release, request("a longer one", "b")).winner == "a"


def test_spending_is_on_the_metrics_port(server: TritonServer, release: Release) -> None:
    judge(server, release, request("one", "two!"))
    with closing(urlopen(server.metrics_url, timeout=10)) as page:  # noqa: S310 - our server
        lines = [
            line
            for line in page.read().decode().splitlines()
            if line.startswith("judgestream_endpoint_") and release.name in line
        ]
    values = {line.split("{")[0]: float(line.rsplit(" ", 1)[1]) for line in lines}
    assert values["judgestream_endpoint_prompts_total"] >= 2
    assert values["judgestream_endpoint_cost_dollars_total"] > 0


def test_a_missing_key_keeps_the_model_from_loading(
    server: TritonServer, endpoint: Endpoint, repository: Path
) -> None:
    from tritonclient.grpc import InferenceServerClient
    from tritonclient.utils import InferenceServerException

    locked = install_endpoint(
        RemoteJudge(endpoint=endpoint.url, endpoint_model="locked", key_variable=KEY), repository
    )
    with (
        InferenceServerClient(server.grpc_url) as client,
        pytest.raises(InferenceServerException, match=f"{KEY} is not set"),
    ):
        client.load_model(locked.name, client_timeout=60)


def test_a_url_that_is_none_or_holds_a_key_is_refused(tmp_path: Path) -> None:
    from judgestream.core.errors import ConfigurationError

    for url in ("host:8000", "ftp://h/v1", "http://user:key@host/v1"):
        with pytest.raises(ConfigurationError):
            install_endpoint(RemoteJudge(endpoint=url, endpoint_model="m"), tmp_path)
