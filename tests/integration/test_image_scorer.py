"""An image scorer on real Kafka and Triton: a tiny CLIP checkpoint, against transformers' own forward."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tritonclient.grpc import InferenceServerClient
from typer.testing import CliRunner

from judgestream.adapters.releases.model_repository import install
from judgestream.adapters.releases.tuning import Tuning
from judgestream.adapters.triton.known_good import ask_known_good
from judgestream.apps.cli import main
from judgestream.core.rewards import outcomes, score_of
from judgestream.core.types import Release
from judgestream.local.triton import TritonServer
from judgestream.v1.judging_pb2 import Candidate, Image, JudgeRequest, Verdict
from tests.backends.vision import tiny_clip
from tests.images.files import image_file
from tests.integration.cluster import Cluster
from tests.suites.folders import written

pytestmark = pytest.mark.integration

CAPTION = "A red square."
FILES = (
    image_file("PNG", (40, 40), "red"),
    image_file("JPEG", (48, 32), "blue"),
    image_file("PNG", (90, 30), "green"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_clip.make(tmp_path_factory.mktemp("clip") / "checkpoint")


@pytest.fixture(scope="module")
def scorer(folder: Path, shared_triton: TritonServer) -> Iterator[Release]:
    installed = install(folder, shared_triton.model_repository, tuning=Tuning(threads=1))
    with InferenceServerClient(shared_triton.grpc_url) as client:
        client.load_model(installed.name)
        yield installed
        client.unload_model(installed.name)


def pictures(name: str, *files: bytes, mode: str = "multimodal") -> JudgeRequest:
    return JudgeRequest(
        request_id=name,
        mode=mode,
        question=CAPTION,
        candidates=[
            Candidate(id="abc"[k], images=[Image(data=file)]) for k, file in enumerate(files)
        ],
    )


def values_of(verdict: Verdict) -> list[float]:
    return [result.values[0] for result in verdict.passes]


async def test_verdicts_rest_on_the_values_of_transformers(
    cluster: Cluster, scorer: Release, folder: Path
) -> None:
    assert scorer.name.startswith("scorer-") and scorer.template_id == "image-scorer-v1"
    await ask_known_good(cluster.triton.grpc_url, scorer.name, deadline_s=10)
    cluster.work(triton__release=scorer.name, judging__too_long="cut")
    red, blue, green = FILES
    long = pictures("long", red, blue)
    long.question = tiny_clip.LONG
    both = pictures("both-images", red, blue)
    both.candidates[1].images.append(Image(data=green))
    asked = [
        pictures("pair", red, blue),
        pictures("swapped", blue, red),
        pictures("equal", red, red),
        pictures("one", green),
        pictures("three", *FILES),
        long,
        both,
        pictures("damaged", red, red[:-30]),
        JudgeRequest(
            request_id="texts", question="2+2?", candidates=[Candidate(text=t) for t in ("4", "5")]
        ),
    ]
    ids = cluster.submit(asked)
    found: dict[str, Verdict] = {v.request_id: v for v in cluster.wait_verdicts(ids, seconds=60)}

    first, second, third = tiny_clip.own_values(folder, CAPTION, *FILES)
    pair = found["pair"]
    assert values_of(pair) == pytest.approx([first, second], abs=1e-4)
    win, _, lose = outcomes(first - second, 0.0)
    assert (pair.p_win, pair.p_lose) == pytest.approx((win, lose), abs=1e-4)
    assert pair.winner == ("a" if first > second else "b")
    assert (pair.method, pair.HasField("flipped"), len(pair.passes)) == ("reward", False, 2)
    assert found["swapped"].winner != pair.winner
    assert found["equal"].tie
    assert found["one"].scores[0].score == pytest.approx(score_of(third), abs=1e-3)
    ranks = {score.candidate_id: score.rank for score in found["three"].scores}
    order = sorted("abc", key=dict(zip("abc", (first, second, third), strict=True)).__getitem__)
    assert [ranks[name] for name in order] == [3, 2, 1]
    assert {one.finish_reason for one in found["long"].passes} == {"truncated"}
    expected = tiny_clip.own_values(folder, tiny_clip.LONG, red, blue)
    assert values_of(found["long"]) == pytest.approx(expected, abs=1e-4)

    refused = {name: found[name].error_message for name in ("both-images", "damaged", "texts")}
    assert "candidates[2] has 2 images" in refused["both-images"]
    assert "cannot be decoded" in refused["damaged"]
    assert "image-scorer-v1 does not support mode pairwise" in refused["texts"]


def test_mj_bench_runs_on_an_image_scorer(
    cluster: Cluster,
    scorer: Release,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    red, blue, green = (base64.b64encode(file).decode() for file in FILES)
    captions = ("A red square.", "sea", "grass")
    pairs = [
        {"caption": caption, "image0": one, "image1": other, "label": "0"}
        for caption in captions
        for one, other in ((red, blue), (green, blue))
    ]
    people = [
        {"occupation": "baker", "image": image, "caption": "A baker."} for image in (red, blue)
    ]
    data = written(tmp_path / "data", {"pairs.jsonl": pairs, "people.jsonl": people})
    for key, value in cluster.environment(triton__release=scorer.name).items():
        if key.startswith("JUDGESTREAM_"):
            monkeypatch.setenv(key, value)
    monkeypatch.chdir(tmp_path)
    cluster.work(triton__release=scorer.name)
    asked = ["suite", "run", "mj-bench", "--data", str(data), "--timeout", "30", "--format", "json"]
    result = CliRunner().invoke(main, asked)
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)

    own = {caption: tiny_clip.own_values(folder, caption, *FILES) for caption in captions}
    right = [own[caption][image] > own[caption][1] for caption in captions for image in (0, 2)]
    assert report["figures"]["agreement"]["value"] == pytest.approx(sum(right) / len(right))
    counts = report["tables"]["counts"][0]
    assert (counts["pairs"], counts["judged"], counts["one_order"]) == (6, 6, 0)
    assert [row["threshold"] for row in report["tables"]["pairs by threshold"]][:2] == [0.0, 0.01]
    # two values, scaled to 0 and 1: no equal pair, NDS 1 - .5 / .5, GES 1 - 2 / (8 * .5)
    figures = {name: report["figures"][f"bias_{name}"]["value"] for name in ("ACC", "NDS", "GES")}
    assert figures == pytest.approx({"ACC": 0.0, "NDS": 0.0, "GES": 0.5})
