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
from google.protobuf.json_format import MessageToDict

from judgestream.adapters.files.opening import reads_once
from judgestream.adapters.kafka.following import Awaited, Follower, Results
from judgestream.adapters.kafka.publishing import RequestPublisher, encoded_request
from judgestream.apps.cli import options
from judgestream.apps.cli.exit_codes import ExitCode, TimeRanOut
from judgestream.apps.cli.input_files import FORMATS, Selection, Skipped
from judgestream.apps.cli.output import Counter, OutputFormat, json_line, note, table
from judgestream.apps.cli.understood import Skips
from judgestream.contracts.codecs import request_to_message
from judgestream.contracts.events import JSON, PROTOBUF
from judgestream.core.errors import ConfigurationError, InvalidRequest, OversizeRecord
from judgestream.core.formats.base import Converted
from judgestream.core.formats.fields import InvalidRecord
from judgestream.core.formats.mapping import parsed
from judgestream.core.types import Label, Orders, ReferenceUse, Request, Status
from judgestream.settings import load

NAMED = 5
"""So many requests without a score are named in the summary; the topics have them all."""


class ContentType(StrEnum):
    PROTOBUF = "protobuf"
    JSON = "json"


CONTENT_TYPES = {ContentType.PROTOBUF: PROTOBUF, ContentType.JSON: JSON}


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """The rows of files, and how they are to be judged. None leaves as it is."""

    selection: Selection
    explain: bool | None
    orders: Orders | None

    def read(self) -> Iterator[Converted | Label | Skipped]:
        for one in self.selection.read():
            if isinstance(one, Converted):
                yield replace(one, request=self._judged_as_asked(one.request))
            else:
                yield one

    @property
    def once_only(self) -> bool:
        """Whether rows come from standard input or a pipe, which cannot be read twice."""
        return any(reads_once(path) for path in self.selection.paths)

    def _judged_as_asked(self, request: Request) -> Request:
        given = request.options
        wanted = replace(
            given,
            explain=given.explain if self.explain is None else self.explain,
            orders=self.orders or given.orders,
        )
        return replace(request, options=wanted)


def submit(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="JSON, JSON lines, CSV, TSV, Parquet or Arrow, compressed or not, or a folder of these;"
            " - reads standard input",
        ),
    ],
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="FORMAT", help=f"{', '.join(FORMATS)}; else by its fields"),
    ] = None,
    map_: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="FIELD=COLUMN",
            help="read the columns under other names: question=prompt answer_a=response1 ...;"
            " a column may be a path, as in choices.0.text",
        ),
    ] = None,
    join: Annotated[
        str | None,
        typer.Option(
            metavar="FIELD",
            help="make pairs of single answers with the same question (or the same value of a field)",
        ),
    ] = None,
    skip_bad: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="leave out rows that cannot be read, and write place and reason to FILE",
        ),
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
        bool,
        typer.Option(
            "--dry-run",
            help="check all, print the requests as JSON and what was understood, send nothing",
        ),
    ] = False,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Publish the requests of files, and the labels that come with them.

    The format is known by the fields; docs/formats.md lists all. Files that belong together (questions,
    answers and reviews; requests and labels) are given together. Files are checked whole before anything is
    sent; from standard input, requests are sent as they come. Sending a file twice is harmless: its requests
    keep their ids, and the judge answers the same request once.

    Rows that hold nothing that can be judged with certainty are left out, and counted by reason. Malformed
    rows stop everything, unless --skip-bad is given. Exits 1 when rows were left out.

    With --wait, exits 0 when every request is scored, 1 when one is unscored or failed, and 4 when time
    runs out before all have a verdict.
    """
    paths, entries = _arguments(files, map_ or [])
    selection = Selection(
        paths=paths,
        at=datetime.now(UTC),
        form=source,
        mapping=parsed(entries),
        join=join,
        prefix=prefix,
        limit=limit,
        reference_use=reference_use,
    )
    requests = Source(selection=selection, explain=explain, orders=orders)
    kind = CONTENT_TYPES[content_type]
    with Skips(skip_bad) as skips:
        if dry_run:
            _show(requests, kind, skips, form)
            return
        _send(requests, kind, skips, form, timeout if wait else None)


def _arguments(files: Sequence[str], entries: Sequence[str]) -> tuple[list[Path], list[str]]:
    """The files, and the entries of --map: those that follow it as in `--map a=b c=d` arrive as files."""
    rest = [name for name in files if entries and "=" in name and not Path(name).exists()]
    paths = [Path(name) for name in files if name not in rest]
    if not paths:
        raise ConfigurationError("name a file to submit, or - for standard input")
    return paths, [*entries, *rest]


def _show(source: Source, content_type: str, skips: Skips, form: OutputFormat) -> None:
    """The requests on standard output, what was understood on standard error; or all as one JSON object."""
    first: Converted | None = None
    for row in source.read():
        one = _sendable(row, content_type)
        skips.add(one)
        if isinstance(one, Converted):
            first = first or one
            if form is OutputFormat.TEXT:
                json_line(request_to_message(one.request))
    understood = skips.understood
    if form is OutputFormat.JSON:
        shown = MessageToDict(request_to_message(first.request)) if first is not None else None
        json_line(understood.as_json() | {"first_request": shown})
    else:
        width = max((len(name) for name, _ in understood.rows()), default=0)
        for name, count in understood.rows():
            note(f"{name.ljust(width)}  {count}")
    skips.check()
    skips.exit()


def _sendable(one: Converted | Label | Skipped, content_type: str) -> Converted | Label | Skipped:
    """The same, or skipped when its record would be too large."""
    if not isinstance(one, Converted):
        return one
    try:
        encoded_request(one.request, content_type)
    except (InvalidRequest, OversizeRecord) as exc:
        return Skipped(problem=InvalidRecord(str(exc)), form="")
    return one


def _check(source: Source, content_type: str, skipping: bool) -> int:
    """Read everything once, so that nothing is sent of files that are not what they should be. Returns the
    number of requests."""
    trial = Skips(None)
    for one in source.read():
        trial.add(_sendable(one, content_type))
    trial.check(forgiving=skipping)
    understood = trial.understood
    if not understood.requests and not understood.labels:
        trial.tell()
        names = ", ".join(str(path) for path in source.selection.paths)
        raise ConfigurationError(f"{names}: no request can be made of these records")
    return understood.requests.total()


def _send(
    source: Source,
    content_type: str,
    skips: Skips,
    form: OutputFormat,
    wait_s: float | None,
) -> None:
    """Publish, and wait for the verdicts so long, if asked to."""
    settings = load()
    kafka = settings.kafka
    if not source.once_only:
        skips.expected = _check(source, content_type, skips.keeps)
    with ExitStack() as stack:
        publisher = stack.enter_context(RequestPublisher(kafka))
        follower = stack.enter_context(closing(Follower(kafka))) if wait_s is not None else None
        started = monotonic()
        sent, labels = _publish(source, publisher, content_type, skips)
        note(f"published {len(sent)} requests and {labels} labels")
        skips.tell()
        if follower is None or wait_s is None:
            if form is OutputFormat.JSON:
                skipped = skips.understood.skipped.total()
                left_out = {"skipped": skipped} if skipped else {}
                json_line({"requests": len(sent), "labels": labels} | left_out)
            skips.exit()
            return
        with Counter("judged", len(sent)) as progress:
            results = follower.wait(
                sent, timeout_s=wait_s, told=progress.set, release=settings.triton.release
            )
    _summarise(sent, results, monotonic() - started, form)
    if results.waiting:
        raise TimeRanOut(
            f"{len(results.waiting)} of {len(sent)} requests have no verdict after {wait_s:g} s"
            f" ({_some(sorted(results.waiting))}): is a judging worker running? `judgestream doctor` looks;"
            " the verdicts can be had later with `judgestream verdicts export`"
        )
    if any(v.status is not Status.SCORED for v in results.verdicts.values()) or results.letters:
        raise typer.Exit(ExitCode.NO)
    skips.exit()


def _publish(
    source: Source, publisher: RequestPublisher, content_type: str, skips: Skips
) -> tuple[list[Awaited], int]:
    """The requests, in order, and the number of labels; all confirmed."""
    sent: list[Awaited] = []
    labels = 0
    with ExitStack() as stack:
        total = skips.expected
        progress = stack.enter_context(Counter("published", total)) if total else None
        for row in source.read():
            one = _sendable(row, content_type)
            skips.add(one)
            skips.check()
            if isinstance(one, Label):
                publisher.label(one, content_type=content_type)
                labels += 1
            elif isinstance(one, Converted):
                publisher.submit(one.request, content_type=content_type)
                for label in one.labels:
                    publisher.label(label, content_type=content_type)
                labels += len(one.labels)
                sent.append(Awaited.of(one.request))
                if progress is not None:
                    progress.set(len(sent))
        publisher.flush()
    return sent, labels


def _summarise(
    sent: Sequence[Awaited], results: Results, took_s: float, form: OutputFormat
) -> None:
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
