"""Failing judges on the real servers: which requests fail, what is shown, and what recovers."""

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.request import urlopen

import psutil
import pytest
import redis
from pydantic import SecretStr

from judgestream.adapters.redis.spending import SpendingView
from judgestream.adapters.redis.worker_board import WorkerBoard, WorkerEntry, WorkerState
from judgestream.adapters.releases.endpoint import RemoteJudge, install_endpoint
from judgestream.adapters.releases.installed import find
from judgestream.adapters.releases.jury import install_jury
from judgestream.adapters.releases.model_config import bundled_models
from judgestream.adapters.releases.model_repository import install
from judgestream.adapters.releases.parameters import set_terms
from judgestream.adapters.triton.control import TritonControl
from judgestream.contracts.topics import DEAD_LETTERS
from judgestream.core.costs import Budget, Prices, Terms
from judgestream.core.jury import Juror, JuryRecord, JuryRule
from judgestream.local.ports import free_port
from judgestream.local.triton import TritonServer
from judgestream.settings import Redis
from judgestream.v1.judging_pb2 import Candidate, JudgeRequest, Verdict
from tests.backends.chat.endpoint import Endpoint, prefers_longer
from tests.integration.cluster import INSTANT, Cluster, instant_triton, pairs, running, wait

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    server = Endpoint(prefers_longer)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, endpoint: Endpoint) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("failing")
    instant = instant_triton(folder / "triton")
    judge = RemoteJudge(endpoint=endpoint.url, endpoint_model="m", deadline_s=4)
    installed = install_endpoint(judge, instant.model_repository)
    triton = TritonServer(
        run_dir=folder / "triton" / "run",
        model_repository=instant.model_repository,
        models=[INSTANT, installed.name],
    )
    with triton, running(folder, triton) as cluster:
        cluster.remote = installed.name  # type: ignore[attr-defined]
        yield cluster


@pytest.fixture(autouse=True)
def _stop_workers(cluster: Cluster) -> Iterator[None]:
    """A failed test leaves no worker that would take a slot from the next one."""
    yield
    cluster.stop_workers()


def question(request_id: str, text: str) -> JudgeRequest:
    candidates = [Candidate(id="a", text="Yes, because of this."), Candidate(id="b", text="No.")]
    return JudgeRequest(request_id=request_id, question=text, candidates=candidates)


def board(cluster: Cluster) -> list[WorkerEntry]:
    with WorkerBoard.connect(Redis(url=SecretStr(cluster.valkey.url))) as shown:  # type: ignore[union-attr]
        return shown.workers()


def by_id(cluster: Cluster, ids: list[str], *, seconds: float) -> dict[str, Verdict]:
    return {v.request_id: v for v in cluster.wait_verdicts(ids, seconds=seconds)}


EIGHT_SEVEN = {"message": {"content": "8 7"}}
ODD: list[tuple[str, tuple[int, dict[str, str], Any]]] = [
    ("html", (200, {}, "<html>log in</html>")),
    ("no choices", (200, {}, {"choices": []})),
    ("null content", (200, {}, {"choices": [{"message": {"content": None}}]})),
    (
        "nonsense",
        (200, {}, {"choices": [{"message": {"content": "8 7"}, "logprobs": {"content": [None]}}]}),
    ),
    (
        "usage",
        (
            200,
            {},
            {"choices": [{"message": {"content": "8 7"}}], "usage": {"prompt_tokens": -(10**30)}},
        ),
    ),
    ("surrogate", (200, {}, '{"choices": [{"message": {"content": "\\ud800"}}]}')),
    ("refused", (400, {}, {"error": {"message": "I cannot take this"}})),
    ("forbidden", (403, {}, {"error": {"message": "flagged by moderation"}})),
    ("large", (200, {}, {"choices": [{"message": {"content": "8 7\n" + "x" * 1_300_000}}]})),
]


def test_failing_endpoint(cluster: Cluster, endpoint: Endpoint) -> None:
    """Odd replies hurt their own requests; a refused key pauses, is shown, and is healed by itself."""
    port = free_port()
    release = cluster.remote  # type: ignore[attr-defined]
    worker = cluster.work(triton__release=release, worker__metrics_port=port)

    # 1. each odd reply is its own request's, and nothing is asked twice
    answers = dict(ODD)

    def odd(body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        user = body["messages"][-1]["content"]
        name = next((name for name in answers if f"ODD {name} ODD" in user), "")
        return answers[name] if name else prefers_longer(body)

    endpoint.answer = odd
    good = [question(f"good-{k}", f"Good {k}?") for k in range(30)]
    bad = [question(f"odd-{name}", f"ODD {name} ODD") for name, _ in ODD]
    mixed = [*good[:15], *bad, *good[15:]]
    ids = cluster.submit(mixed)
    verdicts = by_id(cluster, ids, seconds=60)
    assert {verdicts[r.request_id].status for r in good} == {Verdict.STATUS_SCORED}
    assert {verdicts[r.request_id].winner for r in good} == {"a"}
    expected = {
        "html": Verdict.STATUS_FAILED,
        "no choices": Verdict.STATUS_FAILED,
        "null content": Verdict.STATUS_UNSCORED,
        "nonsense": Verdict.STATUS_SCORED,
        "usage": Verdict.STATUS_SCORED,
        "surrogate": Verdict.STATUS_UNSCORED,
        "refused": Verdict.STATUS_FAILED,
        "forbidden": Verdict.STATUS_FAILED,
        "large": Verdict.STATUS_SCORED,
    }
    assert {name: verdicts[f"odd-{name}"].status for name, _ in ODD} == expected
    probes = sum("What is 2 + 2?" in body["messages"][-1]["content"] for body in endpoint.requests)
    assert len(endpoint.requests) - probes == 2 * len(mixed)
    assert probes <= 8

    # 2. a key that is refused pauses the release; nothing is given up
    dead = cluster.count(DEAD_LETTERS)
    words = "Incorrect API key provided"
    endpoint.answer = lambda body: (401, {}, {"error": {"message": words}})
    ids = cluster.submit([question(f"held-{k}", f"Held {k}?") for k in range(40)])
    submitted = time.monotonic()

    def paused() -> bool:
        return any(
            e.state is WorkerState.PAUSED and "key_refused" in e.reason and words in e.reason
            for e in board(cluster)
        )

    wait(paused, what="the board to say that the release is paused", seconds=10)
    assert time.monotonic() - submitted < 6
    assert metric(port, 'judgestream_release_paused{reason_class="key_refused"}') == 1
    assert words in worker.command.log_path.read_text()
    asked = _requests_once_in_flight_have_ended(endpoint)
    time.sleep(3)
    assert len(endpoint.requests) - asked <= 10, "a paused release was to be asked by probes only"
    endpoint.answer = prefers_longer
    verdicts = by_id(cluster, ids, seconds=60)
    assert {verdicts[i].status for i in ids} == {Verdict.STATUS_SCORED}
    assert cluster.count(DEAD_LETTERS) == dead
    wait(
        lambda: all(e.state is WorkerState.WORKING for e in board(cluster)),
        what="the worker to work again",
        seconds=10,
    )
    cluster.stop_workers()


def test_costs_budgets_and_a_jury(cluster: Cluster, endpoint: Endpoint) -> None:
    """Verdicts state costs; a spent budget pauses and a raised one resumes; a jury gives one verdict."""
    endpoint.answer = prefers_longer
    release = cluster.remote  # type: ignore[attr-defined]
    repository = cluster.triton.model_repository
    folder = repository / release
    # both orders take 2 * (321 + 4) tokens
    prices, each = Prices(per_million_in=1.0, per_million_out=1.0), 650e-6

    def load(*models: str) -> None:
        async def run() -> None:
            async with TritonControl(cluster.triton.grpc_url, SecretStr("")) as control:
                for model in models:
                    await control.load(model)

        asyncio.run(run())

    # 1. three requests are below the budget, and their cost reaches it
    set_terms(folder, Terms(prices=prices, budget=Budget(total=2.5 * each)))
    load(release)
    port = free_port()
    cluster.work(triton__release=release, judging__accept_backlog=1000, worker__metrics_port=port)
    dead = cluster.count(DEAD_LETTERS)
    ids = cluster.submit([question(f"paid-{k}", f"Paid {k}?") for k in range(3)])
    verdicts = by_id(cluster, ids, seconds=30)
    assert [verdicts[i].cost for i in ids] == pytest.approx([each] * 3)
    with SpendingView.connect(Redis(url=SecretStr(cluster.valkey.url))) as view:  # type: ignore[union-attr]
        assert view.spent(release).total == pytest.approx(3 * each)

    # 2. the next ones wait, unasked, until the budget is raised
    asked = len(endpoint.requests)
    held = cluster.submit([question(f"unpaid-{k}", f"Unpaid {k}?") for k in range(3)])
    wait(
        lambda: any(
            e.state is WorkerState.PAUSED and e.reason.startswith("budget_spent")
            for e in board(cluster)
        ),
        what="the board to say that the budget is spent",
        seconds=15,
    )
    assert len(endpoint.requests) == asked
    share = f'judgestream_budget_spent_ratio{{period="total",release="{release}"}}'
    assert metric(port, share) == pytest.approx(3 / 2.5)
    set_terms(folder, Terms(prices=prices, budget=Budget(total=1.0)))
    load(release)
    verdicts = by_id(cluster, held, seconds=30)
    assert {verdicts[i].status for i in held} == {Verdict.STATUS_SCORED}
    assert cluster.count(DEAD_LETTERS) == dead
    # the worker resumed with a known good prompt
    assert 6 * each <= metric(port, share) + 1e-9 < 7 * each
    cluster.stop_workers()

    # 3. a jury of this endpoint and the bundled tiny judge
    tiny = install(bundled_models() / "judges" / "tiny", repository).name
    members = (Juror(release=tiny, weight=0.5), Juror(release=release, weight=2.0))
    record = JuryRecord(rule=JuryRule.WEIGHTED, members=members, quorum=2)
    jury = install_jury("panel", record, repository).name
    load(*find(repository, jury).models)
    cluster.work(triton__release=jury, judging__accept_backlog=1000)
    (one,) = cluster.submit([question("tried", "Is it so?")])
    verdict = by_id(cluster, [one], seconds=60)[one]
    assert (verdict.release, verdict.status) == (jury, Verdict.STATUS_SCORED)
    ours, theirs = verdict.members
    assert (ours.release, theirs.release, theirs.winner) == (tiny, release, "a")
    assert verdict.p_win == pytest.approx((0.5 * ours.p_win + 2.0 * theirs.p_win) / 2.5)
    assert [one.release for one in verdict.passes] == [tiny, tiny, release, release]
    assert verdict.cost == theirs.cost == pytest.approx(each) and not ours.HasField("cost")
    cluster.stop_workers()


def metric(port: int, series: str) -> float:
    """The value on the worker's page."""
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:  # noqa: S310 - our worker
        lines = page.read().decode().splitlines()
    (value,) = [line.removeprefix(series) for line in lines if line.startswith(f"{series} ")]
    return float(value)


def _requests_once_in_flight_have_ended(endpoint: Endpoint) -> int:
    """Requests that the endpoint has received, counted when at most probes still arrive.

    Prompts that were in Triton's queue when the pause began reach the endpoint, one batch after the other.
    """
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        before = len(endpoint.requests)
        time.sleep(1)
        if len(endpoint.requests) - before <= 2:
            return len(endpoint.requests)
    raise TimeoutError("waited 30 s for the prompts in flight to reach the endpoint")


def stubs(cluster: Cluster, model: str) -> list[psutil.Process]:
    assert cluster.triton.process is not None
    children = psutil.Process(cluster.triton.process.pid).children(recursive=True)
    found = [c for c in children if "triton_python_backend_stub" in " ".join(c.cmdline())]
    return [c for c in found if f"/{model}/" in " ".join(c.cmdline())]


def test_failing_model(cluster: Cluster) -> None:
    """A poison prompt reloads nothing; a model that dies is reloaded once, by one of two rollout services."""
    own = {"triton__release": INSTANT, "judging__group": "own", "judging__start": "latest"}
    services = [
        cluster.work("rollout", slot, rollout__grpc=f"127.0.0.1:{free_port()}", **own)
        for slot in (0, 1)
    ]
    for slot in (0, 1):
        cluster.work("judging", slot, **own)

    def reloads() -> int:
        return sum(c.command.log_path.read_text().count("is loaded again") for c in services)

    poison = question("poison", "FAIL THE JUDGE")
    ids = cluster.submit([*pairs(150, "before"), poison, *pairs(150, "after")])
    verdicts = by_id(cluster, ids, seconds=60)
    failed = [v for i, v in verdicts.items() if i in ids and v.status != Verdict.STATUS_SCORED]
    assert [(v.request_id, v.error_class) for v in failed] == [("poison", "judge_failed")]
    assert reloads() == 0

    (stub,) = stubs(cluster, INSTANT)
    ids = cluster.submit(pairs(1000, "killed", sleep_ms=10))
    wait(
        lambda: len([v for v in cluster.verdicts() if v.request_id in ids]) > 50,
        what="some verdicts",
        seconds=30,
    )
    stub.send_signal(signal.SIGKILL)
    verdicts = by_id(cluster, ids, seconds=90)
    assert {verdicts[i].status for i in ids} == {Verdict.STATUS_SCORED}
    assert reloads() == 1


def test_a_prompt_that_kills_the_model_is_given_up_after_few_reloads(cluster: Cluster) -> None:
    """It is not retried for an hour, and the requests beside it are judged."""
    cluster.stop_workers()
    with closing(redis.Redis.from_url(cluster.valkey.url)) as client:
        # earlier reloads would lengthen the pauses
        client.delete(*client.keys(f"judgestream:rollout:reloads:{INSTANT}*") or ["none"])
    own = {"triton__release": INSTANT, "judging__group": "killed", "judging__start": "latest"}
    service = cluster.work("rollout", 0, rollout__grpc=f"127.0.0.1:{free_port()}", **own)
    cluster.work("judging", 0, **own)
    dead = cluster.count(DEAD_LETTERS)
    killer = question("killer", "KILL THE JUDGE")
    ids = cluster.submit([*pairs(10, "beside"), killer, *pairs(10, "behind")])
    verdicts = by_id(cluster, ids, seconds=90)
    failed = [v for i, v in verdicts.items() if i in ids and v.status != Verdict.STATUS_SCORED]
    assert [(v.request_id, v.error_class) for v in failed] == [("killer", "judge_failed")]
    assert failed[0].attempts <= 4
    assert cluster.count(DEAD_LETTERS) == dead + 1
    time.sleep(2)
    reloads = service.command.log_path.read_text().count("is loaded again")
    assert 1 <= reloads <= 3, "once with others in flight, twice alone"
