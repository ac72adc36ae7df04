"""`judgestream submit FILE`: publish a file's requests and labels, and wait for the verdicts if asked to."""

from collections import Counter as Tally
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Annotated

import typer

from judgestream.adapters.kafka.following import Follower, Results
from judgestream.adapters.kafka.publishing import RequestPublisher, encoded_request
from judgestream.apps.cli import options
from judgestream.apps.cli.exit_codes import ExitCode, TimeRanOut
from judgestream.apps.cli.input_files import FORMATS, STDIN, read_requests
from judgestream.apps.cli.output import Counter, OutputFormat, json_line, note, table
from judgestream.contracts.codecs import request_to_message
from judgestream.contracts.events import JSON, PROTOBUF
from judgestream.core.errors import ConfigurationError
from judgestream.core.formats.base import Converted
from judgestream.core.types import Orders, ReferenceUse, Request, Status
from judgestream.settings import load

NAMED = 5
"""So many requests without a score are named in the summary; the topics have them all."""


class ContentType(StrEnum):
    PROTOBUF = "protobuf"
    JSON = "json"


CONTENT_TYPES = {ContentType.PROTOBUF: PROTOBUF, ContentType.JSON: JSON}


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Which requests to take from which file, and how they are to be judged. None leaves as it is."""

    path: Path
    form: str | None
    prefix: str
    limit: int | None
    explain: bool | None
    orders: Orders | None
    reference_use: ReferenceUse | None

    def read(self, at: datetime) -> Iterator[Converted]:
        found = read_requests(
            self.path, form=self.form, at=at, prefix=self.prefix, limit=self.limit
        )
        for one in found:
            yield replace(one, request=self._judged_as_asked(one.request))

    def _judged_as_asked(self, request: Request) -> Request:
        given = request.options
        wanted = replace(
            given,
            explain=given.explain if self.explain is None else self.explain,
            orders=self.orders or given.orders,
            reference_use=self.reference_use or given.reference_use,
        )
        return replace(request, options=wanted)


def submit(
    file: Annotated[
        Path, typer.Argument(help="JSON lines or a JSON array, gzip or not; - reads standard input")
    ],
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="FORMAT", help=f"{', '.join(FORMATS)}; else by its fields"),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="follow these requests until each has a verdict")
    ] = False,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="seconds to wait for the verdicts, with --wait")
    ] = 600.0,
    explain: Annotated[
        bool | None,
        typer.Option(
            "--explain/--no-explain", help="whether the judge writes why", show_default=False
        ),
    ] = None,
    orders: Annotated[
        Orders | None, typer.Option(help="both is fair; straight costs half and flips unseen")
    ] = None,
    reference_use: Annotated[
        ReferenceUse | None, typer.Option(help="how a reference answer is used")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="only so many requests from the beginning")
    ] = None,
    prefix: Annotated[
        str, typer.Option(help="put before every request id; a new one has all judged anew")
    ] = "",
    content_type: Annotated[
        ContentType, typer.Option(help="how the records are written")
    ] = ContentType.PROTOBUF,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="check all, print the requests as JSON, send nothing")
    ] = False,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Publish a file's requests, and the labels that come with them.

    A file is checked whole before anything is sent; from standard input, requests are sent as they come.
    Sending a file twice is harmless: its requests keep their ids, and the judge answers an id once.

    With --wait, exits 0 when every request is scored, 1 when one is unscored or failed, and 4 when time
    runs out before all have a verdict.
    """
    at = datetime.now(UTC)
    requests = Source(
        path=file,
        form=source,
        prefix=prefix,
        limit=limit,
        explain=explain,
        orders=orders,
        reference_use=reference_use,
    )
    if dry_run:
        for one in requests.read(at):
            encoded_request(one.request, CONTENT_TYPES[content_type])
            json_line(request_to_message(one.request))
        return
    kafka = load().kafka
    total = None if file == STDIN else _check(requests, at, CONTENT_TYPES[content_type])
    with ExitStack() as stack:
        publisher = stack.enter_context(RequestPublisher(kafka))
        follower = stack.enter_context(closing(Follower(kafka))) if wait else None
        started = monotonic()
        sent, labels = _publish(requests, at, publisher, CONTENT_TYPES[content_type], total)
        note(f"published {len(sent)} requests and {labels} labels")
        if follower is None:
            if form is OutputFormat.JSON:
                json_line({"requests": len(sent), "labels": labels})
            return
        with Counter("judged", len(sent)) as progress:
            results = follower.wait(sent, timeout_s=timeout, told=progress.set)
    _summarise(sent, results, monotonic() - started, form)
    if results.waiting:
        raise TimeRanOut(
            f"{len(results.waiting)} of {len(sent)} requests have no verdict after {timeout:g} s"
            f" ({_some(sorted(results.waiting))}): is a judging worker running? `judgestream doctor` looks;"
            " the verdicts can be had later with `judgestream verdicts export`"
        )
    if any(v.status is not Status.SCORED for v in results.verdicts.values()) or results.letters:
        raise typer.Exit(ExitCode.NO)


def _check(source: Source, at: datetime, content_type: str) -> int:
    """The number of requests in the file, each of which can be sent."""
    count = 0
    for one in source.read(at):
        encoded_request(one.request, content_type)
        count += 1
    if not count:
        raise ConfigurationError(f"{source.path} holds no records")
    return count


def _publish(
    source: Source,
    at: datetime,
    publisher: RequestPublisher,
    content_type: str,
    total: int | None,
) -> tuple[list[str], int]:
    """The ids of the requests, in order, and the number of labels; all confirmed."""
    sent: list[str] = []
    labels = 0
    with ExitStack() as stack:
        progress = stack.enter_context(Counter("published", total)) if total else None
        for one in source.read(at):
            publisher.submit(one.request, content_type=content_type)
            for label in one.labels:
                publisher.label(label, content_type=content_type)
            labels += len(one.labels)
            sent.append(one.request.request_id)
            if progress is not None:
                progress.set(len(sent))
        publisher.flush()
    return sent, labels


def _summarise(sent: Sequence[str], results: Results, took_s: float, form: OutputFormat) -> None:
    verdicts = list(results.verdicts.values())
    by_status = Tally(verdict.status for verdict in verdicts)
    scored = [verdict for verdict in verdicts if verdict.status is Status.SCORED]
    places = Tally(
        next((k for k, s in enumerate(v.scores, start=1) if s.candidate_id == v.winner), 0)
        for v in scored
        if v.winner
    )
    compared = [verdict.flipped for verdict in scored if verdict.flipped is not None]
    summary: dict[str, object] = {
        "requests": len(sent),
        "scored": by_status[Status.SCORED],
        "unscored": by_status[Status.UNSCORED],
        "failed": by_status[Status.FAILED] + len(results.letters),
        "no_verdict": len(results.waiting),
        "judged_before": len(results.earlier),
        "first_won": places[1],
        "second_won": places[2],
        "ties": sum(verdict.tie for verdict in scored),
        "flips": sum(compared),
        "judged_in_both_orders": len(compared),
        "median_latency_s": round(median(v.latency_s for v in verdicts), 4) if verdicts else None,
        "took_s": round(took_s, 3),
        "releases": sorted({verdict.release for verdict in verdicts if verdict.release}),
    }
    if form is OutputFormat.JSON:
        json_line(summary)
    else:
        named = {"releases": ", ".join(sorted({v.release for v in verdicts if v.release}))}
        rows = [(name.replace("_", " "), value) for name, value in (summary | named).items()]
        table(("judged", ""), [(name, "-" if value is None else value) for name, value in rows])
    _tell_reasons(results)


def _tell_reasons(results: Results) -> None:
    if results.earlier:
        note(
            f"{len(results.earlier)} requests had been judged before, and those verdicts are counted;"
            " --prefix has them judged anew"
        )
    reasons: dict[str, list[str]] = {}
    for identity, verdict in results.verdicts.items():
        if verdict.status is Status.UNSCORED:
            reasons.setdefault(f"unscored, {verdict.reason}", []).append(identity)
        elif verdict.status is Status.FAILED:
            told = f"failed, {verdict.error_class}: {verdict.error_message}"
            reasons.setdefault(told, []).append(identity)
    for identity, letter in results.letters.items():
        told = f"failed, {letter.error_class}: {letter.error_message}"
        reasons.setdefault(told, []).append(identity)
    for reason, identities in sorted(reasons.items(), key=lambda item: -len(item[1]))[:NAMED]:
        note(f"{reason} ({_some(identities)})")


def _some(identities: Sequence[str]) -> str:
    """The first few names, and how many more."""
    more = len(identities) - NAMED
    return ", ".join(identities[:NAMED]) + (f" and {more} more" if more > 0 else "")
