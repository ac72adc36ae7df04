"""Verdicts found by the id of their request or by their own."""

import typer

from judgestream.adapters.kafka.verdict_topic import Published
from judgestream.apps.cli.reading import all_verdicts, everything
from judgestream.contracts.topics import DEAD_LETTERS
from judgestream.core.verdict_set import VerdictSet
from judgestream.settings import Kafka
from judgestream.terminal.exit_codes import ExitCode
from judgestream.terminal.output import note
from judgestream.v1.judging_pb2 import DeadLetter

SHORTEST_PREFIX = 8


def found(kafka: Kafka, identity: str, *, release: str | None = None) -> list[Published]:
    """Each verdict with this request id or verdict id (its first 8 or more digits) once.

    Raises:
        typer.Exit: there is none; a note on standard error names the request's dead letter if it has one.
    """
    kept: VerdictSet[Published] = VerdictSet()
    for message, verdict in all_verdicts(kafka, release=release):
        if verdict.request_id == identity or _begins(verdict.verdict_id, identity):
            kept.add(verdict, (message, verdict))
    matches = list(kept)
    if not matches:
        note(f"no verdict has the id {identity!r}{_letters_of(kafka, identity)}")
        raise typer.Exit(ExitCode.NO)
    return matches


def _begins(verdict_id: str, identity: str) -> bool:
    return len(identity) >= SHORTEST_PREFIX and verdict_id.startswith(identity)


def _letters_of(kafka: Kafka, request_id: str) -> str:
    ids = [
        letter.dead_letter_id
        for _, letter in everything(kafka, DEAD_LETTERS, DeadLetter)
        if letter.request_id == request_id
    ]
    if not ids:
        return "; is a judging worker running? See `judgestream status`"
    return f"; its dead letter is {ids[-1]}: see `judgestream dlq inspect {ids[-1][:12]}`"
