"""The Python API for producers and consumers. Needs only the base install; for asyncio see `judgestream.aio`.

    from judgestream.client import Producer, judge, pair, read_verdicts

    verdict = judge(pair("Capital of France?", "Paris.", "London."))    # submit and wait
    print(verdict.winner or "tie", verdict.p_win, verdict.flipped)

    with Producer() as producer:                                        # submit only
        producer.submit(pair("Capital of France?", "Paris.", "London."))
    for verdict in read_verdicts(follow=True):
        print(verdict.request_id, verdict.winner or "tie")

A request is judged once per release. To judge the same content again, give it a new request id.
Every error is a `JudgestreamError`; see `judgestream.core.errors` for the tree.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, ClassVar, Self
from uuid import uuid4

from judgestream.adapters.kafka.following import Awaited, Follower
from judgestream.adapters.kafka.messages import decoded
from judgestream.adapters.kafka.publishing import RequestPublisher
from judgestream.adapters.kafka.reading import TopicReader, never
from judgestream.adapters.kafka.verdict_topic import verdicts
from judgestream.contracts.events import JSON, PROTOBUF
from judgestream.contracts.topics import VERDICTS
from judgestream.core.errors import (
    BrokerUnavailable,
    ConfigurationError,
    InvalidRequest,
    JudgestreamError,
    OversizeRecord,
)
from judgestream.core.types import Candidate, Label, Options, Request, Verdict
from judgestream.settings import Kafka, load
from judgestream.v1.judging_pb2 import Verdict as VerdictMessage

__all__ = [
    "JSON",
    "PROTOBUF",
    "BrokerUnavailable",
    "ConfigurationError",
    "InvalidRequest",
    "JudgestreamError",
    "OversizeRecord",
    "Producer",
    "VerdictTimeout",
    "judge",
    "judge_all",
    "label",
    "pair",
    "read_verdicts",
    "single",
]


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
    """A request to compare two answers, dated now.

    Plain texts become the candidates "1" and "2". Without a `request_id` a random one is used; set it to make
    sending the request twice harmless.

    Raises:
        InvalidRequest: an argument is not text; the message names it.
    """
    return _request(
        "pairwise",
        question,
        (first, second),
        reference=reference,
        request_id=request_id,
        options=options,
        metadata=metadata,
    )


def single(
    question: str,
    answer: str | Candidate,
    *,
    reference: str,
    request_id: str = "",
    options: Options | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Request:
    """A request to score one answer against a reference answer, dated now. Otherwise like `pair`."""
    return _request(
        "single",
        question,
        (answer,),
        reference=reference,
        request_id=request_id,
        options=options,
        metadata=metadata,
    )


def _request(
    mode: str,
    question: str,
    answers: Sequence[str | Candidate],
    *,
    reference: str | None,
    request_id: str,
    options: Options | None,
    metadata: Mapping[str, str] | None,
) -> Request:
    candidates = tuple(
        answer if isinstance(answer, Candidate) else Candidate(id=str(k), text=answer)
        for k, answer in enumerate(answers, start=1)
    )
    texts: dict[str, object] = {"question": question, "request_id": request_id}
    if reference is not None:
        texts["reference"] = reference
    for candidate in candidates:
        texts |= {
            f"text of candidate {candidate.id!r}": candidate.text,
            f"id {candidate.id!r} of a candidate": candidate.id,
            f"system of candidate {candidate.id!r}": candidate.system,
        }
    for key, entry in (metadata or {}).items():
        texts |= {f"metadata key {key!r}": key, f"metadata[{key!r}]": entry}
    for name, value in texts.items():
        if not isinstance(value, str):
            raise InvalidRequest(
                f"{name} must be text, not {type(value).__name__}: write str({value!r:.40})"
            )
    return Request(
        request_id=request_id or uuid4().hex,
        mode=mode,
        question=question,
        candidates=candidates,
        requested_at=datetime.now(UTC),
        reference=reference,
        options=options or Options(),
        metadata=dict(metadata or {}),
    )


def label(request_id: str, *, annotator: str, winner: str, label_id: str = "") -> Label:
    """An annotator's judgement of a request, dated now. `winner` is a candidate id, or "" for a tie."""
    return Label(
        label_id=label_id or uuid4().hex,
        request_id=request_id,
        annotator=annotator,
        labelled_at=datetime.now(UTC),
        winner=winner,
        tie=winner == "",
    )


class Producer:
    """Publishes requests and labels. As a context manager it confirms everything at the end.

    Not thread-safe: use one per thread.
    """

    def __init__(self, settings: Kafka | None = None, *, content_type: str = PROTOBUF) -> None:
        """Connect.

        Args:
            settings: the Kafka to use; None reads the environment.
            content_type: `PROTOBUF` or `JSON`.

        Raises:
            BrokerUnavailable: no broker answers.
            ConfigurationError: a setting is invalid.
        """
        if content_type not in (PROTOBUF, JSON):
            raise ConfigurationError(
                f"unknown content type {content_type!r}: use {PROTOBUF} or {JSON}"
            )
        self._content_type = content_type
        self._publisher = RequestPublisher(settings or load().kafka)

    def submit(self, request: Request) -> None:
        """Send a request. Returns before it is confirmed; blocks while too many are unconfirmed.

        Raises:
            InvalidRequest, OversizeRecord: nothing was sent.
            BrokerUnavailable: this request or an earlier one was not confirmed.
        """
        self._publisher.submit(request, content_type=self._content_type)

    def label(self, label: Label) -> None:
        """Send a label. Raises as `submit` does."""
        self._publisher.label(label, content_type=self._content_type)

    def flush(self) -> int:
        """Wait until all in-sync replicas have every record sent so far. Returns their number.

        Raises:
            BrokerUnavailable: a record was not confirmed; sending it again is harmless.
        """
        return self._publisher.flush()

    def close(self) -> None:
        """`flush`, then disconnect."""
        self._publisher.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: Any) -> None:
        self._publisher.__exit__(*details)


def read_verdicts(
    settings: Kafka | None = None,
    *,
    since: datetime | None = None,
    follow: bool = False,
    timeout_s: float | None = None,
    stopped: Callable[[], bool] = never,
) -> Iterator[Verdict]:
    """Verdicts as published: each at least once, so deduplicate by `verdict_id`.

    Args:
        since: start with verdicts published at this time; None starts with the oldest.
        follow: continue with new verdicts; otherwise stop after those that exist now.
        timeout_s: stop after this many seconds in any case.
        stopped: called about twice a second; stop when it returns true.

    The verdicts of `judgestream doctor`'s probes are left out. A later verdict with the same id replaces a
    failed one. Records that are not verdicts are skipped.

    Raises:
        BrokerUnavailable, ConfigurationError: as for `Producer`.
    """
    kafka = settings or load().kafka
    with TopicReader(kafka, VERDICTS, VerdictMessage) as reader:
        start = reader.beginning() if since is None else reader.since(since)
        until = None if follow else reader.end()
        records = reader.read(start, until=until, deadline_s=timeout_s, stopped=stopped)
        for _, verdict in verdicts(decoded(records)):
            if not verdict.is_probe:
                yield verdict


def judge(
    request: Request,
    *,
    settings: Kafka | None = None,
    release: str = "",
    timeout_s: float = 60.0,
) -> Verdict:
    """Submit one request and wait for its verdict.

    Args:
        settings: the Kafka to use; None reads the environment.
        release: accept the verdict of this release only; "" accepts the first.
        timeout_s: seconds to wait for the verdict.

    Returns:
        The verdict, which may be unscored or failed: look at its `status`.

    Raises:
        VerdictTimeout: no verdict in time. It may still arrive.
        InvalidRequest, OversizeRecord: nothing was sent.
        BrokerUnavailable, ConfigurationError: as for `Producer`.
    """
    return judge_all([request], settings=settings, release=release, timeout_s=timeout_s)[0]


def judge_all(
    requests: Sequence[Request],
    *,
    settings: Kafka | None = None,
    release: str = "",
    timeout_s: float = 60.0,
    stopped: Callable[[], bool] = never,
) -> list[Verdict]:
    """Submit requests and wait for their verdicts, in the order of the requests.

    Arguments and errors as for `judge`. A `VerdictTimeout` carries the verdicts that did arrive.
    """
    kafka = settings or load().kafka
    with closing(Follower(kafka)) as follower:
        with RequestPublisher(kafka) as publisher:
            for request in requests:
                publisher.submit(request)
        wanted = [Awaited.of(request) for request in requests]
        results = follower.wait(
            wanted, timeout_s=timeout_s, on_progress=_unless(stopped), release=release
        )
    verdicts_of = dict(zip(wanted, results.ordered(wanted), strict=True))
    missing = [one.request_id for one, verdict in verdicts_of.items() if verdict is None]
    if missing:
        raise VerdictTimeout(
            f"{len(missing)} of {len(wanted)} requests have no verdict after {timeout_s:g} s (the first:"
            f" {missing[0]!r}): is a judging worker running? Check with `judgestream doctor`",
            verdicts=results.verdicts,
        )
    return [verdict for one in wanted if (verdict := verdicts_of[one]) is not None]


class VerdictTimeout(JudgestreamError):
    """A verdict did not arrive in time. It may still arrive.

    verdicts   request id -> verdict, for the requests that have one
    """

    code: ClassVar[str] = "verdict_timeout"

    def __init__(self, message: str, *, verdicts: Mapping[str, Verdict]) -> None:
        super().__init__(message)
        self.verdicts = dict(verdicts)


class Stopped(Exception):  # noqa: N818 - not an error: the caller was cancelled
    """Ends a wait whose caller was cancelled."""


def _unless(stopped: Callable[[], bool]) -> Callable[[int], None]:
    def look(_: int) -> None:
        if stopped():
            raise Stopped

    return look
