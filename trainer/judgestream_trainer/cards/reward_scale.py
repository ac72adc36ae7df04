"""The scale of a reward model, fitted on labelled examples and written into its checkpoint."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from math import fsum
from pathlib import Path
from typing import Any

from judgestream.checkpoints.describing import describe
from judgestream.checkpoints.families import CALIBRATION
from judgestream.checkpoints.manifest import FILE_NAME, Manifest, write_manifest
from judgestream.checkpoints.reward_scale import (
    METHOD,
    RewardScale,
    supported,
    write_reward_scale,
)
from judgestream.core.modes import PAIRWISE
from judgestream.core.preference import Preference
from judgestream.core.types import Options, Reading, ReferenceUse
from judgestream.engine.checkpoint import Checkpoint
from judgestream.engine.judge import Judge
from judgestream.evaluation.reward_fit import RewardFit, fit_rewards
from judgestream_trainer.cards.judging import request_of, run_passes, truth_of
from judgestream_trainer.data.example import Example


def fit_scale(checkpoint: Checkpoint, examples: Sequence[Example]) -> tuple[RewardScale, RewardFit]:
    """Fit on examples, each in every format for which it has a judgement. The centre is the mean value.

    Raises:
        ValueError: not a reward model, or the examples do not determine a scale (see `fit_rewards`).
    """
    if checkpoint.scale is None:
        raise ValueError(
            "this judge writes score lines: its temperature is fitted when it is trained"
        )
    raw = Judge(replace(checkpoint, scale=RewardScale()))
    values: list[tuple[float, float]] = []
    truths: list[Preference] = []
    for use, with_reference in ((ReferenceUse.AUTO, True), (ReferenceUse.NEVER, False)):
        chosen = [e for e in examples if (e.informed if with_reference else e.blind) is not None]
        requests = [request_of(example, options=Options(reference_use=use)) for example in chosen]
        results = run_passes(raw, requests, PAIRWISE)
        for example, passes in zip(chosen, results, strict=True):
            found = [r.reading.values[0] for r in passes if isinstance(r.reading, Reading)]
            if len(found) == len(passes):
                values.append((found[0], found[1]))
                truths.append(truth_of(example, with_reference=with_reference))
    fit = fit_rewards([first - second for first, second in values], truths)
    every = [value for pair in values for value in pair]
    centre = fsum(every) / len(every)
    scale = RewardScale(scale=fit.scale, margin=fit.margin, centre=centre, fitted=True)
    if not supported(scale):
        raise ValueError(
            f"the fit has scale {fit.scale:.3g} and margin {fit.margin:.3g}, outside the supported ranges:"
            " the values separate the outcomes of these pairs without an error, so more or harder pairs are"
            " needed"
        )
    return scale, fit


def record_of(scale: RewardScale, fit: RewardFit) -> dict[str, Any]:
    """The manifest's record of a fit."""
    return {"method": METHOD, "centre": scale.centre, **asdict(fit)}


def write_scale(folder: Path, manifest: Manifest, scale: RewardScale, fit: RewardFit) -> Manifest:
    """Write the numbers and a new manifest into a checkpoint's folder. The digest changes.

    manifest   of the folder without these numbers; its name and history are kept, its evaluation is not, for
               its probabilities were others
    """
    for name in (CALIBRATION, FILE_NAME):
        (folder / name).unlink(missing_ok=True)  # they may be hard links
    write_reward_scale(folder, scale)
    revised = describe(
        folder,
        name=manifest.name,
        family=manifest.family,
        template_id=manifest.template_id,
        max_input_tokens=manifest.max_input_tokens,
        recipe=manifest.recipe,
        data=manifest.data,
        calibration=record_of(scale, fit),
        created_at=manifest.created_at,
    )
    write_manifest(folder, revised)
    return revised
