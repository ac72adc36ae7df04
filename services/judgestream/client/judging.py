"""Verdicts: read from their topic, or awaited for submitted requests."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from typing import ClassVar

from judgestream.adapters.kafka.following import Awaited, Follower
from judgestream.adapters.kafka.messages import decoded
from judgestream.adapters.kafka.publishing import RequestPublisher
from judgestream.adapters.kafka.reading import TopicReader, never
from judgestream.adapters.kafka.verdict_topic import verdicts
from judgestream.client.running_trace import current_trace
from judgestream.contracts.topics import VERDICTS
from judgestream.core.errors import JudgestreamError
from judgestream.core.types import Request, Verdict
from judgestream.settings import Kafka, load
from judgestream.v1.judging_pb2 import Verdict as VerdictMessage


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
                publisher.submit(request, trace=current_trace())
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
