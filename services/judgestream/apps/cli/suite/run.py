"""`judgestream suite run`: judge a benchmark, and report the figures of its paper."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from judgestream.apps.cli.suite import options as suite_options
from judgestream.apps.cli.suite.named import suite_named
from judgestream.apps.cli.suite.options import ReportFormat
from judgestream.apps.cli.suite.report_view import print_report
from judgestream.apps.suites.loading import load_files
from judgestream.apps.suites.run_folder import PAGE, Identity, RunFolder
from judgestream.core.costs import dollars
from judgestream.core.errors import ConfigurationError, JudgestreamError
from judgestream.evaluation.order_rules import OrderRule
from judgestream.evaluation.unreadable import UnreadableRule
from judgestream.settings import Settings, load
from judgestream.suites.base import Choices, Suite
from judgestream.terminal.exit_codes import ExitCode, TimeRanOut
from judgestream.terminal.output import ProgressCounter, json_line, line, note, table

if TYPE_CHECKING:
    from judgestream.apps.suites.judge import JudgeFacts
    from judgestream.apps.suites.running import Finished, Planned, Wish


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

    suite = suite_named(name)
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
    named, at_triton = asked(settings, release, direct)
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


def asked(settings: Settings, release: str, direct: bool) -> tuple[str, bool]:
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
