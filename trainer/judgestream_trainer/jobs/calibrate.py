"""A reward model with its scale and tie margin fitted on labelled examples, as a new checkpoint folder."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from judgestream.core.errors import ConfigurationError
from judgestream.engine.checkpoint import load
from judgestream.evaluation.reward_fit import RewardFit
from judgestream.terminal.exit_codes import ExitCode
from judgestream.terminal.output import OutputFormat, json_line
from judgestream_trainer.cards.folder import CARD, PAGE
from judgestream_trainer.cards.plots import FOLDER
from judgestream_trainer.cards.report import link
from judgestream_trainer.cards.reward_scale import fit_scale, write_scale
from judgestream_trainer.data import read_examples
from judgestream_trainer.files import whole_folder


def calibrate(
    *,
    checkpoint: Path,
    data: Sequence[Path],
    out: Path,
    device: str,
    form: OutputFormat,
    console: Console,
) -> ExitCode:
    """NO when the examples do not determine a scale; nothing is written then."""
    if out.exists():
        raise ConfigurationError(f"{out} exists already: name a new folder")
    examples, counts = read_examples(data)
    console.print(str(counts), markup=False)
    loaded = load(checkpoint, device=device)
    if loaded.scale is None:
        raise ConfigurationError(
            f"{checkpoint} writes score lines, so it is not a reward model: `judgestream train` fits its"
            " temperature"
        )
    console.print(f"valuing the answers of {len(examples)} examples ...")
    try:
        scale, fit = fit_scale(loaded, examples)
    except ValueError as error:
        console.print(f"no scale: {error}", style="red", markup=False)
        return ExitCode.NO
    with whole_folder(out) as draft:
        for name in loaded.manifest.files:
            if name in (CARD, PAGE) or name.startswith(f"{FOLDER}/"):
                continue  # a card of other probabilities
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            link(str(checkpoint / name), str(draft / name))
        manifest = write_scale(draft, loaded.manifest, scale, fit)
    _show(fit, form)
    console.print(f"{manifest.name}-{manifest.short} is in {out}", markup=False)
    return ExitCode.OK


def _show(fit: RewardFit, form: OutputFormat) -> None:
    if form is OutputFormat.JSON:
        json_line(asdict(fit))
        return
    Console().print(
        f"scale   {fit.scale:.4g} ± {1.96 * fit.scale_error:.2g}\n"
        f"margin  {fit.margin:.4g} ± {1.96 * fit.margin_error:.2g}\n"
        f"pairs   {fit.n}, {fit.ties} of them ties, {fit.right} right\n"
        f"NLL     {fit.nll:.4f}, by the outcomes' shares {fit.nll_shares:.4f}",
        markup=False,
        highlight=False,
    )
