"""`judgestream dlq list|inspect|replay`: show dead letters, and publish their records again."""

from collections.abc import Sequence
from typing import Annotated

import typer
from google.protobuf import json_format

from judgestream.adapters.kafka.publishing import RecordPublisher
from judgestream.apps.cli.dlq.skip import skip
from judgestream.apps.cli.reading import everything
from judgestream.contracts.events import Header, header
from judgestream.contracts.topics import DEAD_LETTERS, TOPICS
from judgestream.contracts.wire import decode
from judgestream.core.errors import ConfigurationError, UndecodableRecord, UnreadableBatch
from judgestream.settings import Kafka, load
from judgestream.terminal import options
from judgestream.terminal.exit_codes import ExitCode
from judgestream.terminal.output import OutputFormat, json_line, line, note
from judgestream.v1.judging_pb2 import DeadLetter

app = typer.Typer(no_args_is_help=True, help="Dead letters: records that could not be judged.")

app.command("skip")(skip)

REPLAY_OF = "judgestream-replay-of"
"""Header of a replayed record: the id of its dead letter."""
PREVIEW = 2000

ErrorClass = Annotated[
    str | None,
    typer.Option(
        "--error-class", help="only this error class, for example prompt_too_long", metavar="CLASS"
    ),
]


@app.command("list")
def list_command(
    error_class: ErrorClass = None,
    since: options.Since = None,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """One line per dead letter, oldest first."""
    for letter in _letters(load().kafka, error_class=error_class, since=since):
        if form is OutputFormat.JSON:
            json_line(letter)
        else:
            line(_as_line(letter))


@app.command()
def inspect(
    identity: Annotated[str, typer.Argument(metavar="ID", help="id of a dead letter, or a prefix")],
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Show everything about one dead letter, and its record as far as it is readable."""
    (letter,) = _chosen(_letters(load().kafka), [identity])
    if form is OutputFormat.JSON:
        json_line(letter)
        return
    rows = {
        "id": letter.dead_letter_id,
        "record": f"{letter.topic}[{letter.partition}]@{letter.offset}",
        "recorded at": letter.recorded_at.ToJsonString(),
        "request id": letter.request_id or "(unreadable)",
        "error": f"{letter.error_class}: {letter.error_message}",
        "attempts": letter.attempts,
        "first failed at": letter.first_failed_at.ToJsonString(),
        "set aside at": letter.dead_lettered_at.ToJsonString(),
        "group": letter.consumer_group,
        "key": repr(letter.key) if letter.HasField("key") else "(none)",
    }
    for name, value in rows.items():
        line(f"{name + ':':<17}{value}")
    for entry in letter.headers:
        value = entry.value.decode(errors="backslashreplace")
        line(f"{'header:':<17}{entry.key} = {value}")
    line(f"{'value:':<17}{_preview(letter)}")


@app.command()
def replay(
    identities: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="ids, or prefixes")
    ] = None,
    everything_there: Annotated[bool, typer.Option("--all", help="every dead letter")] = False,
    error_class: ErrorClass = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="print what would be sent, and send nothing")
    ] = False,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Publish the original records again: same bytes, key and headers, on their original topic.

    A replayed record has one more header, `judgestream-replay-of`. The dead letters stay on their topic. A
    request that has been judged since is not judged again. Fix the cause first, or the records fail again.
    """
    given = [bool(identities), everything_there, error_class is not None]
    if sum(given) != 1:
        raise ConfigurationError("no dead letters selected: give ids, or --all, or --error-class")
    kafka = load().kafka
    letters = _letters(kafka, error_class=error_class)
    chosen = _chosen(letters, identities) if identities else letters
    sendable = [letter for letter in chosen if _sendable(letter)]
    if not dry_run and sendable:
        with RecordPublisher(kafka) as publisher:
            for letter in sendable:
                publisher.send(
                    letter.topic,
                    key=letter.key if letter.HasField("key") else None,
                    value=letter.value if letter.HasField("value") else None,
                    headers=replay_headers(letter),
                    what=f"dead letter {letter.dead_letter_id}",
                )
    for letter in sendable:
        if form is OutputFormat.JSON:
            place = {"dead_letter_id": letter.dead_letter_id, "topic": letter.topic}
            json_line({**place, "request_id": letter.request_id, "replayed": not dry_run})
        else:
            line(_as_line(letter))
    note(f"{len(sendable)} {'would be replayed' if dry_run else 'replayed'}")
    if len(sendable) < len(chosen):
        raise typer.Exit(ExitCode.NO)


def replay_headers(letter: DeadLetter) -> list[Header]:
    """The original headers and the id of the dead letter. The header of an earlier replay is dropped."""
    original = [(entry.key, entry.value) for entry in letter.headers if entry.key != REPLAY_OF]
    return [*original, (REPLAY_OF, letter.dead_letter_id.encode())]


def _letters(
    kafka: Kafka, *, error_class: str | None = None, since: options.Since = None
) -> list[DeadLetter]:
    """Dead letters, one per id, oldest first. A redelivered record has the same dead letter."""
    by_id = {
        message.dead_letter_id: message
        for _, message in everything(kafka, DEAD_LETTERS, DeadLetter, since=since)
        if error_class is None or message.error_class == error_class
    }
    return sorted(by_id.values(), key=lambda letter: letter.dead_lettered_at.ToNanoseconds())


def _chosen(letters: Sequence[DeadLetter], identities: Sequence[str]) -> list[DeadLetter]:
    """The dead letters whose ids start with these prefixes.

    Raises:
        ConfigurationError: a prefix matches none or several.
    """
    chosen: dict[str, DeadLetter] = {}
    for identity in identities:
        matches = [letter for letter in letters if letter.dead_letter_id.startswith(identity)]
        if len(matches) != 1:
            many = "no" if not matches else f"{len(matches)}"
            raise ConfigurationError(
                f"{many} dead letter ids start with {identity!r}: see `judgestream dlq list`"
            )
        chosen[matches[0].dead_letter_id] = matches[0]
    return list(chosen.values())


def _sendable(letter: DeadLetter) -> bool:
    """Whether the record can be published again. Prints the reason when it cannot."""
    if letter.topic not in TOPICS:
        note(f"{letter.dead_letter_id}: left out: unknown topic {letter.topic!r}")
        return False
    if letter.error_class == UnreadableBatch.code:
        note(f"{letter.dead_letter_id}: left out: it is an unreadable batch, not a record")
        return False
    if letter.cut:
        place = f"{letter.topic}[{letter.partition}]@{letter.offset}"
        note(
            f"{letter.dead_letter_id}: left out: its {' and '.join(letter.cut)} did not fit and were cut;"
            f" the complete record is at {place} as long as its topic retains it"
        )
        return False
    if not letter.HasField("value"):
        note(f"{letter.dead_letter_id}: left out: its record has no value")
        return False
    return True


def _as_line(letter: DeadLetter) -> str:
    return "  ".join(
        (
            letter.dead_lettered_at.ToJsonString(),
            letter.dead_letter_id,
            letter.request_id or "-",
            f"{letter.error_class}: {letter.error_message}",
        )
    )


def _preview(letter: DeadLetter) -> str:
    if not letter.HasField("value"):
        return "(none)"
    kind = header([(entry.key, entry.value) for entry in letter.headers], "content-type")
    try:
        if letter.topic not in TOPICS:
            raise UndecodableRecord("unknown topic")
        message = decode(TOPICS[letter.topic].record, letter.value, kind)
        text = json_format.MessageToJson(message, ensure_ascii=False)
    except UndecodableRecord:
        text = repr(letter.value[:PREVIEW])
    more = len(text) - PREVIEW
    return text[:PREVIEW] + (f" ... and {more} more characters" if more > 0 else "")
