"""`judgestream evaluate`: a checkpoint's card on labelled examples, with intervals, plots and JSON."""

import hashlib
import json
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from judgestream.core.errors import ConfigurationError
from judgestream.engine.checkpoint import load
from judgestream.engine.judge import Judge
from judgestream.evaluation.measures import MEASURES
from judgestream.evaluation.summary import Figures
from judgestream_trainer.cards.report import EvaluationReport, evaluate, write_beside, write_into
from judgestream_trainer.cards.tables import Ablation, cell
from judgestream_trainer.data import read_examples
from judgestream_trainer.data.example import Example
from judgestream_trainer.tasks import FAMILIES, items


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--checkpoint", type=Path, required=True, help="the folder of the judge")
    parser.add_argument(
        "--data",
        type=Path,
        nargs="+",
        default=[],
        help="files of examples, any kind that train reads",
    )
    parser.add_argument(
        "--tasks", type=int, default=0, help="add this many held-out items of every task family"
    )
    parser.add_argument(
        "--out", type=Path, help="write the card here; else into the checkpoint's folder"
    )
    parser.add_argument(
        "--ablation",
        type=Path,
        help='JSON to show: {"note": ..., "rows": {variant: {figure: [mean, sd]}}}',
    )
    parser.add_argument("--seed", type=int, default=7, help="of --tasks")
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--format", choices=("table", "json"), default="table", help="what to print"
    )


def run(args: Namespace, console: Console) -> int:
    """1: nothing could be measured, because a format has no readable reply."""
    examples, sources = _examples(args, console)
    note, ablation = read_ablation(args.ablation) if args.ablation else ("", None)
    judge = Judge(load(args.checkpoint, device=args.device))
    console.print(f"judging {len(examples)} examples, both orders, with and without reference ...")
    try:
        report = evaluate(
            judge,
            examples,
            sources=sources,
            ablation=ablation,
            ablation_note=note,
        )
    except ValueError as error:
        console.print(f"no figures: {error}", style="red", markup=False)
        return 1
    if args.out is None:
        write_into(report, args.checkpoint, judge.checkpoint.manifest)
    else:
        write_beside(report, args.out)
    _show(report, args.format)
    console.print(f"the card is {(args.out or args.checkpoint) / 'EVALUATION.md'}", markup=False)
    return 0


def read_ablation(path: Path) -> tuple[str, Ablation]:
    """The note and the rows of an ablation file.

    Raises:
        ConfigurationError: not JSON, or not of that shape; the message names the file and the field.
    """
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
        rows = {
            str(variant): {
                str(name): (float(mean), float(deviation))
                for name, (mean, deviation) in figures.items()
            }
            for variant, figures in loaded["rows"].items()
        }
        return str(loaded.get("note", "")), rows
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(
            f'{path}: {error!r}; give {{"note": ..., "rows": {{variant: {{figure: [mean, sd]}}}}}}'
        ) from error


def _examples(args: Namespace, console: Console) -> tuple[list[Example], list[dict[str, Any]]]:
    """The examples, and where they are from, for the card."""
    examples: list[Example] = []
    sources: list[dict[str, Any]] = []
    if args.data:
        examples, counts = read_examples(args.data)
        console.print(str(counts), markup=False)
        sources += [{"name": path.name, "sha256": _sha256(path)} for path in args.data]
        sources.append({"name": "from these", "examples": len(examples)})
    if args.tasks > 0:
        made = [
            item.example
            for family in FAMILIES.values()
            for item in islice(items(family, seed=args.seed, held_out=True), args.tasks)
        ]
        examples = [*examples, *made]
        name = f"held-out items of trainer/tasks, seed {args.seed}"
        sources.append({"name": name, "examples": len(made)})
    if not examples:
        raise ConfigurationError(
            "nothing to judge: give files with --data, or --tasks 100 for items of our own"
        )
    return examples, sources


def _show(report: EvaluationReport, form: str) -> None:
    """To standard output: what a script may read. Everything else goes to standard error."""
    out = Console()
    if form == "json":
        out.print_json(json.dumps(report.data()))
    else:
        out.print(_table(report.results.overall))


def _table(overall: Mapping[str, Figures]) -> Table:
    heads: Sequence[str] = [f"{name.replace('_', ' ')} (N {f.n})" for name, f in overall.items()]
    table = Table("figure", *heads)
    for name in MEASURES:
        cells = [cell(getattr(f, name)).replace("[", r"\[") for f in overall.values()]
        table.add_row(name.replace("_", " "), *cells)
    return table


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
