"""The Python API for producers and consumers. Needs only the base install.

    from judgestream.client import Producer, pair, read_verdicts

    with Producer() as producer:                                    # settings: JUDGESTREAM_KAFKA__...
        producer.submit(pair("Capital of France?", "Paris.", "London."))
    for verdict in read_verdicts(follow=True):
        print(verdict.request_id, verdict.winner or "tie", verdict.p_win, verdict.flipped)

A request is answered once per release: send something to be judged anew under a new request id.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Self
from uuid import uuid4

from judgestream.adapters.kafka.publishing import RequestPublisher
from judgestream.adapters.kafka.reading import TopicReader
from judgestream.contracts.codecs import verdict_from_message
from judgestream.contracts.events import JSON, PROTOBUF
from judgestream.contracts.topics import VERDICTS
from judgestream.core.errors import ConfigurationError, UndecodableRecord
from judgestream.core.types import Candidate, Label, Options, Request, Verdict
from judgestream.settings import Kafka, load
from judgestream.v1.judging_pb2 import Verdict as VerdictMessage

__all__ = ["JSON", "PROTOBUF", "Producer", "label", "pair", "read_verdicts"]


def pair(
    question: str,
    first: str | Candidate,
    second: str | Candidate,
    *,
    reference: str | None = None,
    request_id: str = "",
    options: Options | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Request:
    """A request to compare two answers, asked now.

    Plain texts become the candidates "1" and "2". Without a `request_id` it gets a random one; give it
    yours to make sending it twice harmless.
    """
    candidates = tuple(
        answer if isinstance(answer, Candidate) else Candidate(id=str(k), text=answer)
        for k, answer in enumerate((first, second), start=1)
    )
    return Request(
        request_id=request_id or uuid4().hex,
        mode="pairwise",
        question=question,
        candidates=candidates,
        requested_at=datetime.now(UTC),
        reference=reference,
        options=options or Options(),
        metadata=metadata or {},
    )


def label(request_id: str, *, annotator: str, winner: str, label_id: str = "") -> Label:
    """What an annotator says about a request, now. `winner` is a candidate id, "" for a tie."""
    return Label(
        label_id=label_id or uuid4().hex,
        request_id=request_id,
        annotator=annotator,
        labelled_at=datetime.now(UTC),
        winner=winner,
        tie=winner == "",
    )


class Producer:
    """Publishes requests and labels. As a context manager it confirms everything before it lets go.

    Not for use by several threads: give each its own.
    """

    def __init__(self, settings: Kafka | None = None, *, content_type: str = PROTOBUF) -> None:
        """Connect.

        Args:
            settings: where Kafka is; None reads the environment.
            content_type: `PROTOBUF` or `JSON`.

        Raises:
            BrokerUnavailable: no broker answers.
            ConfigurationError: a setting is wrong.
        """
        if content_type not in (PROTOBUF, JSON):
            raise ConfigurationError(
                f"content type {content_type!r} is unknown: {PROTOBUF} or {JSON}"
            )
        self._content_type = content_type
        self._publisher = RequestPublisher(settings or load().kafka)

    def submit(self, request: Request) -> None:
        """Send a request. Returns before it is confirmed, and waits while too many are not.

        Raises:
            InvalidRequest, OversizeRecord: nothing was sent.
            BrokerUnavailable: this request or an earlier one was not confirmed.
        """
        self._publisher.submit(request, content_type=self._content_type)

    def label(self, label: Label) -> None:
        """Send a label. Raises as `submit` does."""
        self._publisher.label(label, content_type=self._content_type)

    def flush(self) -> int:
        """Wait until all in-sync replicas have everything sent so far. Returns the number of records.

        Raises:
            BrokerUnavailable: a record was not confirmed; sending it again is harmless.
        """
        return self._publisher.flush()

    def close(self) -> None:
        """`flush`, then disconnect."""
        self._publisher.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._publisher.__exit__(kind, error, trace)


def read_verdicts(
    settings: Kafka | None = None,
    *,
    since: datetime | None = None,
    follow: bool = False,
    timeout_s: float | None = None,
) -> Iterator[Verdict]:
    """Verdicts as they were published: at least once each, so tell them apart by `verdict_id`.

    Args:
        since: begin with verdicts published at this time; None begins with the oldest there are.
        follow: go on with those to come; otherwise stop after all that there are now.
        timeout_s: stop after this many seconds in any case.

    A failed verdict is replaced by a later one with the same id. Records that are no verdicts are passed
    over. Raises BrokerUnavailable and ConfigurationError.
    """
    kafka = settings or load().kafka
    with TopicReader(kafka, VERDICTS, VerdictMessage) as reader:
        start = reader.beginning() if since is None else reader.since(since)
        until = None if follow else reader.end()
        for incoming in reader.read(start, until=until, deadline_s=timeout_s):
            if isinstance(incoming.message, UndecodableRecord):
                continue
            try:
                verdict = verdict_from_message(incoming.message)
            except ValueError:  # a time outside the calendar: somebody else's record
                continue
            yield verdict
