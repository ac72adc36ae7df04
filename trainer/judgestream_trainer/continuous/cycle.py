"""One training cycle: train on all stored examples, compare with the current judge, decide, publish.

Every step ends by renaming a finished file or folder into place. A process that was killed continues with the
step it died in and repeats no finished one:

    model/         trained weights           decision.json   the decision with its evidence
    candidate/     the checkpoint made from them, with card and manifest
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

from judgestream.checkpoints.describing import describe, manifest_of
from judgestream.checkpoints.manifest import FILE_NAME, Manifest
from judgestream.checkpoints.temperature import METHOD
from judgestream.engine.checkpoint import load
from judgestream.engine.judge import Judge
from judgestream.telemetry.spans import Kind, current
from judgestream_trainer.cards.calibrate import Fitted, fit_examples
from judgestream_trainer.cards.folder import write_calibration
from judgestream_trainer.cards.report import report_of, write_into
from judgestream_trainer.cards.results import ByFormat, judge_formats
from judgestream_trainer.cards.tables import plain
from judgestream_trainer.continuous.gate import BEST, CURRENT, Publication, decided
from judgestream_trainer.continuous.limits import Limits
from judgestream_trainer.data.example import Example
from judgestream_trainer.data.split import Shares, Side, deduplicated, split
from judgestream_trainer.failure import TrainingFailed
from judgestream_trainer.files import whole_folder, write_whole

TRAINING, MODEL = "training", "model"

FineTune = Callable[[Sequence[Example], Path, Path], Path]
"""Examples, base folder, work folder -> a Hugging Face folder (weights, config, tokenizer) inside the work
folder. Called again with the same arguments after a crash. Raises `Stopped` when it was asked to stop."""

Publish = Callable[[Path], str]
"""A checkpoint folder -> its published location. Called again after a crash: it must be idempotent."""


class Stopped(Exception):
    """The service was asked to stop during a cycle. The next start continues the cycle."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CycleSettings:
    """The settings that all cycles share.

    base      folder that every cycle starts from, so that no cycle inherits an earlier one's damage
    recipe    for the manifest; `fine_tune` has its own copy
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
class CycleInput:
    """The input of one cycle: the examples by side, the digest of all of them, and the judges to compare
    with, which are the current one and the best one so far."""

    number: int
    sides: Mapping[Side, Sequence[Example]]
    digest: str
    current: Path
    best: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class CycleResult:
    """`location` is "" for a judge that was not published; `reasons` says why. `evidence` is the
    held-out counts as JSON if the judge is the new best one, otherwise ""."""

    candidate: Path
    location: str
    reasons: Sequence[str]
    evidence: str = ""


def split_examples(examples: Sequence[Example], shares: Shares) -> dict[Side, list[Example]]:
    """The examples by side, each comparison once. The question alone decides the side."""
    return split(deduplicated(examples).examples, shares)


def training_cycle(
    settings: CycleSettings, inputs: CycleInput, folder: Path, console: Console
) -> CycleResult:
    """Run one cycle in `folder`, or finish one that was interrupted.

    Raises:
        Stopped: asked to stop; the cycle stays open.
        ConfigurationError: recipe, base or store cannot be used; the cycle stays open. A training that fails
        on
            its examples is not such an error: its judge is refused, with the reason.
    """
    folder.mkdir(parents=True, exist_ok=True)
    decision_file = folder / "decision.json"
    if not decision_file.exists():
        write_whole(
            decision_file, json.dumps(_decided(settings, inputs, folder, console), indent=2)
        )
    _tidy(folder)
    record = json.loads(decision_file.read_text(encoding="utf-8"))
    candidate = folder / "candidate"
    location = ""
    if record["publish"]:
        with current().child("publish", Kind.INTERNAL):
            location = settings.publish(candidate)
    return CycleResult(
        candidate=candidate,
        location=location,
        reasons=record["reasons"],
        evidence=json.dumps(record["evidence"]) if location and record.get("best") else "",
    )


def _decided(
    settings: CycleSettings, inputs: CycleInput, folder: Path, console: Console
) -> dict[str, Any]:
    """Train and judge. A training that fails is refused with its reason: a retry would fail again."""
    try:
        if not inputs.sides[Side.TRAIN]:
            raise ValueError("every example is held out: send more examples")
        with current().child("train", Kind.INTERNAL):
            model = _trained(settings, inputs, folder, console)
    except (ArithmeticError, RuntimeError, ValueError, TrainingFailed) as error:
        reasons = [f"training failed: {error}"]
        return {"round": inputs.number, "publish": False, "reasons": reasons, "findings": []}
    with current().child("evaluate", Kind.INTERNAL) as span:
        publication, manifest = _judged(settings, inputs, folder, model, console)
        span.put({"judgestream.release": manifest.name, "judgestream.digest": manifest.digest})
    return _record(inputs, publication, manifest)


def _trained(settings: CycleSettings, inputs: CycleInput, folder: Path, console: Console) -> Path:
    model = folder / MODEL
    if not model.exists():
        chosen = inputs.sides[Side.TRAIN]
        console.print(
            f"training cycle {inputs.number}: training on {len(chosen)} examples", markup=False
        )
        os.replace(settings.fine_tune(chosen, settings.base, folder / TRAINING), model)
    return model


def _judged(
    settings: CycleSettings, inputs: CycleInput, folder: Path, model: Path, console: Console
) -> tuple[Publication, Manifest]:
    """Write the checkpoint with its card to `candidate`, and decide on it."""
    candidate = folder / "candidate"
    base = manifest_of(settings.base)
    with whole_folder(candidate) as draft:
        shutil.copytree(model, draft, dirs_exist_ok=True)
        (draft / FILE_NAME).unlink(missing_ok=True)
        fitted = _calibrated(settings, inputs, draft, base)
        describing = describe(
            draft,
            name=settings.name,
            family=base.family,
            template_id=_template(settings, base),
            max_input_tokens=base.max_input_tokens,
            recipe=settings.recipe,
            data=_lineage(inputs, base),
            calibration=None if fitted is None else {"method": METHOD, **asdict(fitted)},
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        held_out = inputs.sides[Side.TEST]
        console.print(f"training cycle {inputs.number}: judging {len(held_out)} held-out examples")
        new = judge_formats(_judge(settings, draft, describing), held_out)
        publication = decided(new, _baselines(settings, inputs, held_out), settings.limits)
        manifest = describing
        if publication.held_out and all(one.read for one in publication.held_out.values()):
            sources = [{"name": "held out of judge.training.v1", "examples": len(held_out)}]
            report = report_of(describing, new, sources=sources)
            manifest = write_into(report, draft, describing)
    return publication, manifest


def _baselines(
    settings: CycleSettings, inputs: CycleInput, held_out: Sequence[Example]
) -> dict[str, ByFormat]:
    """The verdicts of the current judge on the held-out examples, and of the best one if it differs."""
    judges = {CURRENT: inputs.current}
    if inputs.best != inputs.current:
        judges[BEST] = inputs.best
    return {
        name: judge_formats(_judge(settings, folder), held_out) for name, folder in judges.items()
    }


def _calibrated(
    settings: CycleSettings, inputs: CycleInput, draft: Path, base: Manifest
) -> Fitted | None:
    chosen = inputs.sides[Side.VALIDATION]
    if not chosen:
        return None
    manifest = describe(
        draft,
        template_id=_template(settings, base),
        max_input_tokens=base.max_input_tokens,
    )
    judge = Judge(load(draft, device=settings.device, manifest=manifest), temperature=1.0)
    try:
        fitted = fit_examples(judge, chosen)
    except ValueError:
        # no reply could be parsed; the gate reports that
        return None
    write_calibration(draft, fitted)
    return fitted


def _template(settings: CycleSettings, base: Manifest) -> str:
    """The template of the training targets; a recipe of an earlier version does not name one."""
    return str(settings.recipe.get("template", base.template_id))


def _judge(settings: CycleSettings, folder: Path, manifest: Manifest | None = None) -> Judge:
    return Judge(load(folder, device=settings.device, manifest=manifest))


def _lineage(inputs: CycleInput, base: Manifest) -> dict[str, Any]:
    groups = Counter(plain(example.group) for example in inputs.sides[Side.TRAIN])
    return {
        "source": "judge.training.v1",
        "sha256": inputs.digest,
        "base": {"name": base.name, "digest": base.digest},
        "examples": {str(side): len(examples) for side, examples in inputs.sides.items()},
        "groups": dict(groups.most_common(50)),
        "round": inputs.number,
    }


def _record(inputs: CycleInput, publication: Publication, manifest: Manifest) -> dict[str, Any]:
    return {
        "round": inputs.number,
        "decided_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "candidate": {"name": manifest.name, "digest": manifest.digest},
        "current": {"folder": str(inputs.current), "digest": manifest_of(inputs.current).digest},
        "best_so_far": {"folder": str(inputs.best), "digest": manifest_of(inputs.best).digest},
        **publication.data(),
    }


def _tidy(folder: Path) -> None:
    """Keep metrics and plots; remove training checkpoints, and the weights that the candidate has too."""
    for file in (folder / TRAINING).glob("*"):
        if file.is_file():
            os.replace(file, folder / file.name)
    for rest in (TRAINING, MODEL):
        shutil.rmtree(folder / rest, ignore_errors=True)
