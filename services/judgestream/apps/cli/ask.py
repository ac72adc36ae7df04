"""`judgestream ask`: ask the judge about its verdict."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer

from judgestream.adapters.kafka.request_join import with_requests
from judgestream.apps.cli.verdicts.finding import found
from judgestream.client import VerdictTimeout, judge
from judgestream.contracts.codecs.requests import request_from_message
from judgestream.contracts.codecs.verdicts import verdict_from_message, verdict_to_message
from judgestream.contracts.json_mapping import parsed
from judgestream.core.errors import ConfigurationError, InvalidRequest
from judgestream.core.follow_ups import follow_up
from judgestream.core.formats.fields import Fields, Place, kind
from judgestream.core.limits import EXPLANATION_TOKENS
from judgestream.core.modes import check
from judgestream.core.types import Request, Status, Verdict
from judgestream.core.verdict_text import outcome
from judgestream.settings import Kafka, load
from judgestream.terminal import options
from judgestream.terminal.exit_codes import ExitCode, TimeRanOut
from judgestream.terminal.output import OutputFormat, json_line, line, note
from judgestream.v1.judging_pb2 import JudgeRequest
from judgestream.v1.judging_pb2 import Verdict as VerdictMessage

TIMEOUT_S = 120.0


def ask(
    about: Annotated[
        str,
        typer.Argument(
            metavar="ID|FILE",
            help="a request id, a verdict id or its first 8 or more digits; or a file with one verdict and"
            " its request, as `verdicts get --with-texts --format json` prints them",
        ),
    ],
    question: Annotated[str, typer.Argument(help="what you want to know about the verdict")],
    release: options.Release = None,
    criterion: Annotated[
        str, typer.Option("--criterion", metavar="ID", help="of a rubric: ask about this one")
    ] = "",
    max_tokens: Annotated[
        int,
        typer.Option(
            "--max-tokens", min=1, max=EXPLANATION_TOKENS, help="limit of the judge's answer"
        ),
    ] = 256,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, metavar="SECONDS", help="to wait for the answer")
    ] = TIMEOUT_S,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Ask the judge about one of its verdicts, and print its answer.

    The question goes through the same topics as any request, to the release that judged. The judge sees its
    prompt, its reply and your question. To continue, ask about the answer: its verdict id is shown. Of
    several releases' verdicts, the latest is asked about, unless --release names one.

    Exits 1 when there is no such verdict or the judge gives no answer, and 4 when the time limit is reached.
    """
    kafka = load().kafka
    path = Path(about)
    request, verdict = (
        _from_file(path) if path.is_file() else _from_topics(kafka, about, release=release)
    )
    asked = follow_up(
        request,
        verdict,
        question,
        request_id=f"ask-{uuid4().hex}",
        at=datetime.now(UTC),
        criterion=criterion,
        max_tokens=max_tokens,
    )
    check(asked)
    answer = _answer(kafka, asked, verdict.release, timeout)
    if form is OutputFormat.JSON:
        json_line(verdict_to_message(answer))
    elif answer.status is Status.SCORED:
        line(answer.explanation)
        note(f"to continue: judgestream ask {answer.verdict_id[:12]} QUESTION")
    else:
        note(outcome(answer))
    if answer.status is not Status.SCORED:
        raise typer.Exit(ExitCode.NO)


def _from_topics(kafka: Kafka, identity: str, *, release: str | None) -> tuple[Request, Verdict]:
    matches = [verdict for _, verdict in found(kafka, identity, release=release)]
    latest = max(matches, key=lambda one: (one.status is Status.SCORED, one.judged_at))
    wanted = [(latest.request_id, latest.content_digest, latest)]
    (_, request), *_ = with_requests(kafka, wanted, on_skip=note)
    if request is None:
        raise ConfigurationError(
            f"the request of verdict {latest.verdict_id[:12]} has left its topic, so the judge cannot be"
            " shown what it judged: give a file with both"
        )
    return request, latest


def _from_file(path: Path) -> tuple[Request, Verdict]:
    """A verdict in JSON with its request in the field `request`."""
    place = Place(file=path.name, number=1, unit="record")
    try:
        values = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as exc:
        raise ConfigurationError(f"{path}: cannot be read as one JSON object: {exc}") from exc
    if not isinstance(values, dict):
        raise ConfigurationError(f"{path}: needs one JSON object, not {kind(values)}")
    texts = values.pop("request", None)
    if not isinstance(texts, dict):
        raise ConfigurationError(
            f"{path}: has no request: write it with `verdicts get ID --with-texts --format json`"
        )
    try:
        verdict = verdict_from_message(parsed(Fields(values, place), VerdictMessage))
        request = request_from_message(parsed(Fields(texts, place), JudgeRequest))
    except ValueError as exc:
        raise InvalidRequest(f"{path}: {exc}") from exc
    return request, verdict


def _answer(kafka: Kafka, asked: Request, release: str, timeout_s: float) -> Verdict:
    try:
        return judge(asked, settings=kafka, release=release, timeout_s=timeout_s)
    except VerdictTimeout as exc:
        raise TimeRanOut(
            f"release {release} has not answered within {timeout_s:g} s: is its judging worker running? Check"
            f" with `judgestream doctor`; see `judgestream verdicts get {asked.request_id}` later"
        ) from exc
