"""`judgestream suite published|recording|ensemble`: figures without a new judgement."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from judgestream.apps.cli.suite import options as suite_options
from judgestream.apps.cli.suite.named import suite_named
from judgestream.apps.cli.suite.options import ReportFormat
from judgestream.apps.cli.suite.report_view import print_report
from judgestream.apps.suites.loading import load_files
from judgestream.apps.suites.page import page
from judgestream.core.errors import ConfigurationError
from judgestream.suites.table import SUITES
from judgestream.terminal.output import json_line, line, note


def ensemble_command(
    name: suite_options.Name,
    data: suite_options.Data,
    runs: Annotated[
        list[Path], typer.Argument(help="folders of two or more runs of this suite and these files")
    ],
    form: suite_options.Format = ReportFormat.TABLE,
) -> None:
    """Report the figures of several releases together, from their runs. Nothing is judged."""
    from judgestream.apps.suites.recalling import recalled

    suite = suite_named(name)
    if suite.ensemble is None:
        able = ", ".join(one.name for one in SUITES.values() if one.ensemble is not None)
        raise ConfigurationError(f"suite {name} has no ensembles: use {able}")
    if len(runs) < 2:
        raise ConfigurationError("an ensemble needs two runs or more: name their folders")
    loaded = load_files(suite, data)
    found = [recalled(suite, loaded, path) for path in runs]
    releases = [release for release, _ in found]
    if len(set(releases)) < len(releases):
        raise ConfigurationError(
            "a release is in the ensemble twice: give runs of different releases, which are "
            + ", ".join(releases)
        )
    report = suite.ensemble(found)
    facts = {"paper": suite.paper, "releases": ", ".join(releases), "data": loaded.digest}
    match form:
        case ReportFormat.JSON:
            json_line({"run": facts, **report.as_json()})
        case ReportFormat.HTML:
            line(page(suite.title, facts, report))
        case ReportFormat.TABLE:
            print_report(report)


def published_command(
    name: suite_options.Name,
    data: suite_options.Data,
    form: suite_options.Format = ReportFormat.TABLE,
) -> None:
    """Report the figures of the judgements that were published with a suite's files. Nothing is judged."""
    suite = suite_named(name)
    if suite.published is None:
        raise ConfigurationError(f"suite {name} has no published judgements")
    report = suite.published(load_files(suite, data, to_run=False).tables)
    match form:
        case ReportFormat.JSON:
            json_line(report.as_json())
        case ReportFormat.HTML:
            line(page(suite.title, {"published": suite.paper}, report))
        case ReportFormat.TABLE:
            print_report(report)


def recording_command(
    name: suite_options.Name,
    data: suite_options.Data,
    judge: Annotated[str, typer.Option("--judge", help="the published judge, such as gpt-4")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="JSON lines to write")],
) -> None:
    """Write a published judge's judgements as a file for `judgestream release recorded`."""
    from judgestream.adapters.files.writing import text_output

    suite = suite_named(name)
    if judge not in suite.recordings:
        known = ", ".join(suite.recordings) or "none"
        raise ConfigurationError(
            f"suite {name} has no published judgements of {judge[:60]!r} (it has: {known})"
        )
    tables = load_files(suite, data).tables
    count = 0
    with text_output(out) as file:
        for one in suite.recordings[judge](tables):
            file.write(json.dumps(asdict(one), ensure_ascii=False) + "\n")
            count += 1
    if not count:
        raise ConfigurationError(
            f"{data} has no judgements of {judge}: see `judgestream suite list`"
        )
    note(f"{count} judgements in {out}")
