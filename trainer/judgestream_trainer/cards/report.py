"""The evaluation card of any checkpoint on any examples, written into its folder or beside it."""

import os
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from judgestream.checkpoints.manifest import NAME, Manifest, describe, write_manifest
from judgestream.engine.judge import Judge
from judgestream_trainer.cards.figures import ByFormat, Skill, judge_formats, skill
from judgestream_trainer.cards.folder import CARD, PAGE, write_page
from judgestream_trainer.cards.plots import FOLDER, as_markdown, write_plots
from judgestream_trainer.cards.tables import (
    INTERVALS,
    Ablation,
    ablation_table,
    calibration_lines,
    cell,
    group_table,
    headline,
    judgelm_table,
    overall_table,
)
from judgestream_trainer.data.example import Example
from judgestream_trainer.files import whole_folder

GROUPS = 30
OTHER = "other groups"


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationReport:
    """One checkpoint's skill on one set of examples.

    name, digest  of the checkpoint
    sources       where the examples come from: file or topic, sum, number of examples
    calibration   as in the manifest
    ablation      see `card.Card`
    """

    name: str
    digest: str
    sources: Sequence[Mapping[str, Any]]
    skill: Skill
    calibration: Mapping[str, Any] | None = None
    ablation: Ablation | None = None
    ablation_note: str = ""

    def data(self) -> dict[str, Any]:
        """What `evaluation.json` holds."""
        plain = asdict(self)
        parts = plain.pop("skill")
        return {**plain, **parts}


def evaluate(
    judge: Judge,
    examples: Sequence[Example],
    *,
    sources: Sequence[Mapping[str, Any]],
    ablation: Ablation | None = None,
    ablation_note: str = "",
) -> EvaluationReport:
    """Judge the examples in every format and add the figures up.

    Raises:
        ValueError: no examples, or none of a format could be read.
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
    """The report on examples that are judged already. Raises as `evaluate` does.

    Groups beyond the `GROUPS` largest are shown as one: their names come with the data, as many as there are.
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
        skill=skill(judged),
        calibration=manifest.calibration,
    )


def page(report: EvaluationReport, plots: Sequence[str] = ()) -> str:
    """The card as Markdown; `plots` are the files to show."""
    lines = [
        f"# Evaluation card: {report.name}-{report.digest[:8]}",
        "",
        *(f"- {_source(source)}" for source in report.sources),
        "",
        "Accuracy is three-way (better, worse, equal) of the settled verdict: both orders, probabilities"
        " averaged, the most probable outcome. Consistency is the share of examples on which the two orders"
        " alone decide alike. Precision, recall and F1 are unweighted means over the outcomes that occur in"
        f" the truth. {INTERVALS}",
        "",
        *overall_table(report.skill.overall),
        "",
        *_groups(report.skill),
        *_length(report.skill),
        *as_markdown(plots),
        "",
        "## As JudgeLM measures",
        "",
        "Its own metrics by its own names, of its own reading: the scores that the straight order writes, an"
        " unreadable reply a tie.",
        "",
        *judgelm_table(report.skill.judgelm),
        "",
        *calibration_lines(report.calibration),
        "",
        *_ablation(report),
    ]
    return "\n".join(lines)


def write_beside(report: EvaluationReport, out: Path) -> None:
    """The card's files into a folder of their own; the checkpoint stays as it is."""
    out.mkdir(parents=True, exist_ok=True)
    write_page(out, report.data(), page(report, write_plots(out, report.skill, report.ablation)))


def write_into(report: EvaluationReport, folder: Path, manifest: Manifest) -> Manifest:
    """The card into the checkpoint's folder, in place of the one there; returns the new manifest.

    The folder is swapped as a whole, so that nobody sees a manifest that does not fit its files. No model
    file changes, so the digest stays. A folder without a manifest gets one.
    """
    with whole_folder(folder) as draft:
        shutil.copytree(folder, draft, dirs_exist_ok=True, symlinks=True, copy_function=_link)
        for name in (CARD, PAGE, NAME):
            (draft / name).unlink(
                missing_ok=True
            )  # a hard link: writing it would change the old one
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
            evaluation=headline(report.skill.overall),
            calibration=manifest.calibration,
            created_at=manifest.created_at,
        )
        write_manifest(draft, revised)
    return revised


def _link(source: str, target: str) -> None:
    """A hard link where the file system has them: weights need not be copied."""
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


def _groups(skill: Skill) -> list[str]:
    if len(skill.groups) < 2:
        return []
    lines: list[str] = []
    for shown in skill.overall:
        lines += [f"## {shown.replace('_', ' ').capitalize()}, by group", ""]
        lines += [*group_table(skill.groups, shown), ""]
    return lines


def _length(skill: Skill) -> list[str]:
    return [
        f"Length, {name.replace('_', ' ')}: accuracy {cell(one.longer_is_better)} where the better answer is"
        f" the longer one, {cell(one.shorter_is_better)} where it is the shorter one.\n"
        for name, one in skill.overall.items()
    ]


def _ablation(report: EvaluationReport) -> list[str]:
    if report.ablation is None:
        return []
    return ["## Ablation", "", report.ablation_note, "", *ablation_table(report.ablation), ""]
