"""`judgestream triton list|drain|undrain|serve`: the Triton servers, and taking one out of use."""

import asyncio
import time
from typing import TYPE_CHECKING, Annotated

import typer

from judgestream.apps.cli.triton.serve import serve_command
from judgestream.core.errors import ConfigurationError
from judgestream.core.fleet.report import ServerState
from judgestream.settings import Settings, load
from judgestream.terminal import options
from judgestream.terminal.exit_codes import TimeRanOut
from judgestream.terminal.output import OutputFormat, json_line, line, note, table

if TYPE_CHECKING:
    from judgestream.adapters.redis.drain_store import DrainStore
    from judgestream.adapters.redis.worker_board import WorkerBoard

app = typer.Typer(no_args_is_help=True, help="Show the Triton servers, drain one, or run one.")

app.command("serve")(serve_command)

POLL_S = 0.3

Address = Annotated[
    str, typer.Argument(help="HOST:PORT of the server, as `judgestream triton list` shows it")
]
Timeout = Annotated[
    float, typer.Option(min=1, help="time limit for the calls in flight, in seconds")
]


@app.command("list")
def list_command(form: options.Format = OutputFormat.TEXT) -> None:
    """List the Triton servers: state, loaded models, and the workers' calls in flight."""
    from judgestream.apps.machine.triton_servers import reports_of_workers, triton_servers

    settings = load()
    lines = triton_servers(settings, reports_of_workers(settings))
    if form is OutputFormat.JSON:
        for one in lines:
            json_line(
                {
                    "address": one.address,
                    "state": one.state,
                    "reason": one.reason,
                    "models": list(one.models),
                    "in_flight": one.in_flight,
                }
            )
        return
    table(
        ("triton", "state", "calls", "models"),
        [
            (
                one.address,
                one.state,
                "-" if one.in_flight is None else one.in_flight,
                ", ".join(one.models) or "-",
            )
            for one in lines
        ],
    )
    for one in lines:
        if one.reason:
            note(f"{one.address}: {one.reason}")


@app.command("drain")
def drain_command(address: Address, timeout: Timeout = 300.0) -> None:
    """Let no worker start a call at a server, and wait until none is in flight there.

    The mark stays in Redis until `undrain`. Requests go to the other servers; if there is none, they wait.
    """
    settings = load()
    with _store(settings) as store, _board(settings) as board:
        present = asyncio.run(_addresses(settings))
        if address not in present:
            raise ConfigurationError(
                f"{address!r} is not a server of triton.grpc, which has {', '.join(present) or 'none'}"
            )
        if not set(present) - store.draining() - {address}:
            note("no other server takes calls: requests wait until one does")
        store.drain(address)
        _await_idle(board, address, timeout)
    line(f"{address} is drained: no worker has calls in flight there")


@app.command("undrain")
def undrain_command(address: Address) -> None:
    """Let the workers use a drained server again."""
    with _store(load()) as store:
        if not store.undrain(address):
            marked = ", ".join(sorted(store.draining())) or "none"
            raise ConfigurationError(f"{address!r} is not draining; draining: {marked}")
    line(f"{address} is in use again")


def _await_idle(board: "WorkerBoard", address: str, timeout_s: float) -> None:
    """Wait until every worker that knows the server has seen the mark and has no calls there.

    Raises:
        TimeRanOut: calls are still in flight.
    """
    deadline = time.monotonic() + timeout_s
    printed = ""
    while True:
        busy = {
            entry.name: report
            for entry in board.workers()
            for report in entry.servers
            if report.address == address
            if report.in_flight or report.state is ServerState.UP
        }
        if not busy:
            return
        calls = sum(report.in_flight for report in busy.values())
        text = f"waiting for {', '.join(busy)}: {calls} calls in flight"
        if time.monotonic() > deadline:
            raise TimeRanOut(
                f"{address} still has {calls} calls in flight of {', '.join(busy)} after {timeout_s:.0f} s."
                " It gets no new ones; run the command again to wait longer"
            )
        if text != printed:
            printed = text
            note(text)
        time.sleep(POLL_S)


def _store(settings: Settings) -> "DrainStore":
    from judgestream.adapters.redis.drain_store import DrainStore

    store = DrainStore.connect(settings.redis)
    if store is None:
        raise ConfigurationError(
            "the marks of draining servers are kept in Redis: set JUDGESTREAM_REDIS__URL"
        )
    return store


def _board(settings: Settings) -> "WorkerBoard":
    from judgestream.adapters.redis.worker_board import WorkerBoard

    board = WorkerBoard.connect(settings.redis)
    if board is None:
        raise ConfigurationError("the workers report in Redis: set JUDGESTREAM_REDIS__URL")
    return board


async def _addresses(settings: Settings) -> tuple[str, ...]:
    from judgestream.adapters.triton.resolving import Addresses
    from judgestream.core.fleet.server_list import parse_servers

    return await Addresses(parse_servers(settings.triton.grpc)).now()
