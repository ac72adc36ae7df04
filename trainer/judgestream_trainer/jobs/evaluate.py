"""A checkpoint measured on labelled examples: a card with intervals, plots and JSON."""

import json
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
from judgestream.terminal.exit_codes import ExitCode
from judgestream.terminal.output import OutputFormat, json_line
from judgestream_trainer.cards.report import EvaluationReport, write_beside, write_into
from judgestream_trainer.cards.report import evaluate as report_on
from judgestream_trainer.cards.tables import Ablation, cell
from judgestream_trainer.data import read_examples
from judgestream_trainer.data.example import Example
from judgestream_trainer.files import file_sha256
from judgestream_trainer.tasks import FAMILIES, items


def evaluate(
    *,
    checkpoint: Path,
    data: Sequence[Path],
    tasks: int,
    out: Path | None,
    ablation_file: Path | None,
    seed: int,
    device: str,
    form: OutputFormat,
    console: Console,
) -> ExitCode:
    """NO when nothing could be measured, because no reply of a format is readable."""
    examples, sources = _examples(data, tasks, seed, console)
    note, ablation = read_ablation(ablation_file) if ablation_file else ("", None)
    judge = Judge(load(checkpoint, device=device))
    console.print(f"judging {len(examples)} examples, both orders, with and without reference ...")
    try:
        report = report_on(
            judge,
            examples,
            sources=sources,
            ablation=ablation,
            ablation_note=note,
        )
    except ValueError as error:
        console.print(f"no figures: {error}", style="red", markup=False)
        return ExitCode.NO
    if out is None:
        write_into(report, checkpoint, judge.checkpoint.manifest)
    else:
        write_beside(report, out)
    _show(report, form)
    console.print(f"the card is {(out or checkpoint) / 'EVALUATION.md'}", markup=False)
    return ExitCode.OK


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


def _examples(
    data: Sequence[Path], tasks: int, seed: int, console: Console
) -> tuple[list[Example], list[dict[str, Any]]]:
    """The examples and their sources, as the card names them."""
    examples: list[Example] = []
    sources: list[dict[str, Any]] = []
    if data:
        examples, counts = read_examples(data)
        console.print(str(counts), markup=False)
        sources += [{"name": path.name, "sha256": file_sha256(path)} for path in data]
        sources.append({"name": "from these", "examples": len(examples)})
    if tasks > 0:
        made = [
            item.example
            for family in FAMILIES.values()
            for item in islice(items(family, seed=seed, held_out=True), tasks)
        ]
        examples = [*examples, *made]
        name = f"held-out items of trainer/tasks, seed {seed}"
        sources.append({"name": name, "examples": len(made)})
    if not examples:
        raise ConfigurationError(
            "nothing to judge: name files with --data, or use --tasks 100 for generated items"
        )
    return examples, sources


def _show(report: EvaluationReport, form: OutputFormat) -> None:
    """The figures on standard output."""
    if form is OutputFormat.JSON:
        json_line(report.data())
    else:
        Console().print(_table(report.results.overall))


def _table(overall: Mapping[str, Figures]) -> Table:
    heads: Sequence[str] = [f"{name.replace('_', ' ')} (N {f.n})" for name, f in overall.items()]
    table = Table("figure", *heads)
    for name in MEASURES:
        cells = [cell(getattr(f, name)).replace("[", r"\[") for f in overall.values()]
        table.add_row(name.replace("_", " "), *cells)
    return table
