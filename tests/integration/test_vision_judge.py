"""Mode multimodal on real Kafka and Triton: a tiny judge that sees images, and a judge of texts."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tritonclient.grpc import InferenceServerClient

from judgestream.adapters.releases.model_repository import install
from judgestream.adapters.releases.tuning import Tuning
from judgestream.backends.vision.checkpoint import load
from judgestream.backends.vision.judge import VisionJudge
from judgestream.contracts.topics import DEAD_LETTERS
from judgestream.core.types import Release, Reply
from judgestream.local.triton import TritonServer
from judgestream.v1.judging_pb2 import Candidate, DeadLetter, Image, JudgeRequest, Verdict
from tests.backends.vision import tiny
from tests.images.files import claimed_png
from tests.integration.cluster import Cluster
from tests.paths import JUDGES

pytestmark = pytest.mark.integration

RED, BLUE = Image(data=tiny.RED), Image(data=tiny.BLUE, media_type="image/jpeg")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.make_taught(tmp_path_factory.mktemp("llava") / "checkpoint")


def loaded(triton: TritonServer, folder: Path) -> Iterator[Release]:
    installed = install(folder, triton.model_repository, tuning=Tuning(threads=1))
    with InferenceServerClient(triton.grpc_url) as client:
        client.load_model(installed.name)
        yield installed
        client.unload_model(installed.name)


@pytest.fixture(scope="module")
def sees(folder: Path, shared_triton: TritonServer) -> Iterator[Release]:
    yield from loaded(shared_triton, folder)


@pytest.fixture(scope="module")
def reads(shared_triton: TritonServer) -> Iterator[Release]:
    yield from loaded(shared_triton, JUDGES / "tiny")


def squares(name: str, *images: Image, mode: str = "multimodal") -> JudgeRequest:
    """Which of these images shows a red square?"""
    return JudgeRequest(
        request_id=name,
        mode=mode,
        question="A red square.",
        candidates=[Candidate(id="ab"[k], images=[image]) for k, image in enumerate(images)],
    )


def coloured(name: str, image: Image) -> JudgeRequest:
    """Is the answer "red" right about this image?"""
    return JudgeRequest(
        request_id=name,
        mode="multimodal",
        question="Which colour?",
        images=[image],
        candidates=[Candidate(text="red")],
    )


def letters(cluster: Cluster) -> dict[str, DeadLetter]:
    found = [DeadLetter.FromString(one.value) for _, one in cluster.records(DEAD_LETTERS)]
    return {letter.request_id: letter for letter in found}


def test_verdicts_depend_on_the_images(cluster: Cluster, sees: Release, folder: Path) -> None:
    assert sees.name.startswith("vision-") and sees.template_id == "llava-v1"
    cluster.work(triton__release=sees.name)
    asked = [
        squares("red-first", RED, BLUE),
        squares("blue-first", BLUE, RED),
        coloured("red", RED),
        coloured("blue", BLUE),
        JudgeRequest(
            request_id="texts", question="2+2?", candidates=[Candidate(text=t) for t in ("4", "5")]
        ),
        squares("bomb", RED, Image(data=claimed_png(30_000, 30_000))),
        squares("damaged", RED, Image(data=tiny.BLUE[:200])),
        squares("linked", RED, Image(url="http://169.254.169.254/latest/meta-data/")),
        squares("pairwise", RED, BLUE, mode="pairwise"),
    ]
    ids = cluster.submit(asked)
    found: dict[str, Verdict] = {v.request_id: v for v in cluster.wait_verdicts(ids, seconds=60)}

    first, second = found["red-first"], found["blue-first"]
    assert (first.winner, second.winner) == ("a", "b")
    assert first.p_win > 0.9 and not first.flipped
    assert (second.p_lose, second.p_win) == pytest.approx((first.p_win, first.p_lose), abs=1e-5)
    assert found["red"].scores[0].score > 9 and found["blue"].scores[0].score < 2
    # texts are answered too, by a judge that was taught images only
    assert [one.finish_reason for one in found["texts"].passes] == ["stop", "stop"]

    # the same checkpoint in this process gives the same scores
    (reply,) = VisionJudge(load(folder)).read([tiny.LESSONS[2][0]])
    assert isinstance(reply, Reply)
    expected = sum(k * p for k, p in enumerate(reply.score_probs, start=1)) / sum(reply.score_probs)
    assert found["red"].scores[0].score == pytest.approx(expected, abs=1e-4)

    refused = {name: found[name] for name in ("bomb", "damaged", "linked", "pairwise")}
    assert all(verdict.status == Verdict.STATUS_FAILED for verdict in refused.values())
    messages = {name: letter.error_message for name, letter in letters(cluster).items()}
    assert set(messages) == set(refused)
    assert "candidates[2].images[1]: has 30000 x 30000 pixels" in messages["bomb"]
    assert "image 2 cannot be decoded" in messages["damaged"]
    assert "JUDGESTREAM_IMAGES__FETCH=true" in messages["linked"]
    assert "mode pairwise judges texts only" in messages["pairwise"]


def test_mm_vets_text_protocol_takes_the_best_alternative(cluster: Cluster, reads: Release) -> None:
    cluster.work(triton__release=reads.name)
    answer = Candidate(text="It shows minus one.")
    both = JudgeRequest(
        request_id="both",
        mode="multimodal",
        question="What is x?",
        candidates=[answer],
        reference="17<OR>minus <AND> one",
    )
    one = JudgeRequest(
        request_id="one", mode="multimodal", question="What is x?", candidates=[answer]
    )
    one.reference = "17"
    ids = cluster.submit([both, one, squares("images", RED, BLUE)])
    found: dict[str, Verdict] = {v.request_id: v for v in cluster.wait_verdicts(ids, seconds=60)}
    verdict = found["both"]
    assert verdict.status == Verdict.STATUS_SCORED, verdict.reason
    assert [one.name for one in verdict.passes] == [
        "straight+reference/alternative-1",
        "straight+reference/alternative-2",
    ]
    assert verdict.scores[0].score == pytest.approx(max(one.means[0] for one in verdict.passes))
    assert [one.name for one in found["one"].passes] == ["straight+reference"]
    assert found["images"].error_class == "unsupported_mode"
    assert "template judgelm-v1 shows no images" in found["images"].error_message
