"""`judgestream card`: measure a bundled judge anew, without training, and add what is known since."""

import json
import shutil
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from judgestream.checkpoints.manifest import NAME, Manifest, read_manifest, verify
from judgestream.core.errors import ConfigurationError
from judgestream.engine.checkpoint import load
from judgestream.engine.judge import Judge
from judgestream_trainer.cards.bundled import Card, TrainingRecord, measure
from judgestream_trainer.cards.calibrate import evaluate_temperature, family_items, read_joints
from judgestream_trainer.cards.folder import CARD, PAGE, write_card
from judgestream_trainer.cards.out_of_domain import with_out_of_domain
from judgestream_trainer.cards.plots import FOLDER
from judgestream_trainer.cards.tables import Ablation
from judgestream_trainer.commands.evaluate import read_ablation
from judgestream_trainer.files import whole_folder
from judgestream_trainer.recipe import Recipe, load_recipe


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--checkpoint", type=Path, required=True, help="what `judge` has written")
    parser.add_argument("--recipe", type=Path, required=True, help="the recipe that it was made by")
    parser.add_argument("--foreign", type=Path, help="PandaLM's testset-v1.json, to report on it")
    parser.add_argument(
        "--ablation",
        type=Path,
        help='JSON to show: {"note": ..., "rows": {variant: {figure: [mean, sd]}}}',
    )


def run(args: Namespace, console: Console) -> int:
    """The digest stays: weights, tokenizer and temperature are not touched."""
    folder: Path = args.checkpoint
    recipe = load_recipe(args.recipe)
    manifest = read_manifest(folder)
    verify(folder, manifest)
    earlier = made(folder)
    with whole_folder(folder) as draft:
        shutil.copytree(folder, draft, dirs_exist_ok=True)
        for name in (CARD, PAGE, NAME):
            (draft / name).unlink(missing_ok=True)
        shutil.rmtree(draft / FOLDER, ignore_errors=True)
        card = _measured(draft, manifest, recipe, earlier, args)
        revised = write_card(
            draft, card, recipe, name=manifest.name, created_at=manifest.created_at
        )
    if revised.digest != manifest.digest:
        raise AssertionError(f"the digest of {folder} has changed: a model file was touched")
    console.print(f"the card is {folder / PAGE}", markup=False)
    return 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """What a card says that measuring anew does not: how the judge came to be, its temperature, and the
    figures whose data may not be at hand."""

    training: TrainingRecord
    temperature: float
    foreign: Mapping[str, Any] | None
    ablation: Ablation | None
    ablation_note: str


def made(folder: Path) -> Made:
    """How the judge in `folder` came to be, by the card that it has.

    Raises:
        ConfigurationError: there is no such card.
    """
    try:
        data = json.loads((folder / CARD).read_text(encoding="utf-8"))
        return Made(
            training=TrainingRecord(**data["training"]),
            temperature=float(data["calibration"]["temperature"]),
            foreign=data.get("foreign"),
            ablation=data.get("ablation"),
            ablation_note=data.get("ablation_note", ""),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{folder / CARD} is no card of a bundled judge ({error!r}); `judgestream evaluate`"
            " measures any other checkpoint"
        ) from error


def _measured(
    folder: Path, manifest: Manifest, recipe: Recipe, earlier: Made, args: Namespace
) -> Card:
    """The card of the judge in `folder`, at the temperature that it has."""
    bare = Judge(load(folder, manifest=manifest), temperature=1.0)
    joints, truths, unread = read_joints(bare, family_items(recipe))
    fitted = evaluate_temperature(joints, truths, earlier.temperature, unread=unread)
    judge = Judge(load(folder, manifest=manifest))
    card = measure(judge, recipe, earlier.training, fitted)
    card = replace(
        card,
        out_of_domain=earlier.foreign,
        ablation=earlier.ablation,
        ablation_note=earlier.ablation_note,
    )
    if args.foreign is not None:
        card = with_out_of_domain(card, judge, args.foreign)
    if args.ablation is not None:
        note, ablation = read_ablation(args.ablation)
        card = replace(card, ablation=ablation, ablation_note=note)
    return card
