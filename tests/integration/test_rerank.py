"""Rankings by the bundled tiny judge on real servers: answers, documents, and a worker killed half-way."""

from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from judgestream.adapters.releases.model_repository import install
from judgestream.adapters.releases.tuning import Tuning
from judgestream.local.ports import free_port
from judgestream.local.triton import TritonServer
from judgestream.v1.judging_pb2 import Candidate, JudgeOptions, JudgeRequest, Verdict
from tests.integration.cluster import Cluster, Servers, wait
from tests.paths import JUDGES

pytestmark = pytest.mark.integration

QUERY = "Which gas do plants take in?"
DOCUMENTS = ("Plants take in carbon dioxide.", "A hammer drives nails.", "Plants are green.")


@pytest.fixture
def cluster(tmp_path: Path, servers: Servers) -> Iterator[Cluster]:
    """The shared Kafka and Valkey, with the tiny judge on a separate Triton."""
    release = install(JUDGES / "tiny", tmp_path / "models", tuning=Tuning(threads=1))
    with (
        TritonServer(
            run_dir=tmp_path / "triton",
            model_repository=tmp_path / "models",
            models=[release.name],
        ) as triton,
        Servers(kafka=servers.kafka, valkey=servers.valkey, triton=triton).cluster(
            tmp_path
        ) as running,
    ):
        yield running


def ranking(request_id: str, documents: int, *, tokens: int = 8) -> JudgeRequest:
    return JudgeRequest(
        request_id=request_id,
        mode="rerank",
        question=QUERY,
        candidates=[
            Candidate(id=f"d{k}", text=f"{k}. {DOCUMENTS[k % 3]}") for k in range(documents)
        ],
        options=JudgeOptions(explain=True, max_explanation_tokens=tokens),
    )


def answers() -> list[JudgeRequest]:
    """Two answers in one prompt, since this judge has learnt two scores, and four pairs of four answers."""
    texts = {"multi": ("12", "13"), "tournament": ("12", "13", "14", "6 + 7 = 13")}
    options = {
        "multi": JudgeOptions(orders=JudgeOptions.ORDERS_ROTATIONS),
        "tournament": JudgeOptions(pairs=4),
    }
    return [
        JudgeRequest(
            request_id=mode,
            mode=mode,
            question="What is 6 + 7?",
            candidates=[Candidate(text=text) for text in texts[mode]],
            options=chosen,
        )
        for mode, chosen in options.items()
    ]


def test_documents_are_ranked_and_a_killed_worker_loses_nothing(cluster: Cluster) -> None:
    port = free_port()
    cluster.work(worker__metrics_port=port, judging__deadline_s=9)

    def metric(name: str) -> float:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:  # noqa: S310 - our worker
            lines = page.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))

    # 1. Two requests of the same query: it is analysed once, and both verdicts rank their documents.
    verdicts: dict[str, Verdict] = {}
    for request in (ranking("first", 3), ranking("second", 3)):
        cluster.submit([request])
        found = cluster.wait_verdicts([request.request_id], seconds=60)
        verdicts |= {verdict.request_id: verdict for verdict in found}
    first, second = verdicts["first"], verdicts["second"]
    assert first.status == Verdict.STATUS_SCORED, first.reason
    scores = [score.score for score in first.scores]
    assert all(0 <= score <= 1 for score in scores) and len(set(scores)) > 1
    assert [s.rank for s in first.scores] == [1 + sum(o > s for o in scores) for s in scores]
    assert [one.name for one in first.passes][:2] == ["none/analysis", "order-0/analysis"]
    assert len(first.passes) == 7 and first.explanation == second.explanation != ""
    assert list(first.scores) == list(second.scores), "a reused analysis gives the same verdict"
    assert metric('judgestream_query_analyses_total{outcome="reused"}') == 1

    # 2. Answers ranked in one prompt and in pairs.
    cluster.submit(answers())
    found = cluster.wait_verdicts(["multi", "tournament"], seconds=60)
    ranked = {verdict.request_id: verdict for verdict in found}
    for name in ("multi", "tournament"):
        verdict = ranked[name]
        assert verdict.status == Verdict.STATUS_SCORED, verdict.reason
        values = [score.score for score in verdict.scores]
        assert len(set(values)) > 1, "the judge tells the answers apart"
        assert [s.rank for s in verdict.scores] == [1 + sum(o > v for o in values) for v in values]
        assert sum(score.p_best for score in verdict.scores) == pytest.approx(1)
    assert [one.name for one in ranked["multi"].passes] == ["straight", "swapped"]
    assert all(1 <= score.score <= 10 for score in ranked["multi"].scores)
    assert len(ranked["tournament"].passes) == 8
    assert all(score.low < score.score < score.high for score in ranked["tournament"].scores)

    # 3. A worker killed between two stages: the next one judges the request from its beginning.
    asked = metric("judgestream_passes_total")
    cluster.submit([ranking("killed", 30, tokens=64)])
    wait(
        lambda: metric("judgestream_passes_total") > asked + 8,
        what="some documents to be analysed",
        seconds=60,
    )
    cluster.kill("judging-0")
    assert "killed" not in {verdict.request_id for verdict in cluster.verdicts()}
    cluster.work(worker__metrics_port=port, judging__deadline_s=9)
    found = cluster.wait_verdicts(["killed"], seconds=90)
    (killed,) = [verdict for verdict in found if verdict.request_id == "killed"]
    assert killed.status == Verdict.STATUS_SCORED and len(killed.passes) == 61
    assert min(score.rank for score in killed.scores) == 1
