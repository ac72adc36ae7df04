"""Waiting for the verdicts of one's own requests."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from time import monotonic

from judgestream.adapters.kafka.consuming import Incoming
from judgestream.adapters.kafka.reading import Offsets, TopicReader
from judgestream.contracts.codecs import verdict_from_message
from judgestream.contracts.topics import DEAD_LETTERS, VERDICTS
from judgestream.core.errors import UndecodableRecord
from judgestream.core.types import Status, Verdict
from judgestream.settings import Kafka
from judgestream.v1.judging_pb2 import DeadLetter
from judgestream.v1.judging_pb2 import Verdict as VerdictMessage

LOOK_BACK_AFTER_S = 10.0
"""Quiet for this long, we look whether the missing verdicts were published before we submitted."""


@dataclass(slots=True)
class Results:
    """What has become of our requests so far.

    verdicts   request id -> its verdict; one that settled something replaces a failed one
    letters    request id -> its dead letter, where no verdict came with it
    earlier    requests that were judged before: their ids were known, so they were not judged again
    """

    waiting: set[str]
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    letters: dict[str, DeadLetter] = field(default_factory=dict)
    earlier: set[str] = field(default_factory=set)

    def take_verdict(self, verdict: Verdict) -> bool:
        """Returns whether it told us something new."""
        identity = verdict.request_id
        known = self.verdicts.get(identity)
        if identity not in self.waiting and known is None and identity not in self.letters:
            return False
        if known is not None and (
            known.status is not Status.FAILED or verdict.status is Status.FAILED
        ):
            return False
        self.verdicts[identity] = verdict
        self.letters.pop(identity, None)
        self.waiting.discard(identity)
        return True

    def take_letter(self, letter: DeadLetter) -> None:
        identity = letter.request_id or letter.key.decode(errors="replace")
        if identity in self.waiting:
            self.letters[identity] = letter
            self.waiting.discard(identity)


class Follower:
    """Reads verdicts and dead letters from where they ended when it was made: make it, then submit."""

    def __init__(self, settings: Kafka) -> None:
        """Raises: BrokerUnavailable, ConfigurationError when a topic is missing."""
        self._verdicts = TopicReader(settings, VERDICTS, VerdictMessage)
        try:
            self._letters = TopicReader(settings, DEAD_LETTERS, DeadLetter)
        except BaseException:
            self._verdicts.close()
            raise
        self._start: Offsets = self._verdicts.end()
        self._verdicts.seek(self._start)
        self._letters.seek(self._letters.end())

    def wait(
        self, requests: Collection[str], *, timeout_s: float, told: Callable[[int], None]
    ) -> Results:
        """Read until every request has a verdict or a dead letter, or time is up.

        Args:
            told: called with the number of requests that are done, at least every half second.
        """
        results = Results(waiting=set(requests))
        deadline = monotonic() + timeout_s
        heard, looked_back = monotonic(), False
        while results.waiting and (left := deadline - monotonic()) > 0:
            batch = self._verdicts.poll(min(0.5, left))
            if any([self._take(results, one) for one in batch]):
                heard = monotonic()
            for letter in self._letters.poll(0.0):
                if not isinstance(letter.message, UndecodableRecord):
                    results.take_letter(letter.message)
            if monotonic() - heard > LOOK_BACK_AFTER_S and not looked_back:
                looked_back = True
                self._look_back(results)
            told(len(requests) - len(results.waiting))
        return results

    def close(self) -> None:
        self._verdicts.close()
        self._letters.close()

    def _look_back(self, results: Results) -> None:
        """Take settled verdicts from before we submitted, of the release that answers now if one has."""
        releases = {verdict.release for verdict in results.verdicts.values()}
        position = self._verdicts.position()
        found: dict[str, Verdict] = {}
        for incoming in self._verdicts.read(self._verdicts.beginning(), until=self._start):
            verdict = _verdict(incoming)
            if verdict is None or verdict.request_id not in results.waiting:
                continue
            if verdict.status is not Status.FAILED and (
                not releases or verdict.release in releases
            ):
                found[verdict.request_id] = verdict
        self._verdicts.seek(position)
        for identity, verdict in found.items():
            if results.take_verdict(verdict):
                results.earlier.add(identity)

    def _take(self, results: Results, incoming: Incoming[VerdictMessage]) -> bool:
        verdict = _verdict(incoming)
        return verdict is not None and results.take_verdict(verdict)


def _verdict(incoming: Incoming[VerdictMessage]) -> Verdict | None:
    """None for a record of somebody else that is no verdict."""
    if isinstance(incoming.message, UndecodableRecord):
        return None
    try:
        return verdict_from_message(incoming.message)
    except ValueError:
        return None
