"""`judgestream calibrate` and `judgestream evaluate` for a reward model, from arguments to files."""

import json
import random
from pathlib import Path

import pytest

from judgestream.checkpoints.manifest import read_manifest, verify
from judgestream.checkpoints.reward_scale import read_reward_scale
from judgestream.contracts.codecs.requests import NO_TIME
from judgestream.core.preference import Preference
from judgestream.core.rewards import outcomes
from judgestream.core.types import Reply
from judgestream.engine.checkpoint import load
from judgestream.engine.judge import Judge
from judgestream_trainer.data.example import Example, Judgement
from judgestream_trainer.data.topic import json_line
from tests.engine import tiny_reward
from tests.paths import JUDGES
from tests.trainer.command_line import captured

SCALE, MARGIN = 3.0, 0.8
PAIRS = 400


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_reward.make(tmp_path_factory.mktemp("reward") / "checkpoint")


@pytest.fixture(scope="module")
def data(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs whose labels are drawn from the model's own values, at a known scale and margin."""
    draw = random.Random(5)
    pairs = [
        (f"Question {k}?", (f"{draw.random()}", f"perhaps {draw.random()}")) for k in range(PAIRS)
    ]
    prompts = [p for question, answers in pairs for p in tiny_reward.prompts(question, answers)]
    values = [
        r.score_probs[0] for r in Judge(load(checkpoint)).read(prompts) if isinstance(r, Reply)
    ]
    lines = []
    for k, (question, answers) in enumerate(pairs):
        win, tie, _ = outcomes((values[2 * k] - values[2 * k + 1]) / SCALE, MARGIN)
        at = draw.random()
        side = Preference.FIRST if at < win else Preference(-(at >= win + tie))
        example = Example(
            id=str(k),
            question=question,
            answers=answers,
            blind=Judgement(scores=(5.0 + side, 5.0 - side)),
        )
        lines.append(json_line(example, labelled_at=NO_TIME))
    path = tmp_path_factory.mktemp("data") / "labelled.jsonl"
    path.write_text("".join(lines))
    return path


def test_the_scale_of_the_labels_is_found_and_written(
    checkpoint: Path, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "calibrated"
    arguments = ["calibrate", "--checkpoint", str(checkpoint), "--data", str(data)]
    code, said = captured([*arguments, "--out", str(out), "--format", "json"])
    assert code == 0, said
    manifest = read_manifest(out)
    verify(out, manifest)
    record = manifest.calibration
    assert record is not None and record["n"] == PAIRS
    assert abs(record["scale"] - SCALE) < 3 * record["scale_error"]
    assert abs(record["margin"] - MARGIN) < 3 * record["margin_error"]
    scale = read_reward_scale(out)
    assert (scale.scale, scale.margin) == (record["scale"], record["margin"])
    assert scale.fitted and (manifest.family, manifest.template_id) == ("reward", "reward-v1")
    assert not (checkpoint / "manifest.json").exists()  # the given folder is unchanged
    code, said = captured([*arguments, "--out", str(out)])
    assert code == 2 and "exists already" in said

    code, said = captured(["evaluate", "--checkpoint", str(out), "--data", str(data)])
    assert code == 0, said
    card = json.loads((out / "evaluation.json").read_text())
    figures = card["overall"]["without_reference"]
    assert figures["n"] == PAIRS and figures["consistency"]["share"] == 1.0
    assert figures["unscored"]["share"] == 0.0
    right = record["right"] / PAIRS
    assert figures["accuracy"]["share"] == pytest.approx(right)
    assert read_manifest(out).digest == manifest.digest

    again = tmp_path / "again"  # a card of other probabilities is not copied
    code, said = captured(
        ["calibrate", "--checkpoint", str(out), "--data", str(data), "--out", str(again)]
    )
    assert code == 0 and "400, " in said, said
    assert not (again / "evaluation.json").exists() and not (again / "plots").exists()
    assert read_manifest(again).digest == manifest.digest
    assert "the tie margin is" in (out / "EVALUATION.md").read_text()


def test_what_determines_no_scale_writes_nothing(
    checkpoint: Path, data: Path, tmp_path: Path
) -> None:
    few = tmp_path / "few.jsonl"
    few.write_text("".join(data.read_text().splitlines(keepends=True)[:20]))
    arguments = ["calibrate", "--data", str(few), "--out", str(tmp_path / "out")]
    code, said = captured([*arguments, "--checkpoint", str(checkpoint)])
    assert code == 1 and "20 pairs are too few" in said
    code, said = captured([*arguments, "--checkpoint", str(JUDGES / "tiny")])
    assert code == 2 and "is not a reward model" in said.replace("\n", " ")
    assert not (tmp_path / "out").exists()
