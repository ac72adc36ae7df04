"""`judgestream suite list|run|compare|ensemble|published|recording`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from judgestream.apps.cli.suite import options as suite_options
from judgestream.apps.cli.suite.options import ReportFormat
from judgestream.apps.suites.loading import load_files
from judgestream.apps.suites.page import page
from judgestream.apps.suites.run_folder import PAGE, Identity, RunFolder, read_values
from judgestream.core.costs import dollars
from judgestream.core.errors import ConfigurationError, JudgestreamError
from judgestream.evaluation.order_rules import OrderRule
from judgestream.evaluation.unreadable import UnreadableRule
from judgestream.settings import Settings, load
from judgestream.suites.base import Choices, Suite
from judgestream.suites.comparing import FEW, compare
from judgestream.suites.report import Report, shown
from judgestream.suites.table import SUITES
from judgestream.terminal import options
from judgestream.terminal.exit_codes import ExitCode, TimeRanOut
from judgestream.terminal.output import (
    OutputFormat,
    ProgressCounter,
    json_line,
    line,
    note,
    table,
)

if TYPE_CHECKING:
    from judgestream.apps.suites.judge import JudgeFacts
    from judgestream.apps.suites.running import Finished, Planned, Wish

NARROW = 6
"""Columns of a table with intervals on a terminal; the page has them all."""

app = typer.Typer(
    no_args_is_help=True, help="Run published benchmarks, and compare two judges on them."
)


@app.command("list")
def list_command(form: options.Format = OutputFormat.TEXT) -> None:
    """List the suites, and the files that each wants."""
    for suite in SUITES.values():
        if form is OutputFormat.JSON:
            json_line(
                {
                    "name": suite.name,
                    "title": suite.title,
                    "paper": suite.paper,
                    "rule": suite.rule.value if suite.orders else None,
                    "unreadable": suite.unreadable.value,
                    "files": [asdict(one) for one in suite.files],
                    "recordings": list(suite.recordings),
                }
            )
    if form is OutputFormat.TEXT:
        table(
            ("suite", "what it is", "files it wants"),
            [
                (
                    suite.name,
                    f"{suite.title} ({suite.paper})",
                    ", ".join(one.pattern for one in suite.files if one.required),
                )
                for suite in SUITES.values()
            ],
        )


@app.command("run")
def run_command(
    name: suite_options.Name,
    data: suite_options.Data,
    release: suite_options.Release = "",
    direct: suite_options.Direct = False,
    rule: suite_options.Rule = None,
    unreadable: suite_options.Unreadable = None,
    only: suite_options.Only = None,
    limit: suite_options.Limit = None,
    seed: suite_options.Seed = 0,
    budget: suite_options.Budget = None,
    dry_run: suite_options.DryRun = False,
    form: suite_options.Format = ReportFormat.TABLE,
    out: suite_options.Out = None,
    timeout: suite_options.Timeout = 600.0,
) -> None:
    """Judge a benchmark, and report the figures of its paper.

    The requests go through the topics to the release in use; another release is asked directly on Triton.
    Verdicts that are in the run's folder or on the topic already are not judged again, so an interrupted run
    continues, and a second run is free. The folder gets report.json, report.html and the verdicts.

    Exits 1 when the budget leaves requests out, and 4 when no verdict comes for the time limit.
    """
    from judgestream.apps.suites.judge import facts as facts_of
    from judgestream.apps.suites.running import Wish, default_folder, now, planned, run

    suite = _suite(name)
    choices = _choices(suite, rule, unreadable)
    settings = load()
    loaded = load_files(suite, data)
    wish = Wish(
        suite=suite,
        loaded=loaded,
        seed=seed,
        rule=choices.rule,
        only=_only(only or []),
        limit=limit,
        budget=budget,
        patience_s=timeout,
    )
    started = now()
    plan = planned(wish, started)
    if dry_run:
        _show_cost(wish, plan, settings, release, form)
        return
    named, at_triton = _asked(settings, release, direct)
    wish = replace(wish, direct=at_triton)
    judge = facts_of(settings, named)
    if budget is not None and not judge.prices.stated:
        raise ConfigurationError(
            f"release {judge.name} states no prices, so --budget would never be reached: set them with"
            " `judgestream release budget`, or leave --budget out"
        )
    identity = Identity(suite=suite.name, data=loaded.digest, seed=seed, release=judge.name)
    with RunFolder(out or default_folder(wish, judge.name), identity) as folder:
        folder.describe(
            {
                "paper": suite.paper,
                "started_at": started.isoformat(),
                "files": list(loaded.files),
                "limit": limit,
                "only": dict(wish.only),
                "items": len(plan.rows),
                "direct": wish.direct,
            }
        )
        with ProgressCounter("judged", len(plan.rows)) as progress:
            finished = run(wish, plan, judge, settings, folder, progress.set)
        _tell(finished, folder.path, judge)
        _report(folder, suite, choices, finished, wish, judge, form)
    _exit(finished, wish, budget)


def _asked(settings: Settings, release: str, direct: bool) -> tuple[str, bool]:
    """The release to judge with, "" for the only one that is loaded; and whether it is asked directly.

    The topics are the way to the release in use, as long as no canary answers a share of the requests.
    """
    from judgestream.apps.suites.in_use import in_use

    if direct and release:
        return release, True
    use = in_use(settings)
    if not use.alone and not release and not direct:
        note(f"a canary answers a share of the requests, so {use.release} is asked directly")
    other = bool(release and use.release and release != use.release)
    return release or use.release, direct or other or not use.alone


def _suite(name: str) -> Suite:
    if name not in SUITES:
        raise ConfigurationError(f"no suite {name[:60]!r}: use one of {', '.join(SUITES)}")
    return SUITES[name]


def _choices(suite: Suite, rule: OrderRule | None, unreadable: UnreadableRule | None) -> Choices:
    """The user's rules, or the paper's.

    Raises:
        ConfigurationError: the suite counts every judgement by itself, so the rule does not apply.
    """
    if not suite.orders and rule is not None:
        raise ConfigurationError(
            f"suite {suite.name} counts every judgement by itself, so --rule does not apply: leave it out"
        )
    if not suite.orders and unreadable is UnreadableRule.TIE:
        raise ConfigurationError(
            f"suite {suite.name} counts every judgement by itself, and none is a tie: use --unreadable"
            " wrong, dropped or unscored"
        )
    return Choices(rule=rule or suite.rule, unreadable=unreadable or suite.unreadable)


def _only(given: Sequence[str]) -> dict[str, str]:
    found = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise ConfigurationError(
                f"invalid --only {text[:80]!r}: give FACT=VALUE, such as turn=1"
            )
        found[name.strip()] = value.strip()
    return found


def _show_cost(
    wish: "Wish", plan: "Planned", settings: Settings, release: str, form: ReportFormat
) -> None:
    """Print the number of requests; and of prompts and tokens with their cost, where Triton answers."""
    from judgestream.apps.suites.judge import facts as facts_of
    from judgestream.apps.suites.running import cost_of

    rows: dict[str, object] = {
        "suite": wish.suite.name,
        "data": wish.loaded.digest,
        "seed": wish.seed,
        "requests": len(plan.rows),
    }
    try:
        judge = facts_of(settings, release)
    except JudgestreamError as exc:
        note(f"prompts and cost depend on the release, which is not known: {exc}")
    else:
        rows |= {"release": judge.name, **asdict(cost_of(plan, judge))}
    if form is ReportFormat.JSON:
        json_line(rows)
        return
    if "cost" in rows:
        cost = rows["cost"]
        rows["cost"] = dollars(cost) if isinstance(cost, float) else "no prices stated"
    table(("dry run", ""), list(rows.items()))


def _tell(finished: "Finished", path: Path, judge: "JudgeFacts") -> None:
    known = finished.from_folder + finished.from_topic
    if known:
        note(
            f"{known} verdicts were known: {finished.from_folder} in {path},"
            f" {finished.from_topic} on the topic"
        )
    if judge.prices.stated:
        note(f"spent {dollars(finished.spent)} on {finished.asked} requests")


def _report(
    folder: RunFolder,
    suite: Suite,
    choices: Choices,
    finished: "Finished",
    wish: "Wish",
    judge: "JudgeFacts",
    form: ReportFormat,
) -> None:
    from judgestream.apps.suites.reporting import write

    facts: dict[str, object] = {
        "suite": suite.name,
        "paper": suite.paper,
        "release": judge.name,
        "data": wish.loaded.digest,
        "seed": wish.seed,
        "limit": wish.limit,
        "only": " ".join(f"{name}={value}" for name, value in wish.only.items()),
        "rule": choices.rule.value if suite.orders else "",
        "unreadable": choices.unreadable.value,
        "items": len(finished.judged),
        "judged": sum(one.verdict is not None for one in finished.judged),
    }
    report = write(folder, suite, choices, finished, facts)
    match form:
        case ReportFormat.JSON:
            json_line({"run": facts, **report.as_json()})
        case ReportFormat.HTML:
            line(str(folder.path / PAGE))
        case ReportFormat.TABLE:
            print_report(report)
            note(f"report, page and verdicts: {folder.path}")


def print_report(report: Report) -> None:
    """The report on a terminal. Shares are in percent, with their 95 % intervals."""
    if report.figures:
        table(
            ("figure", "n", "value"),
            [(one.name, "-" if one.n is None else one.n, shown(one)) for one in report.figures],
        )
    for one in report.tables:
        line()
        line(one.title)
        wide = len(one.head) > NARROW
        table(one.head, [tuple(shown(cell, interval=not wide) for cell in row) for row in one.rows])
    for text in report.notes:
        line()
        line(text)


def _exit(finished: "Finished", wish: "Wish", budget: float | None) -> None:
    if finished.stalled:
        if finished.others:
            others = ", ".join(sorted(finished.others))
            raise TimeRanOut(
                f"{finished.stalled} requests have no verdict of the run's release: they were answered by"
                f" {others}, which does not count. Repeat with --direct"
            )
        raise TimeRanOut(
            f"{finished.stalled} requests have no verdict after {wish.patience_s:g} s without any: is a"
            " judging worker running? Check with `judgestream doctor`, or repeat with --direct. The same"
            " command continues"
        )
    if finished.unsent:
        note(
            f"the budget of {dollars(budget or 0.0)} leaves {finished.unsent} requests out: the same command"
            " with a larger --budget continues"
        )
        raise typer.Exit(ExitCode.NO)


@app.command("compare")
def compare_command(
    first: Annotated[Path, typer.Argument(help="folder of a run")],
    second: Annotated[Path, typer.Argument(help="folder of a run of the same suite and files")],
    seed: Annotated[int, typer.Option(help="of the bootstrap")] = 0,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Compare two runs, item by item: the difference of their headline with a paired bootstrap of prompts.

    Exits 1 when the interval contains 0: the runs do not differ clearly.
    """
    runs = [read_values(path) for path in (first, second)]
    for name in ("suite", "data", "rule", "unreadable"):
        a, b = (run.facts.get(name) for run in runs)
        if a != b:
            raise ConfigurationError(
                f"the runs differ in {name}: {a!s:.60} and {b!s:.60}. Only runs of the same suite, files and"
                " rules can be compared"
            )
    found = compare(runs[0].values, runs[1].values, seed=seed)
    if found is None:
        raise ConfigurationError("the runs have no item in common: run both without --limit")
    releases = [str(run.facts.get("release", "")) for run in runs]
    if form is OutputFormat.JSON:
        json_line({"releases": releases, "seed": seed, **asdict(found), "clear": found.clear})
    else:
        _print_comparison(releases, asdict(found))
        if found.few:
            note(f"fewer than {FEW} prompts: the interval is too narrow")
    if not found.clear:
        raise typer.Exit(ExitCode.NO)


def _print_comparison(releases: Sequence[str], found: Mapping[str, object]) -> None:
    interval = found["interval"]
    ends = "-"
    if isinstance(interval, dict):
        ends = f"{interval['low']:.4f} to {interval['high']:.4f} ({interval['method']})"
    rows = [
        (f"first: {releases[0]}", found["first"]),
        (f"second: {releases[1]}", found["second"]),
        ("difference", found["difference"]),
        ("95 % interval", ends),
        *((name.replace("_", " "), found[name]) for name in ("n", "prompts", "better", "worse")),
        *((name.replace("_", " "), found[name]) for name in ("only_first", "only_second")),
    ]
    table(
        ("comparison", ""),
        [(name, f"{value:.4f}" if isinstance(value, float) else value) for name, value in rows],
    )


@app.command("ensemble")
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

    suite = _suite(name)
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


@app.command("published")
def published_command(
    name: suite_options.Name,
    data: suite_options.Data,
    form: suite_options.Format = ReportFormat.TABLE,
) -> None:
    """Report the figures of the judgements that were published with a suite's files. Nothing is judged."""
    suite = _suite(name)
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


@app.command("recording")
def recording_command(
    name: suite_options.Name,
    data: suite_options.Data,
    judge: Annotated[str, typer.Option("--judge", help="the published judge, such as gpt-4")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="JSON lines to write")],
) -> None:
    """Write a published judge's judgements as a file for `judgestream release recorded`."""
    from judgestream.adapters.files.writing import text_output

    suite = _suite(name)
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
