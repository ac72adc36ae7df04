"""`judgestream verdicts tail|get`: show verdicts."""

from typing import Annotated

import typer

from judgestream.adapters.kafka.messages import decoded
from judgestream.adapters.kafka.reading import TopicReader
from judgestream.adapters.kafka.request_join import with_requests
from judgestream.adapters.kafka.verdict_topic import verdicts
from judgestream.apps.cli.verdicts.export import export
from judgestream.apps.cli.verdicts.filter_options import (
    Until,
    WithFlip,
    WithMode,
    WithStatus,
    WithSystem,
    WithWinner,
)
from judgestream.apps.cli.verdicts.finding import found
from judgestream.contracts.topics import VERDICTS
from judgestream.contracts.verdict_json import verdict_with_request
from judgestream.core.types import Verdict
from judgestream.core.verdict_filter import VerdictFilter
from judgestream.core.verdict_text import details, text_lines, verdict_line
from judgestream.settings import load
from judgestream.terminal import options
from judgestream.terminal.output import OutputFormat, json_line, line, note
from judgestream.v1.judging_pb2 import Verdict as VerdictMessage

app = typer.Typer(no_args_is_help=True, help="Show and export verdicts.")
app.command()(export)


@app.command()
def tail(
    since: options.Since = None,
    until: Until = None,
    release: options.Release = None,
    status: WithStatus = None,
    mode: WithMode = None,
    system: WithSystem = None,
    winner: WithWinner = None,
    flipped: WithFlip = None,
    follow: Annotated[
        bool, typer.Option("--follow/--all", help="print new verdicts, or all that exist now")
    ] = True,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=1, help="stop after this many")
    ] = None,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Print verdicts as they are published, redeliveries included, until interrupted.

    --all prints the verdicts that exist now (since --since, or from the oldest) and ends.
    """
    wanted = VerdictFilter(
        status=status, system=system, winner=winner, mode=mode, flipped=flipped, until=until
    )
    printed = 0
    with TopicReader(load().kafka, VERDICTS, VerdictMessage) as reader:
        if since is not None:
            start = reader.since(since)
        else:
            start = reader.end() if follow else reader.beginning()
        records = reader.read(start, until=None if follow else reader.end())
        for message, verdict in verdicts(decoded(records, note), release=release, on_skip=note):
            if not wanted.admits(verdict):
                continue
            if form is OutputFormat.JSON:
                json_line(message)
            else:
                line(verdict_line(verdict))
            printed += 1
            if limit is not None and printed >= limit:
                return


@app.command()
def get(
    identity: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="a request id, or a verdict id or its first 8 or more digits"
        ),
    ],
    release: options.Release = None,
    with_texts: Annotated[
        bool, typer.Option("--with-texts", help="include the question and the answers")
    ] = False,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Print everything about the verdicts of one request, one per release, or about one verdict.

    Exits 1 when there is none, and names the request's dead letter if it has one.
    """
    kafka = load().kafka
    matches = found(kafka, identity, release=release)
    if not with_texts:
        for message, verdict in matches:
            _show(message, verdict, form)
        return
    wanted = [(one.request_id, one.content_digest, (message, one)) for message, one in matches]
    for (message, verdict), request in with_requests(kafka, wanted, on_skip=note):
        if form is OutputFormat.JSON:
            json_line(verdict_with_request(message, request))
            continue
        _show(message, verdict, form)
        for text in text_lines(request):
            line(text)


def _show(message: VerdictMessage, verdict: Verdict, form: OutputFormat) -> None:
    if form is OutputFormat.JSON:
        json_line(message)
        return
    for text in details(verdict):
        line(text)
