"""`judgestream submit FILE`: publish the requests and labels of files, and optionally await the verdicts."""

from collections.abc import Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import typer
from google.protobuf.json_format import MessageToDict

from judgestream.adapters.files.requests import Selection
from judgestream.adapters.kafka.following import Awaited, Follower, Results
from judgestream.adapters.kafka.publishing import RequestPublisher
from judgestream.adapters.kafka.rollout_topic import RolloutReader
from judgestream.apps.cli.submit import options as submit_options
from judgestream.apps.cli.submit.options import ContentType
from judgestream.apps.cli.submit.skips import Skips
from judgestream.apps.cli.submit.source import Source, counted, sendable
from judgestream.apps.cli.submit.summary import some, summarise
from judgestream.contracts.codecs.requests import request_to_message
from judgestream.contracts.events import JSON, PROTOBUF
from judgestream.core.errors import ConfigurationError
from judgestream.core.formats.base import Converted
from judgestream.core.formats.mapping import parsed
from judgestream.core.types import Label, Status
from judgestream.settings import Settings, load
from judgestream.terminal import options
from judgestream.terminal.exit_codes import ExitCode, TimeRanOut
from judgestream.terminal.mapped_files import Join, Map, files_and_columns
from judgestream.terminal.output import OutputFormat, ProgressCounter, json_line, note

ROUTE_S = 10.0
"""The longest time to read the route."""

CONTENT_TYPES = {ContentType.PROTOBUF: PROTOBUF, ContentType.JSON: JSON}


def submit(
    files: submit_options.Files,
    source: submit_options.From = None,
    map_: Map = None,
    join: Join = None,
    skip_bad: submit_options.SkipBad = None,
    wait: submit_options.Wait = False,
    timeout: submit_options.Timeout = 600.0,
    explain: submit_options.Explain = None,
    orders: submit_options.Orders = None,
    reference_use: submit_options.ReferenceUse = None,
    conversations: submit_options.Conversations = None,
    hybrid_weight: submit_options.HybridWeight = None,
    limit: submit_options.Limit = None,
    prefix: submit_options.Prefix = "",
    content_type: submit_options.As = ContentType.PROTOBUF,
    dry_run: submit_options.DryRun = False,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Publish the requests of files, and the labels that come with them.

    The format is recognised by its fields; see docs/reference/formats.md. Give files that belong
    together (questions, answers and reviews; requests and labels) in one call. Files are checked completely
    before anything is sent; requests on standard input are sent as they arrive. Sending a file twice is
    harmless: its requests keep their ids, and the judge answers the same request once.

    Rows that cannot be judged with certainty are left out and counted by reason. Malformed rows stop the
    command, unless --skip-bad is given. Exits 1 when rows were left out.

    With --wait, exits 0 when every request is scored, 1 when one is unscored or failed, and 4 when the time
    limit is reached before all have a verdict.
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
        conversations=conversations,
    )
    requests = Source(
        selection=selection, explain=explain, orders=orders, hybrid_weight=hybrid_weight
    )
    kind = CONTENT_TYPES[content_type]
    with Skips(skip_bad) as skips:
        if dry_run:
            _show(requests, kind, skips, form)
            return
        _send(requests, kind, skips, form, timeout if wait else None)


def _arguments(arguments: Sequence[str], entries: Sequence[str]) -> tuple[list[Path], list[str]]:
    """The files, at least one, and the entries of --map."""
    paths, columns = files_and_columns(arguments, entries)
    if not paths:
        raise ConfigurationError("no file given: name one, or - for standard input")
    return paths, columns


def _show(source: Source, content_type: str, skips: Skips, form: OutputFormat) -> None:
    """Print the requests on standard output and the counts on standard error; or all as one JSON object."""
    first: Converted | None = None
    for row in source.read():
        one = sendable(row, content_type)
        skips.add(one)
        if isinstance(one, Converted):
            first = first or one
            if form is OutputFormat.TEXT:
                json_line(request_to_message(one.request))
    counts = skips.counts
    if form is OutputFormat.JSON:
        shown = MessageToDict(request_to_message(first.request)) if first is not None else None
        json_line(counts.as_json() | {"first_request": shown})
    else:
        width = max((len(name) for name, _ in counts.rows()), default=0)
        for name, count in counts.rows():
            note(f"{name.ljust(width)}  {count}")
    skips.check()
    skips.exit()


def _send(
    source: Source,
    content_type: str,
    skips: Skips,
    form: OutputFormat,
    wait_s: float | None,
) -> None:
    """Publish, and wait up to `wait_s` seconds for the verdicts; None does not wait."""
    settings = load()
    kafka = settings.kafka
    if not source.once_only:
        skips.expected = counted(source, content_type, skips.keeps)
    with ExitStack() as stack:
        publisher = stack.enter_context(RequestPublisher(kafka))
        follower = stack.enter_context(closing(Follower(kafka))) if wait_s is not None else None
        started = monotonic()
        sent, labels = _publish(source, publisher, content_type, skips)
        note(f"published {len(sent)} requests and {labels} labels")
        skips.report()
        if follower is None or wait_s is None:
            if form is OutputFormat.JSON:
                _print_published(len(sent), labels, skips)
            skips.exit()
            return
        with ProgressCounter("judged", len(sent)) as progress:
            results = follower.wait(
                sent, timeout_s=wait_s, on_progress=progress.set, release=_one_release(settings)
            )
    summarise(sent, results, monotonic() - started, form)
    _require_scores(sent, results, wait_s)
    skips.exit()


def _one_release(settings: Settings) -> str:
    """The only release whose verdicts are waited for; "" where a route decides: it may change at any time."""
    release = settings.triton.release
    if not release or not settings.rollout.follow:
        return release
    try:
        with closing(RolloutReader(settings.kafka, client_id="judgestream-client")) as reader:
            reader.read_to_end(timeout_s=ROUTE_S)
            return "" if reader.rollout.stable else release
    except ConfigurationError:  # no such topic, so no route
        return release


def _print_published(requests: int, labels: int, skips: Skips) -> None:
    skipped = skips.counts.skipped.total()
    left_out = {"skipped": skipped} if skipped else {}
    json_line({"requests": requests, "labels": labels} | left_out)


def _require_scores(sent: Sequence[Awaited], results: Results, wait_s: float) -> None:
    """Exit with an error when a request has no verdict, or no score."""
    if results.waiting:
        raise TimeRanOut(
            f"{len(results.waiting)} of {len(sent)} requests have no verdict after {wait_s:g} s"
            f" ({some(sorted(results.waiting))}): is a judging worker running? Check with `judgestream"
            " doctor`; get the verdicts later with `judgestream verdicts export`"
        )
    if any(v.status is not Status.SCORED for v in results.verdicts.values()) or results.letters:
        raise typer.Exit(ExitCode.NO)


def _publish(
    source: Source, publisher: RequestPublisher, content_type: str, skips: Skips
) -> tuple[list[Awaited], int]:
    """Publish everything. Returns the requests, in order, and the number of labels; all are confirmed."""
    sent: list[Awaited] = []
    labels = 0
    with ExitStack() as stack:
        total = skips.expected
        progress = stack.enter_context(ProgressCounter("published", total)) if total else None
        for row in source.read():
            one = sendable(row, content_type)
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
