"""Requests of a producer user at a steady rate, and what a consumer user reads meanwhile."""

import threading
from collections import Counter
from collections.abc import Sequence

from judgestream.adapters.kafka.consuming import Incoming
from judgestream.adapters.kafka.group import GroupReader
from judgestream.client import Producer, pair
from judgestream.contracts.events import Header
from judgestream.contracts.topics import VERDICTS
from judgestream.core.types import Request
from judgestream.settings import Kafka
from judgestream.v1.judging_pb2 import Verdict
from tests.integration.cluster import wait
from tests.integration.in_thread import InThread
from tests.integration.test_traces import PRODUCER_SPAN, trace_id

GROUP = "consumer-proof"
PER_CONNECTION = 200
"""Requests until the producer connects anew."""

TRACED = 20
"""One request in this number carries a trace of its producer."""


def trace_of(k: int) -> Sequence[Header]:
    return [("traceparent", f"00-{trace_id(k)}-{PRODUCER_SPAN}-01".encode())]


class Load(InThread):
    """Publishes requests in its own thread, confirmed. It pauses at the share that is allowed so far, so that
    requests follow whatever happens between two calls of `allow`.
    """

    def __init__(self, settings: Kafka, *, count: int, rate: float) -> None:
        """`rate`: requests per second while it does not pause."""
        super().__init__()
        self.ids = [f"proof-{k}" for k in range(count)]
        self.sent = 0
        self._allowed = 0
        self._settings = settings
        self._rate = rate

    def allow(self, share: float) -> None:
        """Send the requests up to this share."""
        self._allowed = int(share * len(self.ids))

    def await_sent(self) -> None:
        """Until all that is allowed is sent."""
        wait(
            lambda: self.failure is not None or self.sent == self._allowed,
            what=f"{self._allowed} requests to be sent ({self.sent} are)",
            seconds=30 + 2 * len(self.ids) / self._rate,
        )
        if self.failure is not None:
            raise self.failure

    def work(self) -> None:
        for start in range(0, len(self.ids), PER_CONNECTION):
            with Producer(self._settings) as producer:
                for k in range(start, min(start + PER_CONNECTION, len(self.ids))):
                    if not self._turn(k):
                        return
                    producer.submit(
                        _request(self.ids[k], k), trace=() if k % TRACED else trace_of(k)
                    )
                    self.sent = k + 1

    def _turn(self, k: int) -> bool:
        """Wait for the time of request `k`. False: the load ends."""
        stopped = self.stopped.wait(1 / self._rate)
        while k >= self._allowed and not stopped:
            stopped = self.stopped.wait(0.02)
        return not stopped


def _request(name: str, k: int) -> Request:
    """The answers differ in length, from which the instant judge makes its scores."""
    return pair(f"question {k}", "x" * (k % 17), "y" * (k % 5), request_id=name)


class Readings(InThread):
    """Reads verdicts as a member of a group, in its own thread, and commits them."""

    def __init__(self, settings: Kafka) -> None:
        super().__init__()
        self.records: list[Incoming[Verdict]] = []
        self._settings = settings
        self._anew = threading.Event()

    @property
    def verdicts(self) -> list[Verdict]:
        return [one.message for one in list(self.records) if isinstance(one.message, Verdict)]

    def connect_anew(self) -> None:
        """Leave the group, and join it again by new connections."""
        self._anew.set()

    def wait_for(self, ids: Sequence[str], *, seconds: float) -> None:
        """Until every one of these requests has a verdict, and nothing has come for a while."""
        wait(
            lambda: self.failure is not None or self._counts().keys() >= set(ids),
            what=f"{len(ids)} verdicts ({len(self._counts())} are there)",
            seconds=seconds,
        )
        if self.failure is not None:
            raise self.failure

    def _counts(self) -> Counter[str]:
        return Counter(one.request_id for one in self.verdicts)

    def work(self) -> None:
        while not self.stopped.is_set():
            self._anew.clear()
            with GroupReader(self._settings, VERDICTS, Verdict, group=GROUP) as member:
                while not (self.stopped.is_set() or self._anew.is_set()):
                    if found := member.poll(0.5):
                        self.records += found
                        member.commit()
