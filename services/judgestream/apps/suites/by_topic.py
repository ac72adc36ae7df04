"""Judging through the pipeline: requests to their topic, verdicts from theirs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from time import monotonic

from judgestream.adapters.kafka.consuming import Incoming
from judgestream.adapters.kafka.messages import everything
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

OnVerdict = Callable[[Verdict], None]


def found_before(settings: Kafka, release: str, wanted: Mapping[str, str]) -> Iterator[Verdict]:
    """Verdicts that are on the topic now, failed ones left out: those are asked again.

    Args:
        wanted: request id -> content digest.
    """
    for _, message in everything(settings, VERDICTS, VerdictMessage):
        if message.release == release and message.request_id in wanted:
            verdict = _verdict(message, release, wanted)
            if verdict is not None and verdict.status is not Status.FAILED:
                yield verdict


class Stalled(Exception):  # noqa: N818 - an outcome that the caller reports
    """No verdict came for as long as the caller waits.

    others   releases that answered these requests meanwhile
    """

    def __init__(self, waiting: int, others: frozenset[str]) -> None:
        super().__init__(waiting)
        self.waiting = waiting
        self.others = others


def judge(
    settings: Kafka,
    release: str,
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
        Stalled: that long there was none.
        BrokerUnavailable, ConfigurationError: no broker, or no topics.
    """
    wanted = {one.request_id: content_digest(one) for one in requests}
    waiting: set[str] = set()
    left = list(reversed(requests))
    others: set[str] = set()
    most = IN_FLIGHT_PAID if purse.limited else IN_FLIGHT
    with ExitStack() as stack:
        reader = stack.enter_context(TopicReader(settings, VERDICTS, VerdictMessage))
        reader.seek(reader.end())
        publisher = stack.enter_context(RequestPublisher(settings))
        heard = monotonic()
        while left or waiting:
            sent = 0
            while left and len(waiting) < most and purse.allows(len(waiting)):
                one = left.pop()
                publisher.submit(one)
                waiting.add(one.request_id)
                sent += 1
            if sent:
                publisher.flush()
            if not waiting:
                return len(left)
            for message in _messages(reader.poll()):
                if message.request_id not in waiting:
                    continue
                if message.release != release:
                    others.add(message.release)
                    continue
                verdict = _verdict(message, release, wanted)
                if verdict is not None:
                    heard = monotonic()
                    waiting.discard(verdict.request_id)
                    purse.pay(verdict.cost)
                    on_verdict(verdict)
            if monotonic() - heard > patience_s:
                raise Stalled(len(waiting) + len(left), frozenset(others - {""}))
    return 0


def _messages(batch: Sequence[Incoming[VerdictMessage]]) -> Iterator[VerdictMessage]:
    for incoming in batch:
        if not isinstance(incoming.message, UndecodableRecord):
            yield incoming.message


def _verdict(message: VerdictMessage, release: str, wanted: Mapping[str, str]) -> Verdict | None:
    """None for a record that is not a verdict, or is one about other content."""
    try:
        verdict = verdict_from_message(message)
    except ValueError:
        return None
    digest = wanted.get(verdict.request_id)
    if verdict.release != release or digest is None:
        return None
    return verdict if verdict.content_digest in ("", digest) else None
