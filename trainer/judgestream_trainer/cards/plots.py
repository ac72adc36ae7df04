"""The plots of a card: small PNG files, byte for byte the same for the same numbers."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from judgestream_trainer.cards.results import JudgeResults
from judgestream_trainer.cards.tables import Ablation, plain

FOLDER = "plots"
DPI = 90
_NAMES = ("first better", "equal", "second better")
_COLOURS = {"with_reference": "tab:blue", "without_reference": "tab:orange"}


def write_plots(folder: Path, results: JudgeResults, rows: Ablation | None = None) -> list[str]:
    """Draw into `folder/plots`, with the ablation where there is one.

    Returns:
        The file names, relative to `folder`.
    """
    (folder / FOLDER).mkdir(exist_ok=True)
    drawn = {
        "reliability.png": reliability(results),
        "accuracy.png": accuracy(results),
        "confusion.png": confusion(results),
    }
    if rows:
        drawn["ablation.png"] = ablation(rows)
    for name, figure in drawn.items():
        # no date and no version in the file, so the same card gives the same digests in the manifest
        figure.savefig(folder / FOLDER / name, dpi=DPI, metadata={"Software": None})
    return [f"{FOLDER}/{name}" for name in drawn]


def reliability(results: JudgeResults) -> Figure:
    """Share right against mean confidence, per tenth; a dot's area shows the number of verdicts."""
    figure, (axes,) = _sheet(1, width=4.2, height=4.0)
    axes.plot((0, 1), (0, 1), color="grey", linewidth=1, linestyle="--")
    for name, bins in results.reliability.items():
        total = sum(bin.n for bin in bins)
        confidence, right = [bin.confidence for bin in bins], [bin.right for bin in bins]
        ece = results.overall[name].ece.share
        label = f"{name.replace('_', ' ')}, ECE {ece:.3f}"
        axes.plot(confidence, right, color=_COLOURS[name], linewidth=1, label=label)
        axes.scatter(
            confidence, right, s=[10 + 300 * bin.n / total for bin in bins], color=_COLOURS[name]
        )
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence of the verdict", ylabel="share right")
    axes.legend(fontsize=7, loc="lower right")
    return figure


def accuracy(results: JudgeResults) -> Figure:
    """Accuracy of every group with its 95 % interval, in both formats."""
    rows = {"all": results.overall, **results.groups}
    figure, (axes,) = _sheet(1, width=6.0, height=1.0 + 0.4 * len(rows))
    for shift, name in ((-0.12, "with_reference"), (0.12, "without_reference")):
        chosen = [(k, by[name].accuracy) for k, by in enumerate(rows.values()) if name in by]
        if not chosen:
            continue
        shares = [estimate.share for _, estimate in chosen]
        below = [max(0.0, estimate.share - estimate.low) for _, estimate in chosen]
        above = [max(0.0, estimate.high - estimate.share) for _, estimate in chosen]
        places = [k + shift for k, _ in chosen]
        label = name.replace("_", " ")
        axes.errorbar(
            shares, places, xerr=(below, above), fmt="o", color=_COLOURS[name], label=label
        )
    axes.set(
        xlim=(0, 1.02),
        xlabel="accuracy",
        yticks=range(len(rows)),
        yticklabels=[label_of(name) for name in rows],
    )
    axes.invert_yaxis()
    axes.legend(fontsize=7)
    return figure


def confusion(results: JudgeResults) -> Figure:
    """Counts of truth by verdict, one matrix per format."""
    figure, sheets = _sheet(len(results.confusion), width=3.6 * len(results.confusion), height=3.4)
    for axes, (name, counts) in zip(sheets, results.confusion.items(), strict=True):
        _square(axes, counts)
        axes.set_title(name.replace("_", " "), fontsize=9)
    return figure


def ablation(rows: Ablation) -> Figure:
    """Every figure of every variant: mean and standard deviation over the seeds."""
    names = list(dict.fromkeys(name for by in rows.values() for name in by))
    across = min(4, len(names))
    down = -(-len(names) // across)
    figure, sheets = _sheet(
        across, width=2.6 * across + 1.4, height=down * (0.6 + 0.3 * len(rows)), rows=down
    )
    for column, (axes, name) in enumerate(zip(sheets, names, strict=False)):
        bars = [(k, by[name]) for k, by in enumerate(rows.values()) if name in by]
        means, spreads = [mean for _, (mean, _) in bars], [spread for _, (_, spread) in bars]
        axes.barh([k for k, _ in bars], means, xerr=spreads, color="tab:blue", ecolor="k")
        axes.set_title(name, fontsize=8)
        axes.set(xlim=(0, 1.02), ylim=(len(rows) - 0.5, -0.5))
        axes.tick_params(labelsize=7)
        axes.set_yticks(range(len(rows)), list(rows) if column % across == 0 else [""] * len(rows))
    for axes in sheets[len(names) :]:
        axes.set_axis_off()
    return figure


def label_of(name: str) -> str:
    """A group's name, escaped for matplotlib, which reads a pair of dollar signs as mathematics."""
    return plain(name).replace("$", r"\$")


def _square(axes: Axes, counts: Sequence[Sequence[int]]) -> None:
    shares = [[count / max(1, sum(row)) for count in row] for row in counts]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for y, row in enumerate(counts):
        for x, count in enumerate(row):
            dark = shares[y][x] > 0.5
            axes.text(x, y, str(count), ha="center", va="center", color="w" if dark else "k")
    axes.set_xticks(range(3), _NAMES, fontsize=7)
    axes.set_yticks(range(3), _NAMES, fontsize=7)
    axes.set_xlabel("verdict", fontsize=8)
    axes.set_ylabel("truth", fontsize=8)


def _sheet(
    columns: int, *, width: float, height: float, rows: int = 1
) -> tuple[Figure, Sequence[Axes]]:
    """A figure with its axes, without pyplot: no shared state and no window system."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, [figure.add_subplot(rows, columns, k + 1) for k in range(rows * columns)]


def as_markdown(names: Sequence[str]) -> list[str]:
    """The plots as Markdown images."""
    captions: Mapping[str, str] = {
        f"{FOLDER}/reliability.png": "Reliability: share right against confidence",
        f"{FOLDER}/accuracy.png": "Accuracy by group",
        f"{FOLDER}/confusion.png": "Verdict against ground truth",
        f"{FOLDER}/ablation.png": "Ablation of the augmentations",
    }
    return [f"![{captions[name]}]({name})" for name in names]
