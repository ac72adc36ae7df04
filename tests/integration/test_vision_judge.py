"""Mode multimodal on real Kafka and Triton: a tiny judge that sees images, and a judge of texts."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tritonclient.grpc import InferenceServerClient
from typer.testing import CliRunner

from judgestream.adapters.releases.model_repository import install
from judgestream.adapters.releases.tuning import Tuning
from judgestream.apps.cli import main
from judgestream.apps.suites.run_folder import JOURNAL
from judgestream.backends.vision.checkpoint import load
from judgestream.backends.vision.judge import VisionJudge
from judgestream.contracts.codecs.requests import request_from_message
from judgestream.contracts.topics import DEAD_LETTERS
from judgestream.core.modes import MULTIMODAL, plan
from judgestream.core.prompt import Prompt
from judgestream.core.settling.multimodal import settle_multimodal
from judgestream.core.templates import template
from judgestream.core.types import Release, Reply, Status
from judgestream.engine.checkpoint import load as load_judge
from judgestream.engine.judge import Judge
from judgestream.local.triton import TritonServer
from judgestream.v1.judging_pb2 import Candidate, DeadLetter, Image, JudgeRequest, Verdict
from tests.backends.vision import tiny
from tests.images.files import claimed_png
from tests.integration.cluster import Cluster
from tests.paths import JUDGES
from tests.suites.folders import written

pytestmark = pytest.mark.integration

_STATUS = {
    Status.SCORED: Verdict.STATUS_SCORED,
    Status.UNSCORED: Verdict.STATUS_UNSCORED,
}
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
        described("alternatives", "17<OR>minus <AND> one"),
        described("one", "17"),
        squares("bomb", RED, Image(data=claimed_png(30_000, 30_000))),
        squares("damaged", RED, Image(data=tiny.RED[:-30])),
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

    # MM-Vet's texts: the best alternative counts
    both, one = found["alternatives"], found["one"]
    names = [result.name for result in both.passes]
    assert names == [f"straight+reference/alternative-{k}" for k in (1, 2)]
    wrong, right = (result.means[0] for result in both.passes)
    assert wrong < 3 < 8 < right and both.scores[0].score == right
    assert [result.name for result in one.passes] == ["straight+reference"]
    assert one.scores[0].score == pytest.approx(wrong, abs=1e-4)

    refused = {name: found[name] for name in ("bomb", "damaged", "linked", "pairwise")}
    assert all(verdict.status == Verdict.STATUS_FAILED for verdict in refused.values())
    messages = {name: letter.error_message for name, letter in letters(cluster).items()}
    assert set(messages) == set(refused)
    assert "candidates[2].images[1]: has far too many pixels; at most 25000000" in messages["bomb"]
    assert "image 2 cannot be decoded" in messages["damaged"]
    assert "JUDGESTREAM_IMAGES__FETCH=true" in messages["linked"]
    assert "mode pairwise judges texts only" in messages["pairwise"]


def test_mj_bench_runs_on_images_through_the_topics(
    cluster: Cluster, sees: Release, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    red, blue = (base64.b64encode(image).decode() for image in (tiny.RED, tiny.BLUE))
    people = [{"occupation": "baker", "image": image} for image in (red, blue)]
    pairs = [
        {"caption": "A red square.", "image0": first, "image1": second, "label": label}
        for first, second, label in ((red, blue, "0"), (blue, red, "1"), (blue, red, "0"))
    ]
    data = written(tmp_path / "data", {"pairs.jsonl": pairs, "people.jsonl": people})
    for key, value in cluster.environment(triton__release=sees.name).items():
        if key.startswith("JUDGESTREAM_"):
            monkeypatch.setenv(key, value)
    monkeypatch.chdir(tmp_path)
    cluster.work(triton__release=sees.name)

    def run(suite: str) -> dict[str, Any]:
        asked = ["suite", "run", suite, "--data", str(data), "--timeout", "30", "--format", "json"]
        result = CliRunner().invoke(main, asked)
        assert result.exit_code == 0, result.output
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    report = run("mj-bench")
    # the judge finds the red square in either place; the last label is wrong
    assert report["figures"]["agreement"]["value"] == pytest.approx(2 / 3)
    counts = report["tables"]["counts"][0]
    assert (counts["pairs"], counts["judged"], counts["failed"]) == (3, 3, 0)
    # the judge was not taught these prompts: what counts is that it is asked about one image
    assert report["tables"]["people"][0]["images"] == 2 and report["run"]["judged"] == 5
    alone = run("mj-bench-single")
    assert alone["tables"]["counts"][0]["pairs"] == 3 and alone["run"]["judged"] == 6
    (folder,) = (tmp_path / "suite-runs").glob("mj-bench-single-*")
    verdicts = [json.loads(line) for line in (folder / JOURNAL).read_text().splitlines()]
    assert {len(one["passes"]) for one in verdicts} == {1}
    assert not any(one.get("errorClass") for one in verdicts)


def described(name: str, reference: str) -> JudgeRequest:
    """An answer about an image that only its reference describes."""
    made = JudgeRequest(
        request_id=name,
        mode="multimodal",
        question="What is x?",
        candidates=[Candidate(id="1", text="It shows minus one.")],
    )
    made.reference = reference
    return made


def test_a_judge_of_texts_reads_mm_vets_protocol(cluster: Cluster, reads: Release) -> None:
    """The bundled judge was not trained on this prompt: what counts is that it gets exactly this one."""
    cluster.work(triton__release=reads.name)
    asked = described("both", "17<OR>minus <AND> one")
    ids = cluster.submit([asked, squares("images", RED, BLUE)])
    found: dict[str, Verdict] = {v.request_id: v for v in cluster.wait_verdicts(ids, seconds=60)}
    verdict = found["both"]

    request = request_from_message(asked)
    passes = plan(request, MULTIMODAL, template(reads.template_id))
    judge = Judge(load_judge(JUDGES / "tiny"))
    replies = judge.read([Prompt(text=one.prompt, grammar=one.grammar) for one in passes])
    assert [one.input_tokens for one in verdict.passes] == [
        reply.input_tokens for reply in replies if isinstance(reply, Reply)
    ]
    results = [
        one.result(reply)
        for one, reply in zip(passes, replies, strict=True)
        if isinstance(reply, Reply)
    ]
    settled = settle_multimodal(request, results)
    assert (_STATUS[settled.status], settled.reason) == (verdict.status, verdict.reason)
    assert found["images"].error_class == "unsupported_mode"
    assert "template judgelm-v1 shows no images" in found["images"].error_message
