"""Installation of checkpoints into Triton's model repository: one immutable model per digest."""

import logging
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from judgestream.adapters.releases.model_config import bundled_models, model_files, package_root
from judgestream.adapters.releases.model_folder import CHECKPOINT, place
from judgestream.adapters.releases.parameters import CONFIG, kept_terms, with_terms
from judgestream.adapters.releases.placing import Placing
from judgestream.adapters.releases.template_file import WithTemplate, with_template
from judgestream.adapters.releases.tuning import Tuning
from judgestream.checkpoints.context import sliding_window_of
from judgestream.checkpoints.describing import describe
from judgestream.checkpoints.dtypes import QUANTISED, check_place
from judgestream.checkpoints.families import FAMILIES, REWARD, SCORER, TEMPLATE, VALUED, VISION
from judgestream.checkpoints.inspection import inspect
from judgestream.checkpoints.manifest import FILE_NAME, Manifest, read_manifest, unlisted, verify
from judgestream.checkpoints.reward_scale import read_reward_scale
from judgestream.checkpoints.temperature import read_temperature
from judgestream.core.costs import Terms
from judgestream.core.errors import ConfigurationError
from judgestream.core.release_parameters import written
from judgestream.core.types import Release

log = logging.getLogger(__name__)

_MOST_NAMED = 5

TRIAL_PROMPTS = "1/trial_prompts.jsonl"
"""A release's own prompts for the check of a quantised judge, if it has some."""


def install(
    checkpoint: Path,
    repository: Path,
    *,
    model_source: Path | None = None,
    instances: int = 1,
    device: Literal["cpu", "gpu"] = "cpu",
    gpus: Sequence[int] = (),
    tuning: Tuning | None = None,
    trial_prompts: Path | None = None,
    template: Path | None = None,
    link: bool = False,
    terms: Terms | None = None,
) -> Release:
    """Install a checkpoint into a model repository as `<family>-<digest8>`, without loading it.

    The folder appears complete or not at all. Installing the same checkpoint again keeps the weights, and
    rewrites configuration and model code where they differ. A checkpoint without a manifest gets one in the
    repository; its own folder is never written to.

    model_source  folder with config.pbtxt and 1/model.py; default: the bundled one of the family
    instances     processes, each with its own copy of the weights; on GPUs: per GPU, or per group of
                  `Tuning.tensor_parallel` GPUs
    gpus          the GPUs to use, by number; default: all, or the first group
    trial_prompts JSON lines for the check of a quantised judge (see `backends.quantisation_check`); default:
                  bundled ones
    template      a template file, which becomes a part of the release and of its digest; default: the
                  checkpoint's own
    link          hard links instead of copies where possible: saves disk, but changing a weight file in
                  place then changes the release

    terms         prices and budget; default: those of an earlier installation

    Raises:
        ConfigurationError: the checkpoint cannot be used (with all of its problems, see
            `checkpoints.inspection`), the model source is not a template, the GPUs do not form whole groups,
            the device does not have the dtype, or another checkpoint has the same name here. Nothing is left
            behind then.
    """
    tuning = tuning or Tuning()
    found = inspected(checkpoint)
    if found.family in (VISION, SCORER):
        _check_vision(tuning, template)
    judged_by = with_template(checkpoint, found, template)
    manifest = judged_by.manifest
    name = f"{manifest.family}-{manifest.short}"
    source = model_source or bundled_models() / FAMILIES[manifest.family]
    check_place(tuning.dtype, gpu=device == "gpu", compiled=tuning.compile)
    placing = Placing(
        instances=instances, device=device, gpus=tuple(gpus), group=tuning.tensor_parallel
    )
    values: dict[str, object] = {
        "name": name,
        "instance_groups": placing.groups,
        "gpus": placing.gpu_list,
    }
    release = release_of(name, judged_by)
    values |= {**written(release), "family": manifest.family, "python_path": package_root()}
    files = model_files(source, {**values, **asdict(tuning)})
    files[CONFIG] = with_terms(files[CONFIG], terms or kept_terms(repository / name))
    if template is not None:
        files[f"{CHECKPOINT}/{TEMPLATE}"] = judged_by.text
    if trial_prompts is not None:
        files[TRIAL_PROMPTS] = trial_prompts.read_text(encoding="utf-8")
    place(checkpoint, repository / name, manifest, files, link=link)
    return release


def release_of(name: str, judged_by: WithTemplate, control_tokens: tuple[str, ...] = ()) -> Release:
    """The release of a checkpoint that is installed under this name."""
    manifest = judged_by.manifest
    return Release(
        name=name,
        checkpoint_digest=manifest.digest,
        template_id=manifest.template_id,
        max_input_tokens=manifest.max_input_tokens,
        template=judged_by.text,
        control_tokens=control_tokens,
    )


def inspected(checkpoint: Path, *, engine: bool = True) -> Manifest:
    """The manifest of a checkpoint that passes every check: its own, or a derived one.

    Files that are not part of the judge are logged and not copied.

    Args:
        engine: whether the project's own engine will load it.

    Raises:
        ConfigurationError: with all problems of the checkpoint.
    """
    if os.path.lexists(checkpoint / FILE_NAME):
        manifest = read_manifest(checkpoint)
        verify(checkpoint, manifest)
    else:
        manifest = describe(checkpoint)
    inspect(checkpoint, manifest, engine=engine)
    _check_calibration(checkpoint, manifest)
    window, positions = sliding_window_of(checkpoint)
    if window is not None and window < positions:
        log.warning(
            "checkpoint %s: prompts are limited by its sliding window of %d tokens, not by its %d positions",
            checkpoint,
            window,
            positions,
        )
    others = unlisted(checkpoint, manifest)
    if others:
        more = f" and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
        log.warning(
            "checkpoint %s: not part of the judge, so not copied: %s%s",
            checkpoint,
            ", ".join(map(ascii, others[:_MOST_NAMED])),
            more,
        )
    return manifest


def _check_vision(tuning: Tuning, template: Path | None) -> None:
    """Refuse the options of our own engine for a judge that transformers computes, and templates of texts."""
    options = {
        f"--dtype {tuning.dtype}": tuning.dtype in QUANTISED,
        "--tensor-parallel": tuning.tensor_parallel > 1,
        "--compile": tuning.compile,
        "--row-tokens": tuning.row_tokens > 0,
        "--decoupled": tuning.decoupled,
        "--template": template is not None,
    }
    if wrong := [name for name, given in options.items() if given]:
        raise ConfigurationError(
            f"{', '.join(wrong)}: not available for a judge that sees images: leave it out"
        )


def _check_calibration(checkpoint: Path, manifest: Manifest) -> None:
    if manifest.family not in VALUED:
        read_temperature(checkpoint)
    elif not read_reward_scale(checkpoint).fitted and manifest.family == REWARD:
        log.warning(
            "checkpoint %s: its scale and tie margin are not fitted, so P(win) is uncalibrated and no pair"
            " is a tie: fit them with `judgestream calibrate`",
            checkpoint,
        )
