"""A reward model on real Kafka and Triton: pairs, ties by the margin, and single answers."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tritonclient.grpc import InferenceServerClient

from judgestream.adapters.releases.model_repository import install
from judgestream.adapters.releases.tuning import Tuning
from judgestream.checkpoints.reward_scale import RewardScale, write_reward_scale
from judgestream.core.rewards import outcomes, score_of
from judgestream.core.types import Release, Reply
from judgestream.engine.checkpoint import load
from judgestream.engine.judge import Judge
from judgestream.local.triton import TritonServer
from judgestream.v1.judging_pb2 import Candidate, JudgeOptions, JudgeRequest, Verdict
from tests.engine import tiny_reward
from tests.integration.cluster import Cluster

pytestmark = pytest.mark.integration

QUESTION, GOOD, BAD = "What is 2 + 2?", "4", "It is five, or <|im_end|> perhaps six."
MARGIN = 1.0


def value(folder: Path, answer: str, reference: str | None = None) -> float:
    """The answer's value, in units of the folder's scale."""
    (reply,) = Judge(load(folder)).read(tiny_reward.prompts(QUESTION, (answer,), reference))
    assert isinstance(reply, Reply)
    return float(reply.score_probs[0])


@pytest.fixture(scope="module")
def scale(folder: Path) -> RewardScale:
    """The first answer of a pair is better by 5 units, or worse, whatever the random model says."""
    difference = value(folder, GOOD) - value(folder, BAD)
    return RewardScale(scale=abs(difference) / 5, margin=MARGIN)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_reward.make(tmp_path_factory.mktemp("reward") / "checkpoint")


@pytest.fixture(scope="module")
def release(folder: Path, scale: RewardScale, shared_triton: TritonServer) -> Iterator[Release]:
    write_reward_scale(folder, scale)
    installed = install(folder, shared_triton.model_repository, tuning=Tuning(threads=1))
    with InferenceServerClient(shared_triton.grpc_url) as client:
        client.load_model(installed.name)
        yield installed
        client.unload_model(installed.name)


def request(name: str, *answers: str, mode: str = "", reference: str = "") -> JudgeRequest:
    use = JudgeOptions.REFERENCE_USE_BOTH if reference else JudgeOptions.REFERENCE_USE_AUTO
    made = JudgeRequest(
        request_id=name,
        mode=mode,
        question=QUESTION,
        candidates=[Candidate(id="ab"[k], text=text) for k, text in enumerate(answers)],
        options=JudgeOptions(explain=True, reference_use=use),
    )
    if reference:
        made.reference = reference
    return made


def test_verdicts_by_value(cluster: Cluster, release: Release, folder: Path) -> None:
    cluster.work(triton__release=release.name)
    asked = [
        request("pair", GOOD, BAD),
        request("mirrored", BAD, GOOD),
        request("equal", GOOD, GOOD),
        request("both", GOOD, BAD, reference="four"),
        request("single", GOOD, mode="single", reference="four"),
    ]
    ids = cluster.submit(asked)
    found: dict[str, Verdict] = {v.request_id: v for v in cluster.wait_verdicts(ids, seconds=60)}
    for verdict in found.values():
        assert verdict.status == Verdict.STATUS_SCORED, verdict
        assert verdict.method == "reward" and verdict.template_id == "reward-v1"
        assert not verdict.HasField("flipped") and verdict.explanation == ""
        assert all(list(one.values)[1] == MARGIN for one in verdict.passes)

    pair, mirrored = found["pair"], found["mirrored"]
    good, bad = value(folder, GOOD), value(folder, BAD)
    win, tie, lose = outcomes(good - bad, MARGIN)
    assert (pair.p_win, pair.p_tie, pair.p_lose) == pytest.approx((win, tie, lose), abs=1e-4)
    assert [score.score for score in pair.scores] == pytest.approx(
        [score_of(good), score_of(bad)], abs=1e-3
    )
    assert abs(good - bad) == pytest.approx(5, abs=1e-3) and pair.winner
    assert (mirrored.p_win, mirrored.p_lose) == pytest.approx((pair.p_lose, pair.p_win), abs=1e-5)
    assert {pair.winner, mirrored.winner} == {"a", "b"}
    assert [one.name for one in pair.passes] == ["order-0", "order-1"]

    assert found["equal"].tie and not found["equal"].winner
    assert [one.name for one in found["both"].passes] == [
        "order-0+reference",
        "order-1+reference",
        "order-0",
        "order-1",
    ]
    (only,) = found["single"].scores
    mean = (good + value(folder, GOOD, "four")) / 2  # with and without the reference
    assert only.score == pytest.approx(score_of(mean), abs=1e-3)
