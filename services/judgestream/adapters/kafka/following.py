"""Waiting for the verdicts of submitted requests."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from time import monotonic
from typing import NamedTuple, Self

from judgestream.adapters.kafka.consuming import Incoming
from judgestream.adapters.kafka.reading import Offsets, TopicReader
from judgestream.contracts.codecs.verdicts import verdict_from_message
from judgestream.contracts.topics import DEAD_LETTERS, VERDICTS
from judgestream.core.errors import UndecodableRecord
from judgestream.core.identity import content_digest
from judgestream.core.types import Request, Status, Verdict
from judgestream.settings import Kafka
from judgestream.v1.judging_pb2 import DeadLetter
from judgestream.v1.judging_pb2 import Verdict as VerdictMessage

LOOK_BACK_AFTER_S = 10.0
"""After this time without news, verdicts from before the submission are read, too."""
LETTERS_AFTER_S = 2.0
"""After this time without news, a dead letter counts without its failed verdict."""
SEVERAL_AFTER_S = 5.0
"""After this time without news, verdicts of several releases are taken as complete."""

_RANK = {Status.FAILED: 0, Status.UNSCORED: 1, Status.SCORED: 2}


class Awaited(NamedTuple):
    """A submitted request. Without a content digest, any content under its id counts."""

    request_id: str
    content_digest: str = ""

    @classmethod
    def of(cls, request: Request) -> Self:
        return cls(request.request_id, content_digest(request))


class Results:
    """Outcomes of the requests so far.

    A request is named by its id or, where several contents were submitted under one id, by its id and the
    start of its content digest.

    waiting    requests without any outcome
    verdicts   request -> its verdict, from one release as far as it has answered
    letters    request -> its dead letter, where there is no verdict
    earlier    requests whose content was judged before, so that they were not judged again
    """

    def __init__(self, requests: Iterable[Awaited | str], *, release: str = "") -> None:
        wanted = dict.fromkeys(Awaited(one) if isinstance(one, str) else one for one in requests)
        self._wanted: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        for one in wanted:
            self._wanted[one.request_id].append((one.request_id, one.content_digest))
        for identity, several in self._wanted.items():
            if len(several) > 1:
                several[:] = [(f"{identity} ({digest[:8]})", digest) for _, digest in several]
        self._release = release
        self._by_release: defaultdict[str, dict[str, Verdict]] = defaultdict(dict)
        self.waiting = {name for several in self._wanted.values() for name, _ in several}
        self.letters: dict[str, DeadLetter] = {}
        self.earlier: set[str] = set()

    @property
    def verdicts(self) -> dict[str, Verdict]:
        """One verdict per request. The release with the most answers comes first, so releases rarely mix."""
        chosen: dict[str, Verdict] = {}
        for release in sorted(self._by_release, key=lambda one: (-len(self._by_release[one]), one)):
            for name, verdict in self._by_release[release].items():
                chosen.setdefault(name, verdict)
        return chosen

    def ordered(self, requests: Iterable[Awaited]) -> list[Verdict | None]:
        """The verdicts of these requests, in order."""
        verdicts = self.verdicts
        names = {
            (identity, digest): name
            for identity, several in self._wanted.items()
            for name, digest in several
        }
        return [verdicts.get(names.get(one, "")) for one in requests]

    @property
    def releases(self) -> frozenset[str]:
        """Releases that have answered so far."""
        return frozenset(self._by_release)

    @property
    def settled(self) -> bool:
        """Whether every request has an outcome, and one release has all verdicts."""
        if self.waiting:
            return False
        most = max(map(len, self._by_release.values()), default=0)
        return len(self._by_release) <= 1 or most + len(self.letters) >= self._count

    @property
    def _count(self) -> int:
        return sum(map(len, self._wanted.values()))

    def take_verdict(self, verdict: Verdict) -> list[str]:
        """Add a verdict. Returns the names of the requests whose outcome changed.

        A verdict is matched by id and content; one without a content digest (the request could not be
        decoded) by the id alone. A better status replaces a worse one.
        """
        if self._release and verdict.release != self._release:
            return []
        news = []
        for name, digest in self._wanted.get(verdict.request_id, ()):
            known = self._by_release.get(verdict.release, {}).get(name)
            if digest and verdict.content_digest and digest != verdict.content_digest:
                continue
            if known is not None and _RANK[known.status] >= _RANK[verdict.status]:
                continue
            self._by_release[verdict.release][name] = verdict
            self.letters.pop(name, None)
            self.waiting.discard(name)
            news.append(name)
        return news

    def take_letter(self, letter: DeadLetter) -> None:
        identity = letter.request_id or letter.key.decode(errors="replace")
        for name, _ in self._wanted.get(identity, ()):
            if name in self.waiting:
                self.letters[name] = letter
                self.waiting.discard(name)


class Follower:
    """Reads verdicts and dead letters from the present end of their topics: create it, then submit."""

    def __init__(self, settings: Kafka) -> None:
        """Raises BrokerUnavailable; ConfigurationError when a topic is missing."""
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
        self,
        requests: Collection[Awaited | str],
        *,
        timeout_s: float,
        on_progress: Callable[[int], None],
        release: str = "",
    ) -> Results:
        """Read until every request has a verdict or a dead letter, or the time is up.

        Args:
            on_progress: called with the number of finished requests, at least every half second.
            release: only its verdicts count. If empty and several releases answer, the wait ends when one
                has answered everything, or when no more verdicts come.
        """
        results = Results(requests, release=release)
        letters: list[DeadLetter] = []
        total = len(results.waiting)
        deadline = monotonic() + timeout_s
        heard, looked_back = monotonic(), False
        while not results.settled and (left := deadline - monotonic()) > 0:
            batch = self._verdicts.poll(min(0.5, left))
            if any([self._take(results, one) for one in batch]):
                heard = monotonic()
            letters += [
                one.message
                for one in self._letters.poll(0.0)
                if not isinstance(one.message, UndecodableRecord)
            ]
            quiet = monotonic() - heard
            if quiet > LETTERS_AFTER_S:
                for letter in letters:
                    results.take_letter(letter)
                letters.clear()
            if quiet > LOOK_BACK_AFTER_S and results.waiting and not looked_back:
                looked_back = True
                self._look_back(results)
            on_progress(total - len(results.waiting))
            if quiet > SEVERAL_AFTER_S and not results.waiting:
                break
        return results

    def close(self) -> None:
        self._verdicts.close()
        self._letters.close()

    def _look_back(self, results: Results) -> None:
        """Add scored and unscored verdicts from before the submission, of the releases that answer now."""
        releases, missing = results.releases, frozenset(results.waiting)
        position = self._verdicts.position()
        for incoming in self._verdicts.read(self._verdicts.beginning(), until=self._start):
            verdict = _verdict(incoming)
            if verdict is None or verdict.status is Status.FAILED:
                continue
            if not releases or verdict.release in releases:
                results.earlier.update(missing.intersection(results.take_verdict(verdict)))
        self._verdicts.seek(position)

    def _take(self, results: Results, incoming: Incoming[VerdictMessage]) -> bool:
        verdict = _verdict(incoming)
        return verdict is not None and bool(results.take_verdict(verdict))


def _verdict(incoming: Incoming[VerdictMessage]) -> Verdict | None:
    """None for a record that is not a valid verdict."""
    if isinstance(incoming.message, UndecodableRecord):
        return None
    try:
        return verdict_from_message(incoming.message)
    except ValueError:
        return None
