"""The card of a bundled judge, measured again without training."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from judgestream.checkpoints.manifest import FILE_NAME, Manifest, read_manifest, verify
from judgestream.core.errors import ConfigurationError
from judgestream.engine.checkpoint import load
from judgestream.engine.judge import Judge
from judgestream.terminal.exit_codes import ExitCode
from judgestream_trainer.cards.bundled import Card, TrainingRecord, measure
from judgestream_trainer.cards.calibrate import evaluate_temperature, family_items, read_joints
from judgestream_trainer.cards.folder import CARD, PAGE, write_card
from judgestream_trainer.cards.out_of_domain import with_out_of_domain
from judgestream_trainer.cards.plots import FOLDER
from judgestream_trainer.cards.tables import Ablation
from judgestream_trainer.files import whole_folder
from judgestream_trainer.jobs.evaluate import read_ablation
from judgestream_trainer.recipe import Recipe, load_recipe


def card(
    folder: Path,
    *,
    recipe_file: Path,
    foreign: Path | None,
    ablation_file: Path | None,
    console: Console,
) -> ExitCode:
    """Replace the card in `folder`. Weights, tokenizer, temperature and so the digest stay the same."""
    recipe = load_recipe(recipe_file)
    manifest = read_manifest(folder)
    verify(folder, manifest)
    earlier = provenance(folder)
    with whole_folder(folder) as draft:
        shutil.copytree(folder, draft, dirs_exist_ok=True)
        for name in (CARD, PAGE, FILE_NAME):
            (draft / name).unlink(missing_ok=True)
        shutil.rmtree(draft / FOLDER, ignore_errors=True)
        measured_card = _measured(draft, manifest, recipe, earlier)
        if foreign is not None:
            measured_card = with_out_of_domain(
                measured_card, Judge(load(draft, manifest=manifest)), foreign
            )
        if ablation_file is not None:
            note, ablation = read_ablation(ablation_file)
            measured_card = replace(measured_card, ablation=ablation, ablation_note=note)
        revised = write_card(
            draft, measured_card, recipe, name=manifest.name, created_at=manifest.created_at
        )
    if revised.digest != manifest.digest:
        raise AssertionError(f"the digest of {folder} has changed: a model file was touched")
    console.print(f"the card is {folder / PAGE}", markup=False)
    return ExitCode.OK


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """The parts of a card that a new measurement keeps: the training record, the temperature, and figures
    whose data may be missing here."""

    training: TrainingRecord
    temperature: float
    foreign: Mapping[str, Any] | None
    ablation: Ablation | None
    ablation_note: str


def provenance(folder: Path) -> Provenance:
    """The provenance of the judge in `folder`, from its card.

    Raises:
        ConfigurationError: the card is missing or malformed.
    """
    try:
        data = json.loads((folder / CARD).read_text(encoding="utf-8"))
        return Provenance(
            training=TrainingRecord(**data["training"]),
            temperature=float(data["calibration"]["temperature"]),
            foreign=data.get("foreign"),
            ablation=data.get("ablation"),
            ablation_note=data.get("ablation_note", ""),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{folder / CARD} is not the card of a bundled judge ({error!r}): use `judgestream evaluate`"
            " for other checkpoints"
        ) from error


def _measured(folder: Path, manifest: Manifest, recipe: Recipe, earlier: Provenance) -> Card:
    """The new card of the judge in `folder`, at its present temperature."""
    bare = Judge(load(folder, manifest=manifest), temperature=1.0)
    joints, truths, unread = read_joints(bare, family_items(recipe))
    fitted = evaluate_temperature(joints, truths, earlier.temperature, unread=unread)
    judge = Judge(load(folder, manifest=manifest))
    card = measure(judge, recipe, earlier.training, fitted)
    return replace(
        card,
        out_of_domain=earlier.foreign,
        ablation=earlier.ablation,
        ablation_note=earlier.ablation_note,
    )
