"""The evaluation card of any checkpoint on any examples, written into its directory or elsewhere."""

import os
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from judgestream.checkpoints.describing import describe
from judgestream.checkpoints.manifest import FILE_NAME, Manifest, write_manifest
from judgestream.engine.judge import Judge
from judgestream_trainer.cards.folder import CARD, PAGE, write_page
from judgestream_trainer.cards.page import render_page
from judgestream_trainer.cards.plots import FOLDER, write_plots
from judgestream_trainer.cards.results import ByFormat, JudgeResults, judge_formats, results_of
from judgestream_trainer.cards.tables import Ablation, headline
from judgestream_trainer.data.example import Example
from judgestream_trainer.files import whole_folder

GROUPS = 30
OTHER = "other groups"


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationReport:
    """The results of one checkpoint on one set of examples.

    name, digest  of the checkpoint
    sources       origin of the examples: file or topic, SHA-256, number of examples
    calibration   the manifest's record of the fitted temperature
    ablation      see `bundled.Card`
    """

    name: str
    digest: str
    sources: Sequence[Mapping[str, Any]]
    results: JudgeResults
    calibration: Mapping[str, Any] | None = None
    ablation: Ablation | None = None
    ablation_note: str = ""

    def data(self) -> dict[str, Any]:
        """The content of `evaluation.json`."""
        plain = asdict(self)
        results = plain.pop("results")
        return {**plain, **results}


def evaluate(
    judge: Judge,
    examples: Sequence[Example],
    *,
    sources: Sequence[Mapping[str, Any]],
    ablation: Ablation | None = None,
    ablation_note: str = "",
) -> EvaluationReport:
    """Judge the examples in every format and summarise the results.

    Raises:
        ValueError: there are no examples, or a format has no readable reply.
    """
    judged = judge_formats(judge, examples)
    report = report_of(judge.checkpoint.manifest, judged, sources=sources)
    return replace(report, ablation=ablation, ablation_note=ablation_note)


def report_of(
    manifest: Manifest,
    judged: ByFormat,
    *,
    sources: Sequence[Mapping[str, Any]],
) -> EvaluationReport:
    """The report on examples that are already judged. Raises as `evaluate` does.

    Group names come from the data, in any number: only the `GROUPS` largest are shown by name.
    """
    sizes = Counter(row.group for rows in judged.values() for row in rows)
    large = {group for group, _ in sizes.most_common(GROUPS)}
    judged = {
        name: [row if row.group in large else replace(row, group=OTHER) for row in rows]
        for name, rows in judged.items()
    }
    return EvaluationReport(
        name=manifest.name,
        digest=manifest.digest,
        sources=sources,
        results=results_of(judged),
        calibration=manifest.calibration,
    )


def page(report: EvaluationReport, plots: Sequence[str] = ()) -> str:
    """The card as Markdown; `plots` are the image files to show."""
    return render_page(
        report.results,
        front=[
            f"# Evaluation card: {report.name}-{report.digest[:8]}",
            "",
            *(f"- {_source(source)}" for source in report.sources),
        ],
        measured_on="",
        calibration=report.calibration,
        ablation=report.ablation,
        ablation_note=report.ablation_note,
        plots=plots,
    )


def write_beside(report: EvaluationReport, out: Path) -> None:
    """Write the card's files into `out`; the checkpoint is not changed."""
    out.mkdir(parents=True, exist_ok=True)
    plots = write_plots(out, report.results, report.ablation)
    write_page(out, report.data(), page(report, plots))


def write_into(report: EvaluationReport, folder: Path, manifest: Manifest) -> Manifest:
    """Replace the card in the checkpoint's directory; returns the new manifest.

    The directory is swapped as a whole, so the manifest always matches the files. No model file changes, so
    the digest stays. A directory without a manifest gets one.
    """
    with whole_folder(folder) as draft:
        shutil.copytree(folder, draft, dirs_exist_ok=True, symlinks=True, copy_function=link)
        for name in (CARD, PAGE, FILE_NAME):
            # these may be hard links, and writing through one would change the old file
            (draft / name).unlink(missing_ok=True)
        shutil.rmtree(draft / FOLDER, ignore_errors=True)
        write_beside(report, draft)
        revised = describe(
            draft,
            name=manifest.name,
            family=manifest.family,
            template_id=manifest.template_id,
            max_input_tokens=manifest.max_input_tokens,
            recipe=manifest.recipe,
            data=manifest.data,
            evaluation=headline(report.results.overall),
            calibration=manifest.calibration,
            created_at=manifest.created_at,
        )
        write_manifest(draft, revised)
    return revised


def link(source: str, target: str) -> None:
    """A hard link where the file system supports it: weights need not be copied."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)


def _source(source: Mapping[str, Any]) -> str:
    parts = [str(source.get("name", "examples"))]
    if "examples" in source:
        parts.append(f"{source['examples']} examples")
    if "sha256" in source:
        parts.append(f"SHA-256 {source['sha256']}")
    return ", ".join(parts)
