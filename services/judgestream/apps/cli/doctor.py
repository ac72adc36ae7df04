"""`judgestream doctor`: check every step of the pipeline, and judge one request."""

import asyncio
import shutil
import textwrap
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated
from uuid import uuid4

import typer

from judgestream.adapters.kafka.backlog import backlogs
from judgestream.adapters.kafka.following import Awaited, Follower
from judgestream.adapters.kafka.publishing import RequestPublisher
from judgestream.adapters.kafka.topics import admin, check
from judgestream.apps.machine.triton_servers import reports_of_workers, triton_servers
from judgestream.client import pair
from judgestream.contracts.topics import REQUESTS
from judgestream.core.errors import ConfigurationError, JudgestreamError, StoreUnavailable
from judgestream.core.fleet.server_list import parse_servers
from judgestream.core.types import PROBE_KEY, Release, Status
from judgestream.core.verdict_text import outcome
from judgestream.settings import Settings, load
from judgestream.terminal import options
from judgestream.terminal.exit_codes import ExitCode, TimeRanOut, exit_code
from judgestream.terminal.output import OutputFormat, json_line, line


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One thing that must work.

    look   returns a description of its state. Raises JudgestreamError with the problem and its fix, and
           ModuleNotFoundError where this installation lacks the packages for the step
    """

    name: str
    look: Callable[[Settings, float], str]


class State(StrEnum):
    """The outcome of a step. A step is skipped where this installation lacks the packages for it."""

    OK = "ok"
    SKIPPED = "skipped"
    FAILED = "failed"


class NoVerdict(JudgestreamError):
    """The request came back without a score."""

    code = "no_verdict"


class NoWorker(JudgestreamError):
    """No worker is judging."""

    code = "no_worker"


def _kafka(settings: Settings, timeout_s: float) -> str:
    with closing(admin(settings.kafka, timeout_s=timeout_s)):
        return f"answers at {settings.kafka.bootstrap}"


def _topics(settings: Settings, timeout_s: float) -> str:
    with closing(admin(settings.kafka)) as client:
        differences = check(client)
    missing = [str(difference) for difference in differences if difference.absent]
    if missing:
        raise ConfigurationError("; ".join(missing))
    return "as specified" if not differences else "; ".join(map(str, differences))


def _redis(settings: Settings, timeout_s: float) -> str:
    if not settings.redis.url.get_secret_value():
        return "not set: workers run without it"
    from judgestream.adapters.redis.checking import check_redis

    warning = check_redis(settings.redis)
    return f"answers, but {warning}" if warning else "answers, and keeps its data"


def _workers(settings: Settings, timeout_s: float) -> str:
    """The workers' own reports on their board in Redis."""
    from judgestream.adapters.redis.worker_board import WorkerBoard, WorkerState

    board = WorkerBoard.connect(settings.redis)
    if board is None:
        return "unknown: the worker board needs Redis"
    with board:
        judging = [entry for entry in board.workers() if entry.kind == "judging"]
    if not judging:
        raise NoWorker(
            "no judging worker reports on the board in Redis: start one with `judgestream worker judging"
            " --slot 0`, or the local stack with `judgestream up`"
        )
    stopped = [entry for entry in judging if entry.state is WorkerState.PAUSED]
    if len(stopped) == len(judging):
        reasons = "; ".join(dict.fromkeys(entry.reason for entry in stopped))
        raise NoWorker(f"every judging worker is paused: {reasons}")
    releases = ", ".join(sorted({entry.release for entry in judging if entry.release})) or "unknown"
    parts = [f"{len(judging)} judging, with release {releases}"]
    for entry in judging:
        if entry.state in (WorkerState.PAUSED, WorkerState.WAITING):
            parts.append(f"{entry.name} is {entry.state}: {entry.reason}")
        if entry.counts.get("set_aside"):
            parts.append(
                f"{entry.name} has set aside {entry.counts['set_aside']} unreadable batches:"
                " see `judgestream dlq list`"
            )
    return "; ".join(parts)


def _triton(settings: Settings, timeout_s: float) -> str:
    from judgestream.adapters.tls.client import ClientTls
    from judgestream.adapters.triton.fleet import Fleet
    from judgestream.adapters.triton.fleet_judge import FleetJudge

    wanted = _release_of_workers(settings) or settings.triton.release

    async def look() -> tuple[Release, dict[str, str]]:
        tls = ClientTls.of(settings.triton, "triton")
        async with Fleet(parse_servers(settings.triton.grpc), tls=tls) as fleet:
            judge = await FleetJudge.connect(fleet, wanted, deadline_s=min(timeout_s, 10.0))
            return judge.release, {one: judge.problem_at(at) for one, at in fleet.servers.items()}

    found, problems = asyncio.run(look())
    ready = ", ".join(address for address, problem in problems.items() if not problem)
    text = f"release {found.name} (template {found.template_id}) is ready at {ready}"
    for address, problem in problems.items():
        if problem:
            text += f"; not at {address}: {problem}"
    if len(problems) > 1:
        for one in triton_servers(settings, reports_of_workers(settings)):
            calls = "unknown" if one.in_flight is None else one.in_flight
            models = ", ".join(one.models) or "nothing"
            text += f"; {one.address} is {one.state}, calls in flight {calls}, loaded {models}"
    named = settings.triton.release
    if named and wanted != named:
        text += f"; the setting triton.release names {named}, but the workers use {wanted}"
    return text


def _release_of_workers(settings: Settings) -> str:
    """The release that all judging workers use; "" if it is unknown or differs."""
    try:
        from judgestream.adapters.redis.worker_board import WorkerBoard

        board = WorkerBoard.connect(settings.redis)
        if board is None:
            return ""
        with board:
            judging = [entry for entry in board.workers() if entry.kind == "judging"]
    except (ImportError, StoreUnavailable):
        return ""
    releases = {entry.release for entry in judging if entry.release}
    return releases.pop() if len(releases) == 1 else ""


def _judgement(settings: Settings, timeout_s: float) -> str:
    request = pair(
        "What is the capital of France?",
        "The capital of France is Paris.",
        "It is a city.",
        request_id=f"doctor-{uuid4().hex}",
        metadata={"source": "judgestream doctor", PROBE_KEY: "doctor"},
    )
    with closing(Follower(settings.kafka)) as follower:
        with RequestPublisher(settings.kafka) as publisher:
            publisher.submit(request)
        results = follower.wait(
            [Awaited.of(request)], timeout_s=timeout_s, on_progress=lambda _: None
        )
    verdict = results.verdicts.get(request.request_id)
    letter = results.letters.get(request.request_id)
    if letter is not None:
        raise NoVerdict(
            f"the request was dead-lettered: {letter.error_class}: {letter.error_message}"
        )
    if verdict is None:
        raise TimeRanOut(
            f"request {request.request_id} has no verdict after {timeout_s:g} s. {_backlog(settings)} Start a"
            " worker with `judgestream worker judging`, or see its log; with a large backlog, raise"
            " --timeout"
        )
    if verdict.status is not Status.SCORED:
        raise NoVerdict(f"the judge gave no score: {outcome(verdict)}")
    return f"{outcome(verdict)} by {verdict.release} in {verdict.latency_s:.2f} s"


def _backlog(settings: Settings) -> str:
    """The number of requests in front of a new one, as a sentence."""
    try:
        backlog = backlogs(settings.kafka, [(REQUESTS, settings.judging.group)])[0]
    except JudgestreamError:
        return ""
    return "" if backlog.records is None else f"{backlog.records} requests wait in {backlog.topic}."


STEPS = (
    Step(name="kafka", look=_kafka),
    Step(name="topics", look=_topics),
    Step(name="redis", look=_redis),
    Step(name="workers", look=_workers),
    Step(name="triton", look=_triton),
    Step(name="judgement", look=_judgement),
)
"""In the order of the data flow. A step is checked only if all before it are fine."""


def doctor(
    timeout: Annotated[
        float, typer.Option(min=0.1, help="time limit of the request, in seconds")
    ] = 60.0,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Check settings, servers, topics and workers, then send one request and wait for its verdict.

    Stops at the first failed step and says how to fix it. The request is marked as a probe, which metrics,
    bias windows, exports and training sets leave out.
    """
    settings = load()
    _print("settings", State.OK, "read and valid", form)
    for step in STEPS:
        try:
            description = step.look(settings, timeout)
        except ModuleNotFoundError:
            _print(step.name, State.SKIPPED, "needs pip install 'judgestream[judge]'", form)
        except JudgestreamError as exc:
            _print(step.name, State.FAILED, str(exc), form)
            code = ExitCode.NO if isinstance(exc, NoVerdict | NoWorker) else exit_code(exc)
            raise typer.Exit(code) from exc
        else:
            _print(step.name, State.OK, description, form)


def _print(step: str, state: State, description: str, form: OutputFormat) -> None:
    if form is OutputFormat.JSON:
        json_line({"step": step, "state": state.value, "found": description})
    else:
        first, *rest = textwrap.wrap(
            description,
            max(30, shutil.get_terminal_size((80, 24)).columns - 20),
            break_long_words=False,
            break_on_hyphens=False,
        ) or [""]
        line(f"{step:<10} {state:<8} {first}")
        for text in rest:
            line(f"{'':<10} {'':<8} {text}")
