"""`judgestream status`: servers, workers, backlog, the release in use, and problems."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from judgestream.core.costs import dollars
from judgestream.settings import Origin, load, origins
from judgestream.terminal import options
from judgestream.terminal.exit_codes import ExitCode
from judgestream.terminal.output import OutputFormat, json_line, line, note, table

if TYPE_CHECKING:
    from judgestream.apps.machine.stack_status import Overview, SpendingLine, WorkerLine


def status(
    data: Annotated[
        Path | None, typer.Option(help="data folder of the local stack; default: local.data")
    ] = None,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Show servers, workers with their lag, backlog, dead letters, the release in use, and warnings.

    Covers the local stack and the workers of any other servers that the settings name. Exits 1 when nothing
    can be judged now; the last lines say why.
    """
    from judgestream.apps.machine.stack_status import look
    from judgestream.local.folder import data_folder
    from judgestream.local.state import read_state
    from judgestream.local.supervisor_file import Phase, read_report

    settings = load() if data is None else load(local={"data": data})
    folder = data_folder(settings.local.data)
    state, report = read_state(folder), read_report(folder)
    if report is not None and not report.alive:
        if report.phase is Phase.FAILED and state is None:
            note(f"the last start for {folder} failed: {report.error}")
        report = None
    if state is None and report is None and _names_no_servers():
        note(f"nothing is running for {folder}; start it with `judgestream up`")
        raise typer.Exit(ExitCode.NO)
    overview = look(settings, folder, state, report)
    if form is OutputFormat.JSON:
        _print_json(overview)
    else:
        _print_text(overview, folder)
    if overview.fatal:
        raise typer.Exit(ExitCode.NO)


def _names_no_servers() -> bool:
    explicit = origins(load(find_stack=False))
    return explicit["kafka.bootstrap"] is Origin.DEFAULT


def _print_text(overview: "Overview", folder: Path) -> None:
    if overview.phase and overview.phase != "ready":
        line(f"the stack is {overview.phase}")
    if overview.servers:
        table(
            ("server", "state", "pid", "address"),
            [(one.name, one.state, one.pid or "-", one.address or "-") for one in overview.servers],
        )
        for server in overview.servers:
            _indented(server.detail)
        line()
    if overview.workers:
        table(
            ("worker", "state", "pid", "partitions", "lag", "seen", "route", "release"),
            [_row(worker) for worker in overview.workers],
        )
        for worker in overview.workers:
            if worker.reason:
                line(f"{worker.name}:")
                _indented(worker.reason)
        line()
    if overview.tritons:
        table(
            ("triton", "state", "calls", "models"),
            [
                (
                    one.address,
                    one.state,
                    "-" if one.in_flight is None else one.in_flight,
                    ", ".join(one.models) or "-",
                )
                for one in overview.tritons
            ],
        )
        line()
    if overview.backlog:
        table(
            ("topic", "group", "backlog"),
            [(b.topic, b.group, "?" if b.records is None else b.records) for b in overview.backlog],
        )
    if overview.dead_letters is not None:
        line(f"dead letters in the last hour: {overview.dead_letters}")
    line(f"release in use: {overview.release or 'unknown'}")
    for cost in overview.spending:
        line(f"spent on {cost.release}: {amounts(cost)}")
    if overview.servers:
        line(f"logs and data: {folder}")
    for text in overview.warnings:
        line(f"warning: {text}")
    for text in overview.fatal:
        line(f"nothing can be judged: {text}")


def amounts(cost: "SpendingLine") -> str:
    """Dollars today and in total, each with its limit."""
    if cost.spent is None:
        return "unknown"
    budget = cost.terms.budget
    amounts = (
        ("today", cost.spent.today, budget.per_day),
        ("total", cost.spent.total, budget.total),
    )
    return ", ".join(
        f"{dollars(spent)}{f' of {dollars(limit)}' if limit else ''} {period}"
        for period, spent, limit in amounts
    )


def _row(worker: "WorkerLine") -> tuple[object, ...]:
    return (
        worker.name,
        worker.state,
        worker.pid or "-",
        "-" if worker.partitions is None else ranges(worker.partitions),
        "-" if worker.lag is None else worker.lag,
        "-" if worker.seen_s is None else f"{worker.seen_s:.0f}s",
        "-" if worker.route is None else worker.route,
        worker.release or "-",
    )


def ranges(numbers: tuple[int, ...]) -> str:
    """Sorted numbers as text: `0-2,5` for 0, 1, 2, 5, and `none` for no numbers."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    texts = [str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs]
    return ",".join(texts) or "none"


def _indented(text: str) -> None:
    for row in text.splitlines():
        line(f"    {row}")


def _print_json(overview: "Overview") -> None:
    for server in overview.servers:
        json_line(
            {
                "kind": "server",
                "name": server.name,
                "state": server.state,
                "pid": server.pid,
                "address": server.address,
                "log": server.log,
                "detail": server.detail,
            }
        )
    for worker in overview.workers:
        json_line(
            {
                "kind": "worker",
                "name": worker.name,
                "state": worker.state,
                "pid": worker.pid,
                "host": worker.host,
                "partitions": None if worker.partitions is None else list(worker.partitions),
                "lag": worker.lag,
                "release": worker.release,
                "route": worker.route,
                "seen_s": worker.seen_s,
                "restarts": worker.restarts,
                "set_aside": worker.set_aside,
                "reason": worker.reason,
                "log": worker.log,
            }
        )
    for triton in overview.tritons:
        json_line(
            {
                "kind": "triton",
                "address": triton.address,
                "state": triton.state,
                "reason": triton.reason,
                "models": list(triton.models),
                "in_flight": triton.in_flight,
            }
        )
    for entry in overview.backlog:
        json_line(
            {
                "kind": "backlog",
                "topic": entry.topic,
                "group": entry.group,
                "records": entry.records,
                "problem": entry.problem,
            }
        )
    for cost in overview.spending:
        json_line(
            {
                "kind": "spending",
                "release": cost.release,
                "today": None if cost.spent is None else cost.spent.today,
                "total": None if cost.spent is None else cost.spent.total,
                "budget_per_day": cost.terms.budget.per_day,
                "budget_total": cost.terms.budget.total,
            }
        )
    json_line(
        {
            "kind": "summary",
            "release": overview.release,
            "dead_letters_last_hour": overview.dead_letters,
            "can_judge": not overview.fatal,
            "warnings": overview.warnings,
            "reasons": overview.fatal,
        }
    )
