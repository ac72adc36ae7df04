"""`judgestream verdicts tail|export`: look at the verdicts, or take them away."""

from enum import StrEnum
from typing import Annotated

import typer

from judgestream.adapters.kafka.reading import TopicReader
from judgestream.apps.cli import options
from judgestream.apps.cli.output import OutputFormat, json_line, line, note
from judgestream.apps.cli.reading import all_verdicts, decoded, verdicts
from judgestream.apps.cli.trl_export import Preference, preferences
from judgestream.apps.cli.verdict_set import VerdictSet
from judgestream.apps.cli.verdict_text import verdict_line
from judgestream.contracts.topics import VERDICTS
from judgestream.core.types import Status
from judgestream.settings import load
from judgestream.v1.judging_pb2 import Verdict as VerdictMessage

app = typer.Typer(no_args_is_help=True, help="Look at the verdicts, or take them away.")

WithStatus = Annotated[Status | None, typer.Option("--status", help="only verdicts of this status")]


class Shape(StrEnum):
    VERDICTS = "verdicts"
    TRL = "trl"


@app.command()
def tail(
    since: options.Since = None,
    release: options.Release = None,
    status: WithStatus = None,
    follow: Annotated[
        bool, typer.Option("--follow/--all", help="those to come, or all there are now")
    ] = True,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=1, help="end after so many")
    ] = None,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Print verdicts as they are published, redeliveries included, until interrupted.

    --all prints what there is now (since --since, or from the oldest) and ends.
    """
    printed = 0
    with TopicReader(load().kafka, VERDICTS, VerdictMessage) as reader:
        if since is not None:
            start = reader.since(since)
        else:
            start = reader.end() if follow else reader.beginning()
        incoming = reader.read(start, until=None if follow else reader.end())
        for message, verdict in verdicts(decoded(incoming), release=release):
            if status is not None and verdict.status is not status:
                continue
            if form is OutputFormat.JSON:
                json_line(message)
            else:
                line(verdict_line(verdict))
            printed += 1
            if limit is not None and printed >= limit:
                return


@app.command()
def export(
    since: options.Since = None,
    release: options.Release = None,
    status: WithStatus = None,
    shape: Annotated[
        Shape,
        typer.Option("--as", help="verdicts, or trl: preference rows {prompt, chosen, rejected}"),
    ] = Shape.VERDICTS,
) -> None:
    """Write every verdict there is as JSON lines, one per judgement.

    A redelivered verdict is written once, and a failed one not at all when its replay was judged. TRL
    rows are made of scored verdicts with a winner, and need the request still to be on its topic.
    """
    kafka = load().kafka
    kept: VerdictSet[tuple[str, Status]] = VerdictSet()
    if shape is Shape.TRL:
        winners: VerdictSet[Preference | None] = VerdictSet()
        for _, verdict in all_verdicts(kafka, release=release, since=since):
            winners.add(verdict, Preference.of(verdict))
        wanted = [one for one in winners if one is not None]
        undecided = sum(1 for one in winners if one is None)
        written = 0
        for row in preferences(kafka, wanted):
            json_line(row)
            written += 1
        note(
            f"{written} rows; {undecided} verdicts without a winner,"
            f" {len(wanted) - written} without their request on the topic any more"
        )
        return
    # Twice over the topic, so that memory holds ids and not verdicts.
    for _, verdict in all_verdicts(kafka, release=release, since=since):
        kept.add(verdict, (verdict.verdict_id, verdict.status))
    wanted_ids = {identity: found for identity, found in kept if status is None or found is status}
    written = 0
    for message, verdict in all_verdicts(kafka, release=release, since=since):
        if wanted_ids.get(verdict.verdict_id) is verdict.status:
            del wanted_ids[verdict.verdict_id]
            json_line(message)
            written += 1
    note(f"{written} verdicts")
