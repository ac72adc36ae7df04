"""A training cycle with real judges: only a better one is published; a crash repeats no finished step."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file, save_file

from judgestream.checkpoints.manifest import FILE_NAME, read_manifest, verify
from judgestream_trainer.continuous.cycle import (
    CycleInput,
    CycleSettings,
    Stopped,
    split_examples,
    training_cycle,
)
from judgestream_trainer.continuous.limits import Limits
from judgestream_trainer.data.example import Example
from judgestream_trainer.data.split import Shares, Side
from judgestream_trainer.publishing.upload import publishable
from judgestream_trainer.tasks import FAMILIES, items
from tests.paths import JUDGES

TINY = JUDGES / "tiny"
SHARES = Shares(test=0.4, validation=0.2)
QUIET = Console(quiet=True)


class Killed(BaseException):
    """Like SIGKILL: no clean-up runs."""


class Lab:
    """A damaged base, and a fake training that copies a judge; counts the calls.

    `outcome` is the folder that training copies: the bundled judge (better), or the base itself.
    """

    def __init__(self, folder: Path) -> None:
        self.base = weak(folder / "base")
        self.outcome = TINY
        self.trained = 0
        self.published: list[str] = []
        self.die_after = ""

    def fine_tune(self, examples: Sequence[Example], base: Path, work: Path) -> Path:
        assert examples and base == self.base
        work.mkdir(exist_ok=True)
        if self.die_after == "half of training":
            raise Killed
        out = work / "out"
        shutil.copytree(self.outcome, out, dirs_exist_ok=True)
        for name in (FILE_NAME, "EVALUATION.md", "evaluation.json", "calibration.json"):
            (out / name).unlink(missing_ok=True)
        self.trained += 1
        return out

    def publish(self, candidate: Path) -> str:
        if self.die_after == "deciding":
            raise Killed
        self.published.append(publishable(candidate).digest)
        return f"memory://{candidate.name}"

    def settings(self) -> CycleSettings:
        return CycleSettings(
            name="mine",
            base=self.base,
            recipe={"name": "recipe"},
            fine_tune=self.fine_tune,
            publish=self.publish,
            shares=SHARES,
            limits=Limits(least_examples=10, most_loss=0.25),
        )

    def inputs(self) -> CycleInput:
        sides = split_examples(EXAMPLES, SHARES)
        return CycleInput(number=1, sides=sides, digest="d", current=self.base, best=self.base)


def weak(folder: Path) -> Path:
    """The bundled judge with a layer knocked out: it reads, writes scores, and judges badly."""
    shutil.copytree(TINY, folder)
    (folder / FILE_NAME).unlink()
    weights = load_file(folder / "model.safetensors")
    for name, tensor in weights.items():
        if ".layers.2.self_attn.o_proj" in name or ".layers.3.self_attn.o_proj" in name:
            weights[name] = torch.zeros_like(tensor)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


EXAMPLES = [
    item.example
    for family in FAMILIES.values()
    for item in islice(items(family, seed=5, held_out=True), 14)
]


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def decision(folder: Path) -> dict[str, object]:
    return dict(json.loads((folder / "decision.json").read_text()))


def test_no_held_out_question_is_trained_on() -> None:
    sides = split_examples(EXAMPLES, SHARES)
    questions = {side: {one.question for one in some} for side, some in sides.items()}
    assert all(len(some) > 3 for some in questions.values())
    assert not questions[Side.TRAIN] & (questions[Side.TEST] | questions[Side.VALIDATION])


def test_a_better_judge_is_published_with_card_lineage_and_decision(
    lab: Lab, tmp_path: Path
) -> None:
    result = training_cycle(lab.settings(), lab.inputs(), tmp_path / "cycle", QUIET)
    assert result.location == "memory://candidate"
    assert result.reasons == []
    manifest = read_manifest(result.candidate)
    verify(result.candidate, manifest)
    assert lab.published == [manifest.digest]
    assert manifest.name == "mine"
    assert manifest.data["base"]["digest"] != manifest.digest
    assert manifest.data["examples"]["train"] == len(lab.inputs().sides[Side.TRAIN])
    assert manifest.evaluation["with_reference"]["accuracy"] > 0.8
    record = decision(tmp_path / "cycle")
    assert record["publish"] is True
    assert len(record["findings"]) == 8  # type: ignore[arg-type]
    assert sorted(p.name for p in (tmp_path / "cycle").iterdir()) == ["candidate", "decision.json"]


def test_a_worse_judge_is_not_published_and_the_decision_says_why(lab: Lab, tmp_path: Path) -> None:
    lab.outcome = lab.base
    inputs = replace(lab.inputs(), current=TINY, best=TINY)
    result = training_cycle(lab.settings(), inputs, tmp_path / "cycle", QUIET)
    assert result.location == ""
    assert any("labels" in reason for reason in result.reasons)
    assert lab.published == []
    assert decision(tmp_path / "cycle")["publish"] is False


def test_a_judge_that_is_significantly_better_becomes_the_best(lab: Lab, tmp_path: Path) -> None:
    sides = split_examples(EXAMPLES, Shares(test=0.85, validation=0.05))
    inputs = replace(lab.inputs(), sides=sides)
    result = training_cycle(lab.settings(), inputs, tmp_path / "cycle", QUIET)
    assert json.loads(result.evidence).keys() == {"with_reference", "without_reference"}


def test_a_judge_that_beats_a_weak_current_one_is_still_compared_with_the_best(
    lab: Lab, tmp_path: Path
) -> None:
    lab.outcome = lab.base
    inputs = replace(lab.inputs(), best=TINY)
    result = training_cycle(lab.settings(), inputs, tmp_path / "cycle", QUIET)
    assert (result.location, result.evidence) == ("", "")
    assert any("against the best judge so far" in reason for reason in result.reasons)


def test_too_few_held_out_examples_publish_nothing(lab: Lab, tmp_path: Path) -> None:
    settings = replace(lab.settings(), limits=Limits(least_examples=10_000))
    result = training_cycle(settings, lab.inputs(), tmp_path / "cycle", QUIET)
    assert lab.published == []
    assert "10000 are needed" in result.reasons[0]


def test_a_failed_training_publishes_nothing_and_keeps_its_reason(lab: Lab, tmp_path: Path) -> None:
    def fail(examples: Sequence[Example], base: Path, work: Path) -> Path:
        raise FloatingPointError("the loss of step 3 is nan")

    settings = replace(lab.settings(), fine_tune=fail)
    result = training_cycle(settings, lab.inputs(), tmp_path / "cycle", QUIET)
    assert result.reasons == ["training failed: the loss of step 3 is nan"]
    assert lab.published == []


def test_a_judge_with_unreadable_replies_is_never_published(lab: Lab, tmp_path: Path) -> None:
    unreadable = weak(tmp_path / "unreadable")
    weights = load_file(unreadable / "model.safetensors")
    generator = torch.Generator().manual_seed(1)
    noise = {name: torch.randn(t.shape, generator=generator) for name, t in weights.items()}
    save_file(noise, unreadable / "model.safetensors", metadata={"format": "pt"})
    lab.outcome = unreadable
    result = training_cycle(lab.settings(), lab.inputs(), tmp_path / "cycle", QUIET)
    assert result.location == ""
    assert any("unreadable" in reason for reason in result.reasons)


@pytest.mark.parametrize("moment", ["half of training", "deciding"])
def test_a_killed_cycle_continues_and_publishes_once(lab: Lab, tmp_path: Path, moment: str) -> None:
    folder = tmp_path / "cycle"
    lab.die_after = moment
    with pytest.raises(Killed):
        training_cycle(lab.settings(), lab.inputs(), folder, QUIET)
    assert lab.published == []
    lab.die_after = ""
    result = training_cycle(lab.settings(), lab.inputs(), folder, QUIET)
    assert lab.trained == 1
    assert lab.published == [read_manifest(result.candidate).digest]


def test_a_stop_leaves_the_cycle_open(lab: Lab, tmp_path: Path) -> None:
    def stop(examples: Sequence[Example], base: Path, work: Path) -> Path:
        raise Stopped

    with pytest.raises(Stopped):
        training_cycle(
            replace(lab.settings(), fine_tune=stop), lab.inputs(), tmp_path / "cycle", QUIET
        )
    assert not (tmp_path / "cycle" / "decision.json").exists()
