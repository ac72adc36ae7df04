"""`judgestream doctor`: one item end to end, saying at which step it stopped, and the mend."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Annotated
from uuid import uuid4

import typer

from judgestream.adapters.kafka.following import Awaited, Follower
from judgestream.adapters.kafka.publishing import RequestPublisher
from judgestream.adapters.kafka.topics import admin, check
from judgestream.apps.cli import options
from judgestream.apps.cli.exit_codes import ExitCode, TimeRanOut, exit_code
from judgestream.apps.cli.output import OutputFormat, json_line, line
from judgestream.apps.cli.verdict_text import outcome
from judgestream.client import pair
from judgestream.core.errors import ConfigurationError, JudgestreamError
from judgestream.core.types import Status
from judgestream.settings import Settings, load

EXTRA = "not looked at from here: pip install 'judgestream[judge]' brings what that needs"


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One thing that must work. `look` returns what it found, and raises what is wrong with its mend."""

    name: str
    look: Callable[[Settings, float], str]


class NoVerdict(JudgestreamError):
    """The one item came back without a score."""

    code = "no_verdict"


def _kafka(settings: Settings, timeout_s: float) -> str:
    with closing(admin(settings.kafka, timeout_s=min(timeout_s, 10.0))):
        return f"answers at {settings.kafka.bootstrap}"


def _topics(settings: Settings, timeout_s: float) -> str:
    with closing(admin(settings.kafka)) as client:
        differences = check(client)
    missing = [str(one) for one in differences if one.absent]
    if missing:
        raise ConfigurationError("; ".join(missing))
    return "as the table says" if not differences else "; ".join(map(str, differences))


def _redis(settings: Settings, timeout_s: float) -> str:
    url = settings.redis.url.get_secret_value()
    if not url:
        return "none is set: workers go without one"
    try:
        from judgestream.adapters.preflight import check_redis

        odd = check_redis(settings.redis)
    except ImportError:
        return EXTRA
    return f"answers, but {odd}" if odd else "answers"


def _triton(settings: Settings, timeout_s: float) -> str:
    try:
        from judgestream.adapters.triton import TritonJudge
    except ImportError:
        return EXTRA

    async def release() -> str:
        judge = await TritonJudge.connect(
            settings.triton.grpc, settings.triton.release, deadline_s=min(timeout_s, 10.0)
        )
        await judge.close()
        return f"release {judge.release.name} is ready at {settings.triton.grpc}"

    return asyncio.run(release())


def _judgement(settings: Settings, timeout_s: float) -> str:
    request = pair(
        "What is the capital of France?",
        "The capital of France is Paris.",
        "It is a city.",
        request_id=f"doctor-{uuid4().hex}",
        metadata={"source": "judgestream doctor"},
    )
    with closing(Follower(settings.kafka)) as follower:
        with RequestPublisher(settings.kafka) as publisher:
            publisher.submit(request)
        results = follower.wait([Awaited.of(request)], timeout_s=timeout_s, told=lambda _: None)
    verdict = results.verdicts.get(request.request_id)
    letter = results.letters.get(request.request_id)
    if letter is not None:
        raise NoVerdict(f"it was set aside: {letter.error_class}: {letter.error_message}")
    if verdict is None:
        raise TimeRanOut(
            f"request {request.request_id} has no verdict after {timeout_s:g} s: start a worker with"
            " `judgestream worker judging`, or see its log; with much to do, wait longer (--timeout)"
        )
    if verdict.status is not Status.SCORED:
        raise NoVerdict(f"the judge gave no score: {outcome(verdict)}")
    return f"{outcome(verdict)} by {verdict.release} in {verdict.latency_s:.2f} s"


STEPS = (
    Step(name="kafka", look=_kafka),
    Step(name="topics", look=_topics),
    Step(name="redis", look=_redis),
    Step(name="triton", look=_triton),
    Step(name="judgement", look=_judgement),
)
"""In the order of the data's way; a step is looked at when all before it are well."""


def doctor(
    timeout: Annotated[
        float, typer.Option(min=0.1, help="seconds that the one request may take")
    ] = 60.0,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Check settings, Kafka, topics, Redis and Triton, then send one request and wait for its verdict.

    Stops at the first step that fails, and says the mend.
    """
    settings = load()
    _tell("settings", "ok", "read and valid", form)
    for step in STEPS:
        try:
            found = step.look(settings, timeout)
        except JudgestreamError as exc:
            _tell(step.name, "failed", str(exc), form)
            code = ExitCode.NO if isinstance(exc, NoVerdict) else exit_code(exc)
            raise typer.Exit(code) from exc
        _tell(step.name, "ok" if found != EXTRA else "skipped", found, form)


def _tell(step: str, state: str, found: str, form: OutputFormat) -> None:
    if form is OutputFormat.JSON:
        json_line({"step": step, "state": state, "found": found})
    else:
        line(f"{step:<10} {state:<8} {found}")
