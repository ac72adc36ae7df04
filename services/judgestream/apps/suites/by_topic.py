"""Judging through the pipeline: requests to their topic, verdicts from theirs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from time import monotonic
from typing import Self

from judgestream.adapters.kafka.consuming import Incoming
from judgestream.adapters.kafka.publishing import RequestPublisher
from judgestream.adapters.kafka.reading import TopicReader
from judgestream.apps.suites.purse import Purse
from judgestream.contracts.codecs.verdicts import verdict_from_message
from judgestream.contracts.topics import VERDICTS
from judgestream.core.errors import UndecodableRecord
from judgestream.core.identity import content_digest
from judgestream.core.types import Request, Status, Verdict
from judgestream.settings import Kafka
from judgestream.v1.judging_pb2 import Verdict as VerdictMessage

IN_FLIGHT = 1000
"""Requests without a verdict at one time: enough for any number of workers."""
IN_FLIGHT_PAID = 16
"""The same under a budget, which is exceeded by no more than these."""

ELSEWHERE_S = 5.0
"""How long to wait on where another release has answered all requests that are waiting: a request is
answered once, so its verdict will hardly come."""

OnVerdict = Callable[[Verdict], None]


class Stalled(Exception):  # noqa: N818 - an outcome that the caller reports
    """No verdict came for as long as the caller waits.

    others   releases that answered these requests meanwhile
    """

    def __init__(self, waiting: int, others: frozenset[str]) -> None:
        super().__init__(waiting)
        self.waiting = waiting
        self.others = others


class Pipeline:
    """One release behind the topics. Create it, take the `earlier` verdicts, then `judge`.

    `judge` reads on from where `earlier` ends, so it misses no verdict of a request that an earlier run sent:
    such a request is answered once, however often it is sent.
    """

    def __init__(self, settings: Kafka, release: str) -> None:
        """Raises BrokerUnavailable; ConfigurationError when the topic is missing."""
        self._settings = settings
        self._release = release
        self._reader = TopicReader(settings, VERDICTS, VerdictMessage)
        self._start = self._reader.end()

    def earlier(self, wanted: Mapping[str, str]) -> Iterator[Verdict]:
        """Verdicts that are on the topic already. Failed ones are left out: those are asked again.

        Args:
            wanted: request id -> content digest.
        """
        records = self._reader.read(self._reader.beginning(), until=self._start)
        for message in _messages(records):
            if message.request_id in wanted:
                verdict = self._verdict(message, wanted)
                if verdict is not None and verdict.status is not Status.FAILED:
                    yield verdict

    def judge(
        self,
        requests: Sequence[Request],
        purse: Purse,
        *,
        on_verdict: OnVerdict,
        patience_s: float,
    ) -> int:
        """Publish the requests and take their verdicts. Returns the number of requests that were not sent,
        because the budget allows no more.

        Args:
            on_verdict: called with the first verdict of every request.
            patience_s: how long to wait without any verdict.

        Raises:
            Stalled: that long there was none, or another release has answered all that are waiting.
            BrokerUnavailable, ConfigurationError: no broker, or no topics.
        """
        wanted = {one.request_id: content_digest(one) for one in requests}
        waiting: set[str] = set()
        left = list(reversed(requests))
        others: set[str] = set()
        elsewhere: set[str] = set()
        most = IN_FLIGHT_PAID if purse.limited else IN_FLIGHT
        self._reader.seek(self._start)
        with RequestPublisher(self._settings) as publisher:
            heard = monotonic()
            while left or waiting:
                while left and len(waiting) < most and purse.allows(len(waiting)):
                    one = left.pop()
                    publisher.submit(one)
                    waiting.add(one.request_id)
                publisher.flush()
                if not waiting:
                    return len(left)
                for message in _messages(self._reader.poll()):
                    if message.request_id not in waiting:
                        continue
                    if message.release != self._release:
                        others.add(message.release)
                        elsewhere.add(message.request_id)
                        continue
                    verdict = self._verdict(message, wanted)
                    if verdict is not None:
                        heard = monotonic()
                        waiting.discard(verdict.request_id)
                        purse.pay(verdict.cost)
                        on_verdict(verdict)
                hopeless = waiting and waiting <= elsewhere
                if monotonic() - heard > (min(patience_s, ELSEWHERE_S) if hopeless else patience_s):
                    raise Stalled(len(waiting) + len(left), frozenset(others - {""}))
        return 0

    def close(self) -> None:
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _verdict(self, message: VerdictMessage, wanted: Mapping[str, str]) -> Verdict | None:
        """None for a record that is not a verdict of this release about the wanted content."""
        if message.release != self._release:
            return None
        try:
            verdict = verdict_from_message(message)
        except ValueError:
            return None
        return verdict if verdict.content_digest in ("", wanted[verdict.request_id]) else None


def _messages(
    records: Sequence[Incoming[VerdictMessage]] | Iterator[Incoming[VerdictMessage]],
) -> Iterator[VerdictMessage]:
    for incoming in records:
        if not isinstance(incoming.message, UndecodableRecord):
            yield incoming.message
