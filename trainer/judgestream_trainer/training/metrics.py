"""Training metrics: a live progress line, metrics.jsonl, an experiment tracker and a plot."""

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import MappingProxyType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from judgestream.core.errors import ConfigurationError
from judgestream_trainer.recipe import Recipe
from judgestream_trainer.training.loop import OnStep, Step

METRICS = "metrics.jsonl"
PLOT = "loss.png"

ERROR_CHARACTERS = 200
"""Characters of an error on the progress line. The error itself is not cut."""


def metrics(step: Step, peak: float | None) -> dict[str, float]:
    """A step's figures by name. `mfu` (model FLOP/s as a share of the peak) if the peak is known, the
    gradient norm if it is measured."""
    figures: dict[str, float] = {
        "step": step.step,
        "loss": step.loss,
        "smoothed": step.smoothed,
        "tokens": step.tokens,
        "tokens_per_second": round(step.tokens_per_second, 1),
        "rate": step.rate,
        "seconds": round(step.seconds, 3),
        "unfit": sum(_unfit(step).values()),
    }
    if step.norm is not None:
        figures["gradient_norm"] = step.norm
    if peak:
        figures["mfu"] = step.flops * step.tokens_per_second / peak
    return figures


def _unfit(step: Step) -> dict[str, int]:
    """Sequences so far that were left out or changed, by reason."""
    return {name: count for name, count in step.counts.items() if name != "read"}


@contextmanager
def recorded(
    recipe: Recipe, work: Path, console: Console | None, *, peak: float | None = None
) -> Iterator[OnStep]:
    """A callback that writes `work`/metrics.jsonl, feeds the recipe's tracker and shows a progress line. At
    the end it prints how many sequences did not fit, and plots the loss. Lines of steps that are repeated
    after a crash replace the earlier ones."""
    work.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        track = stack.enter_context(TRACKERS[recipe.records.tracker](recipe, work))
        show = stack.enter_context(_live(console)) if console is not None else None
        path = work / METRICS
        file = None
        last: Step | None = None

        def on_step(step: Step) -> None:
            nonlocal file, last
            last = step
            if file is None:
                _drop_from(path, step.step)
                file = stack.enter_context(path.open("a", encoding="utf-8"))
            figures = metrics(step, peak)
            file.write(json.dumps(figures) + "\n")
            file.flush()
            track(figures)
            if show is not None:
                show(step, figures)

        yield on_step
    if console is not None and last is not None:
        for reason, count in _unfit(last).items():
            console.print(
                f"{count} of {last.counts['read']} sequences: {reason}",
                markup=False,
                highlight=False,
            )
    if path.exists():
        draw(path, work / PLOT, title=recipe.name)


def read_metrics(path: Path) -> list[dict[str, float]]:
    """The lines of a metrics.jsonl; a truncated last line is left out."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            break
    return lines


def draw(path: Path, target: Path, *, title: str) -> None:
    """Plot the loss over the steps as a PNG; does nothing if matplotlib is not installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return
    lines = read_metrics(path)
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    steps = [line["step"] for line in lines]
    axes.plot(steps, [line["loss"] for line in lines], alpha=0.3, label="each step")
    axes.plot(steps, [line["smoothed"] for line in lines], label="running mean")
    axes.set(xlabel="step", ylabel="loss (nats per weighted token)", title=title)
    axes.legend()
    figure.savefig(target, dpi=110)


def _drop_from(path: Path, step: int) -> None:
    """Drop the lines of this step and later ones, which are about to be repeated."""
    if path.exists():
        kept = [line for line in read_metrics(path) if line["step"] < step]
        path.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")


@contextmanager
def _live(console: Console) -> Iterator[Callable[[Step, Mapping[str, float]], None]]:
    """A progress line. When training fails, it shows the error."""
    columns = (
        TextColumn("training"),
        BarColumn(),
        TextColumn("{task.fields[course]}", markup=False),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("training", total=None, course="before the first step")

        def show(step: Step, figures: Mapping[str, float]) -> None:
            course = (
                f"step {step.step}/{step.steps}, loss {step.smoothed:.3f},"
                f" {step.tokens_per_second:,.0f} tokens/s"
            )
            if "mfu" in figures:
                course += f", MFU {figures['mfu']:.1%}"
            progress.update(task, completed=step.step, total=step.steps, course=course)

        try:
            yield show
        except BaseException as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            progress.update(task, course=f"failed: {reason[:ERROR_CHARACTERS]}")
            raise


Track = Callable[[Mapping[str, float]], None]


@contextmanager
def _nowhere(recipe: Recipe, work: Path) -> Iterator[Track]:
    yield lambda figures: None


@contextmanager
def _tensorboard(recipe: Recipe, work: Path) -> Iterator[Track]:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ConfigurationError(_missing("tensorboard")) from error
    writer = SummaryWriter(str(work / "tensorboard"))

    def track(figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            if name != "step" and math.isfinite(value):
                writer.add_scalar(f"train/{name}", value, int(figures["step"]))

    try:
        yield track
    finally:
        writer.close()


@contextmanager
def _mlflow(recipe: Recipe, work: Path) -> Iterator[Track]:
    """A run on the server that MLFLOW_TRACKING_URI names: mlflow-skinny has no local store."""
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        raise ConfigurationError(
            "records.tracker is mlflow and MLFLOW_TRACKING_URI is not set: set it to the server's address"
        )
    try:
        import mlflow
    except ImportError as error:
        raise ConfigurationError(_missing("mlflow")) from error
    mlflow.set_experiment("judgestream")
    with mlflow.start_run(run_name=recipe.name):

        def track(figures: Mapping[str, float]) -> None:
            others = {name: value for name, value in figures.items() if name != "step"}
            mlflow.log_metrics(others, step=int(figures["step"]))

        yield track


def _missing(tracker: str) -> str:
    return (
        f"records.tracker is {tracker}, which is not installed: pip install 'judgestream[{tracker}]',"
        " or set it to none"
    )


TRACKERS = MappingProxyType({"none": _nowhere, "tensorboard": _tensorboard, "mlflow": _mlflow})
