"""One round: train on all stored examples, measure against the current judge, decide, publish.

Every step leaves a file whose existence means that it is done, written beside and renamed, so a process that
was killed anywhere goes on with the step it died in and repeats none that was finished:

    model/         trained weights           decision.json   what was decided, with the evidence
    candidate/     the checkpoint with its card and manifest, made from them
"""

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from judgestream.checkpoints.manifest import NAME, Manifest, describe, read_manifest
from judgestream.checkpoints.temperature import METHOD
from judgestream.engine.checkpoint import load
from judgestream.engine.judge import Judge
from judgestream.evaluation.gates import BEST, CURRENT, Decision, Limits, decide
from judgestream_trainer.cards.calibrate import Fitted, fit_examples
from judgestream_trainer.cards.folder import write_calibration
from judgestream_trainer.cards.report import report_of, write_into
from judgestream_trainer.cards.results import ByFormat, judge_formats
from judgestream_trainer.cards.tables import plain
from judgestream_trainer.data.example import Example
from judgestream_trainer.data.split import Shares, Side, deduplicated, split
from judgestream_trainer.failure import TrainingFailed
from judgestream_trainer.files import whole_folder, write_whole

TRAINING, MODEL = "training", "model"

FineTune = Callable[[Sequence[Example], Path, Path], Path]
"""Examples, base folder, a folder to work in -> a Hugging Face folder (weights, config, tokenizer) inside
it. Called again with the same arguments after a crash. Raises `Stopped` when it was asked to stop."""

Publish = Callable[[Path], str]
"""A checkpoint folder -> where it lies now. Called again after a crash: publishing twice is harmless."""


class Stopped(Exception):
    """The service was asked to end before the round was done; it is taken up again at the next start."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Making:
    """How judges are made here.

    base      folder that every round starts from, so that no round inherits what an earlier one spoilt
    recipe    for the manifest; `fine_tune` knows it already
    """

    name: str
    base: Path
    recipe: Mapping[str, Any]
    fine_tune: FineTune
    publish: Publish
    shares: Shares
    limits: Limits
    device: str = "cpu"


@dataclass(frozen=True, kw_only=True, slots=True)
class Material:
    """What a round works with: the examples by side, the sum over all of them, the judges to hold the new
    one against: the current one, and the best one so far."""

    number: int
    sides: Mapping[Side, Sequence[Example]]
    digest: str
    current: Path
    best: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """`location` is "" for a judge that was not published; `reasons` says why. `evidence` is the decision's
    JSON for one that is from now on the best so far, else ""."""

    candidate: Path
    location: str
    reasons: Sequence[str]
    evidence: str = ""


def sides_of(examples: Sequence[Example], shares: Shares) -> dict[Side, list[Example]]:
    """By the question alone, each comparison once."""
    return split(deduplicated(examples).examples, shares)


def run_round(making: Making, material: Material, folder: Path, console: Console) -> Result:
    """Do, or finish, one round in `folder`.

    Raises:
        Stopped: asked to end; nothing is lost.
        ConfigurationError: the recipe, the base or the store cannot be used; the round stays open.
            (A training that fails on its examples is no such error: the round is decided, with the reason.)
    """
    folder.mkdir(parents=True, exist_ok=True)
    decided = folder / "decision.json"
    if not decided.exists():
        write_whole(decided, json.dumps(_decided(making, material, folder, console), indent=2))
    _tidy(folder)
    record = json.loads(decided.read_text(encoding="utf-8"))
    candidate = folder / "candidate"
    location = making.publish(candidate) if record["publish"] else ""
    return Result(
        candidate=candidate,
        location=location,
        reasons=record["reasons"],
        evidence=json.dumps(record["evidence"]) if location and record.get("best") else "",
    )


def _decided(making: Making, material: Material, folder: Path, console: Console) -> dict[str, Any]:
    """Train and judge. A training that fails is a no, with its reason: trying again would fail again."""
    try:
        if not material.sides[Side.TRAIN]:
            raise ValueError("every example is on a held-out side; send more")
        model = _trained(making, material, folder, console)
    except (ArithmeticError, RuntimeError, ValueError, TrainingFailed) as error:
        reasons = [f"training failed: {error}"]
        return {"round": material.number, "publish": False, "reasons": reasons, "findings": []}
    decision, manifest = _judged(making, material, folder, model, console)
    return _record(material, decision, manifest)


def _trained(making: Making, material: Material, folder: Path, console: Console) -> Path:
    model = folder / MODEL
    if not model.exists():
        chosen = material.sides[Side.TRAIN]
        console.print(f"round {material.number}: training on {len(chosen)} examples", markup=False)
        os.replace(making.fine_tune(chosen, making.base, folder / TRAINING), model)
    return model


def _judged(
    making: Making, material: Material, folder: Path, model: Path, console: Console
) -> tuple[Decision, Manifest]:
    """The checkpoint with its card in `candidate`, and the decision on it."""
    candidate = folder / "candidate"
    base = _manifest(making.base)
    with whole_folder(candidate) as draft:
        shutil.copytree(model, draft, dirs_exist_ok=True)
        (draft / NAME).unlink(missing_ok=True)
        fitted = _calibrated(making, material, draft, base)
        describing = describe(
            draft,
            name=making.name,
            family=base.family,
            template_id=_template(making, base),
            max_input_tokens=base.max_input_tokens,
            recipe=making.recipe,
            data=_lineage(material, base),
            calibration=None if fitted is None else {"method": METHOD, **asdict(fitted)},
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        held_out = material.sides[Side.TEST]
        console.print(f"round {material.number}: judging {len(held_out)} held-out examples")
        new = judge_formats(_judge(making, draft, describing), held_out)
        decision = decide(new, _baselines(making, material, held_out), making.limits)
        manifest = describing
        if all(one.read for one in decision.evidence.values()) and decision.evidence:
            sources = [{"name": "held out of judge.training.v1", "examples": len(held_out)}]
            report = report_of(describing, new, sources=sources)
            manifest = write_into(report, draft, describing)
    return decision, manifest


def _baselines(
    making: Making, material: Material, held_out: Sequence[Example]
) -> dict[str, ByFormat]:
    """What the current judge says of the held-out examples, and the best one so far if it is another."""
    judges = {CURRENT: material.current}
    if material.best != material.current:
        judges[BEST] = material.best
    return {
        name: judge_formats(_judge(making, folder), held_out) for name, folder in judges.items()
    }


def _calibrated(making: Making, material: Material, draft: Path, base: Manifest) -> Fitted | None:
    chosen = material.sides[Side.VALIDATION]
    if not chosen:
        return None
    manifest = describe(
        draft,
        template_id=_template(making, base),
        max_input_tokens=base.max_input_tokens,
    )
    judge = Judge(load(draft, device=making.device, manifest=manifest), temperature=1.0)
    try:
        fitted = fit_examples(judge, chosen)
    except ValueError:  # none could be read: the gates will say so
        return None
    write_calibration(draft, fitted)
    return fitted


def _template(making: Making, base: Manifest) -> str:
    """The template that the training lines are written in; a recipe of an earlier version names none."""
    return str(making.recipe.get("template", base.template_id))


def _judge(making: Making, folder: Path, manifest: Manifest | None = None) -> Judge:
    return Judge(load(folder, device=making.device, manifest=manifest))


def _lineage(material: Material, base: Manifest) -> dict[str, Any]:
    groups = Counter(plain(example.group) for example in material.sides[Side.TRAIN])
    return {
        "source": "judge.training.v1",
        "sha256": material.digest,
        "base": {"name": base.name, "digest": base.digest},
        "examples": {str(side): len(examples) for side, examples in material.sides.items()},
        "groups": dict(groups.most_common(50)),
        "round": material.number,
    }


def _record(material: Material, decision: Decision, manifest: Manifest) -> dict[str, Any]:
    return {
        "round": material.number,
        "decided_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "candidate": {"name": manifest.name, "digest": manifest.digest},
        "current": {"folder": str(material.current), "digest": _manifest(material.current).digest},
        "best_so_far": {"folder": str(material.best), "digest": _manifest(material.best).digest},
        "reasons": decision.reasons,
        **decision.data(),
    }


def _tidy(folder: Path) -> None:
    """Keep the training's course (metrics, plots); drop its states, and weights that the candidate has."""
    for file in (folder / TRAINING).glob("*"):
        if file.is_file():
            os.replace(file, folder / file.name)
    for rest in (TRAINING, MODEL):
        shutil.rmtree(folder / rest, ignore_errors=True)


def _manifest(folder: Path) -> Manifest:
    return read_manifest(folder) if (folder / NAME).exists() else describe(folder)
