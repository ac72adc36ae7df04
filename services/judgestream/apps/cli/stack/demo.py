"""`judgestream demo`: the whole pipeline on this machine, on a sample, from start to a clean stop."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from judgestream.adapters.files.requests import read_requests
from judgestream.adapters.kafka.publishing import RequestPublisher
from judgestream.adapters.kafka.reading import TopicReader
from judgestream.contracts.codecs.labels import label_from_message
from judgestream.contracts.codecs.verdicts import verdict_from_message
from judgestream.contracts.events import JSON
from judgestream.contracts.topics import BIAS, DEAD_LETTERS, REQUESTS, VERDICTS
from judgestream.contracts.wire import decode
from judgestream.core.errors import UndecodableRecord
from judgestream.core.formats.base import Converted
from judgestream.core.verdict_text import verdict_line
from judgestream.settings import Kafka, load
from judgestream.terminal.exit_codes import TimeRanOut
from judgestream.terminal.output import line
from judgestream.v1.bias_pb2 import BiasReport
from judgestream.v1.judging_pb2 import DeadLetter
from judgestream.v1.judging_pb2 import Label as LabelMessage
from judgestream.v1.judging_pb2 import Verdict as VerdictMessage

if TYPE_CHECKING:
    from judgestream.apps.machine.local_stack import LocalStack

SHOWN = 12
ORIGIN = "origin"
"""Key of the metadata that says where a request of the sample comes from."""
ORIGINS = {
    "written": "written and labelled by an author",
    "computed": "computed, labels from the task",
}
ANNOTATORS = {"written": "author", "computed": "computed"}
SAMPLES = ("written.jsonl", "requests.jsonl")
JUDGED_S = 300.0
REPORTED_S = 60.0


def demo(
    data: Annotated[
        Path | None, typer.Option(help="keep the data in this folder; default: a temporary folder")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="limit the number of valid requests")
    ] = None,
) -> None:
    """Start everything on free ports, judge the shipped sample, show the results, and stop.

    Servers that settings name are used instead of new ones.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    settings = load(find_stack=False)
    from judgestream.apps.machine.local_stack import LocalStack

    started = time.monotonic()

    def say(text: str) -> None:
        line(f"[{time.monotonic() - started:5.1f} s] {text}")

    with ExitStack() as stack:
        folder = data or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="judgestream-demo-"))
        )
        machine = LocalStack(settings, data=folder.expanduser().resolve(), free_ports=True)
        stack.callback(_stop, machine, say)
        machine.start(say)
        os.environ.update(machine.environment)  # for this process and the commands below
        _show(machine, load().kafka, say, limit)
    say("stopped; nothing is left running")


def _show(
    machine: "LocalStack", kafka: Kafka, say: Callable[[str], None], limit: int | None
) -> None:
    with ExitStack() as stack:
        verdicts = stack.enter_context(TopicReader(kafka, VERDICTS, VerdictMessage))
        letters = stack.enter_context(TopicReader(kafka, DEAD_LETTERS, DeadLetter))
        for reader in (verdicts, letters):
            reader.seek(reader.end())
        ids, bad = _publish(kafka, limit)
        origins = Counter(ids.values())
        parts = ", ".join(f"{origins[name]} {what}" for name, what in ORIGINS.items())
        say(f"published {len(ids)} requests ({parts}) and {bad} bad records")
        _follow(machine, verdicts, letters, set(ids), bad, say)
    say("waiting until the bias report includes every verdict")
    _wait_for_report(machine, kafka, len(ids))
    _run("bias", "report")
    for origin, annotator in ANNOTATORS.items():
        _run("agreement", "--annotator", annotator, about=f"the {origin} requests")
    _run("dlq", "list")
    line()


def _run(*command: str, about: str = "") -> None:
    line()
    line("$ judgestream " + " ".join(command) + (f"    # {about}" if about else ""))
    subprocess.run([sys.executable, "-m", "judgestream.apps.cli", *command], check=False)


def _publish(kafka: Kafka, limit: int | None) -> tuple[dict[str, str], int]:
    """Send the shipped sample. Returns the origin of each valid request by its id, and the number of bad
    records."""
    sample = files("judgestream") / "samples"
    ids: dict[str, str] = {}
    with RequestPublisher(kafka) as publisher:
        now = datetime.now(UTC)
        for one in islice(_sample_requests(sample, now), limit):
            publisher.submit(one.request)
            for label in one.labels:
                publisher.label(label)
            ids[one.request.request_id] = one.request.metadata[ORIGIN]
        for raw in (sample / "labels.jsonl").read_bytes().splitlines():
            publisher.label(label_from_message(decode(LabelMessage, raw, JSON)))
        bad = (sample / "bad.jsonl").read_bytes().splitlines()
        for value in bad:
            publisher.send(
                REQUESTS.name,
                key=None,
                value=value,
                headers=[("content-type", JSON.encode())],
                what="bad record",
            )
        publisher.flush()
    return ids, len(bad)


def _sample_requests(sample: Traversable, now: datetime) -> Iterator[Converted]:
    """The valid requests of the sample: the written ones first."""
    for name in SAMPLES:
        path = Path(str(sample / name))
        yield from read_requests(path, form=None, at=now, prefix="", limit=None)


def _follow(
    machine: "LocalStack",
    verdicts: TopicReader[VerdictMessage],
    letters: TopicReader[DeadLetter],
    ids: set[str],
    bad: int,
    say: Callable[[str], None],
) -> None:
    """Print the first verdicts as they arrive and count the others, until all have arrived."""
    waiting, dead, shown = set(ids), 0, 0
    outcomes: Counter[str] = Counter()
    deadline, reported_at = time.monotonic() + JUDGED_S, time.monotonic()
    while waiting or dead < bad:
        if time.monotonic() > deadline:
            raise TimeRanOut(
                f"after {JUDGED_S:.0f} s {len(waiting)} requests have no verdict and"
                f" {bad - dead} bad records no dead letter; see the logs in {machine.data}"
            )
        machine.step()
        for incoming in verdicts.poll(0.3):
            if isinstance(incoming.message, UndecodableRecord):
                continue
            verdict = verdict_from_message(incoming.message)
            if verdict.request_id not in waiting:
                continue
            waiting.discard(verdict.request_id)
            outcomes[verdict.status] += 1
            if shown < SHOWN:
                shown += 1
                say(verdict_line(verdict))
        dead += len(letters.poll(0.0))
        if time.monotonic() - reported_at > 2.0:
            reported_at = time.monotonic()
            say(f"{len(ids) - len(waiting)} of {len(ids)} judged")
    counts = ", ".join(f"{count} {status}" for status, count in outcomes.most_common())
    say(f"{len(ids)} requests judged: {counts}; {dead} bad records in the dead letters")


def _wait_for_report(machine: "LocalStack", kafka: Kafka, verdicts: int) -> None:
    deadline = time.monotonic() + REPORTED_S
    counted: dict[str, int] = {}
    with TopicReader(kafka, BIAS, BiasReport) as reader:
        reader.seek(reader.beginning())
        while sum(counted.values()) < verdicts:
            if time.monotonic() > deadline:
                raise TimeRanOut(
                    f"the bias report has {sum(counted.values())} of {verdicts} verdicts after"
                    f" {REPORTED_S:.0f} s; see the bias worker's log in {machine.data}"
                )
            machine.step()
            for incoming in reader.poll(0.5):
                report = incoming.message
                if isinstance(report, BiasReport):
                    done = report.counts["scored"] + report.counts["unscored"]
                    counted[report.report_id] = max(counted.get(report.report_id, 0), done)


def _stop(machine: "LocalStack", say: Callable[[str], None]) -> None:
    say("stopping")
    machine.stop()


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt
