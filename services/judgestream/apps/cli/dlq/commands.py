"""`judgestream dlq list|inspect|replay|skip`: records that were set aside, and their second chance."""

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

app = typer.Typer(
    no_args_is_help=True, help="Requests that were set aside, and their second chance."
)

app.command("skip")(skip)

REPLAY_OF = "judgestream-replay-of"
"""Header of a replayed record: the id of its dead letter."""
PREVIEW = 2000

ErrorClass = Annotated[
    str | None,
    typer.Option("--error-class", help="only these, as prompt_too_long", metavar="CLASS"),
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
    identity: Annotated[
        str, typer.Argument(metavar="ID", help="a dead letter's id, or its beginning")
    ],
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Everything that is known of one dead letter, with its record as far as it can be read."""
    (letter,) = _chosen(_letters(load().kafka), [identity])
    if form is OutputFormat.JSON:
        json_line(letter)
        return
    rows = {
        "id": letter.dead_letter_id,
        "record": f"{letter.topic}[{letter.partition}]@{letter.offset}",
        "recorded at": letter.recorded_at.ToJsonString(),
        "request id": letter.request_id or "(could not be read)",
        "error": f"{letter.error_class}: {letter.error_message}",
        "attempts": letter.attempts,
        "first failed at": letter.first_failed_at.ToJsonString(),
        "set aside at": letter.dead_lettered_at.ToJsonString(),
        "group": letter.consumer_group,
        "key": repr(letter.key) if letter.HasField("key") else "(none)",
    }
    for name, value in rows.items():
        line(f"{name + ':':<17}{value}")
    for one in letter.headers:
        line(f"{'header:':<17}{one.key} = {one.value.decode(errors='backslashreplace')}")
    line(f"{'value:':<17}{_preview(letter)}")


@app.command()
def replay(
    identities: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="ids, or their beginnings")
    ] = None,
    everything_there: Annotated[bool, typer.Option("--all", help="every dead letter")] = False,
    error_class: ErrorClass = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would be sent")] = False,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Publish the original records again: same bytes, key and headers, to the topic they were on.

    They get one more header, `judgestream-replay-of`. The dead letters stay where they are. A request
    that has been judged meanwhile is not judged again. Fix the cause first, or they come back.
    """
    given = [bool(identities), everything_there, error_class is not None]
    if sum(given) != 1:
        raise ConfigurationError("say which dead letters: some ids, or --all, or --error-class")
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
            told = {"dead_letter_id": letter.dead_letter_id, "topic": letter.topic}
            json_line({**told, "request_id": letter.request_id, "replayed": not dry_run})
        else:
            line(_as_line(letter))
    note(f"{len(sendable)} {'would be replayed' if dry_run else 'replayed'}")
    if len(sendable) < len(chosen):
        raise typer.Exit(ExitCode.NO)


def replay_headers(letter: DeadLetter) -> list[Header]:
    """The original headers, and which dead letter this is. The mark of an earlier replay is left out."""
    original = [(one.key, one.value) for one in letter.headers if one.key != REPLAY_OF]
    return [*original, (REPLAY_OF, letter.dead_letter_id.encode())]


def _letters(
    kafka: Kafka, *, error_class: str | None = None, since: options.Since = None
) -> list[DeadLetter]:
    """One per id, oldest first: a redelivered record is the same dead letter."""
    by_id = {
        message.dead_letter_id: message
        for _, message in everything(kafka, DEAD_LETTERS, DeadLetter, since=since)
        if error_class is None or message.error_class == error_class
    }
    return sorted(by_id.values(), key=lambda one: one.dead_lettered_at.ToNanoseconds())


def _chosen(letters: Sequence[DeadLetter], identities: Sequence[str]) -> list[DeadLetter]:
    """The letters whose ids begin with these, each of which must name exactly one.

    Raises:
        ConfigurationError: one names none, or several.
    """
    chosen: dict[str, DeadLetter] = {}
    for identity in identities:
        found = [one for one in letters if one.dead_letter_id.startswith(identity)]
        if len(found) != 1:
            many = "no" if not found else f"{len(found)}"
            raise ConfigurationError(
                f"{many} dead letter ids begin with {identity!r}: `judgestream dlq list` shows them"
            )
        chosen[found[0].dead_letter_id] = found[0]
    return list(chosen.values())


def _sendable(letter: DeadLetter) -> bool:
    """Whether there is anything to send, and a topic of ours to send it to. Says so when not."""
    if letter.topic not in TOPICS:
        note(f"{letter.dead_letter_id}: left out: its topic {letter.topic!r} is none of ours")
        return False
    if letter.error_class == UnreadableBatch.code:
        note(f"{letter.dead_letter_id}: left out: its bytes are a batch that could not be read")
        return False
    if letter.cut:
        place = f"{letter.topic}[{letter.partition}]@{letter.offset}"
        note(
            f"{letter.dead_letter_id}: left out: its {' and '.join(letter.cut)} did not fit and are cut;"
            f" the whole record is at {place} as long as its topic keeps it"
        )
        return False
    if not letter.HasField("value"):
        note(
            f"{letter.dead_letter_id}: left out: its record had no value, so nothing can come of it"
        )
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
    kind = header([(one.key, one.value) for one in letter.headers], "content-type")
    try:
        if letter.topic not in TOPICS:
            raise UndecodableRecord("not a topic of ours")
        message = decode(TOPICS[letter.topic].record, letter.value, kind)
        text = json_format.MessageToJson(message, ensure_ascii=False)
    except UndecodableRecord:
        text = repr(letter.value[:PREVIEW])
    more = len(text) - PREVIEW
    return text[:PREVIEW] + (f" ... and {more} characters more" if more > 0 else "")
