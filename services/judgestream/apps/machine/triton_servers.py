"""The Triton servers of the settings: what they answer now, and what the workers and the drain marks say."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from judgestream.core.errors import JudgestreamError
from judgestream.core.fleet.report import ServerReport, ServerState
from judgestream.core.masking import masked
from judgestream.settings import Settings

LOOK_S = 3.0


@dataclass(frozen=True, kw_only=True, slots=True)
class TritonLine:
    """One server.

    state      up, down or draining
    reason     why it is down, or why workers do not use a release there
    models     loaded ones
    in_flight  calls of all workers; None if no worker reports this server
    """

    address: str
    state: str
    reason: str
    models: tuple[str, ...]
    in_flight: int | None


def triton_servers(settings: Settings, reports: Sequence[ServerReport]) -> list[TritonLine]:
    """Every server, by its entry in `triton.grpc`. Takes about `LOOK_S` where one does not answer.

    Args:
        reports: of all workers.

    Raises:
        ModuleNotFoundError: this installation lacks Triton's client.
    """
    from judgestream.adapters.tls.client import ClientTls
    from judgestream.adapters.triton.survey import survey

    marked = _marked(settings)
    flying: Counter[str] = Counter()
    troubles: dict[str, list[str]] = {}
    for report in reports:
        flying[report.address] += report.in_flight
        texts = (f"{name}: {text}" for name, text in report.releases.items() if text)
        troubles.setdefault(report.address, []).extend(texts)
    lines = []
    tls = ClientTls.of(settings.triton, "triton")
    for sight in asyncio.run(survey(settings.triton.grpc, deadline_s=LOOK_S, tls=tls)):
        state = ServerState.DRAINING if sight.address in marked else ServerState.UP
        reason = sight.problem or "; ".join(dict.fromkeys(troubles.get(sight.address, ())))
        lines.append(
            TritonLine(
                address=masked(sight.address),
                state=str(ServerState.DOWN if sight.problem else state),
                reason=reason,
                models=sight.models,
                in_flight=flying[sight.address] if sight.address in troubles else None,
            )
        )
    return lines


def reports_of_workers(settings: Settings) -> list[ServerReport]:
    """The servers as every worker sees them; [] without Redis, or if it does not answer."""
    from judgestream.adapters.redis.worker_board import WorkerBoard

    try:
        board = WorkerBoard.connect(settings.redis)
        if board is None:
            return []
        with board:
            return [report for entry in board.workers() for report in entry.servers]
    except JudgestreamError:
        return []


def _marked(settings: Settings) -> frozenset[str]:
    from judgestream.adapters.redis.drain_store import DrainStore

    try:
        store = DrainStore.connect(settings.redis)
        if store is None:
            return frozenset()
        with store:
            return store.draining()
    except JudgestreamError:
        return frozenset()
