"""The evidence about the candidates: collected from the topics, published with the state, and acted on."""

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from time import monotonic
from typing import NamedTuple, Protocol

from judgestream.core.rollout.moves import IllegalMove, Move
from judgestream.core.rollout.state import CANDIDATE, Evidence, Rollout
from judgestream.core.types import Label, Verdict
from judgestream.evaluation.evidence_join import EvidenceJoin
from judgestream.evaluation.gate import Policy, decide
from judgestream.evaluation.rollout_decision import (
    BEST,
    baselines,
    decide_moves,
    entered_shadow,
    evidence_of,
)

log = logging.getLogger(__name__)

STEP_S = 0.5
"""Between two steps of the loop."""
PUBLISH_S = 2.0
"""Evidence of one release is published at most this often, and only if it has changed enough."""
SURELY_S = 30.0
"""After this time any change is enough."""
ENOUGH = 1.05
"""Growth of the number of pairs that is a change."""
READ_S = 1.0
"""Length of one step while there is more to read."""

DROPPED: Mapping[str, str] = {
    "unpaired": "verdicts of the candidate found no counterpart",
    "no_content": "verdicts do not state what they judged",
    "ambiguous": "requests share their id with another content",
    "surplus": "pairs are more than the gate needs",
    "unlabelled": "pairs are too old for a label",
}


class Desk(Protocol):
    """Where the state changes: `desk.Desk`."""

    @property
    def state(self) -> Rollout: ...

    async def move(self, move: Move) -> Rollout: ...

    async def measured(self, release: str, evidence: Evidence) -> None: ...


class Feed(Protocol):
    """New records since a time: `evidence_feed.EvidenceFeed`."""

    @property
    def caught_up(self) -> bool: ...

    def poll(self) -> Iterable[Verdict | Label]: ...

    def close(self) -> None: ...


class Trial(NamedTuple):
    """A candidate, the start of its trial, and the releases that it is compared with, by comparison."""

    candidate: str
    since: datetime
    compared: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class StepResult:
    """evidence: of each candidate that has changed enough. moves: what the policy does by itself."""

    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    moves: tuple[Move, ...] = ()


@dataclass(kw_only=True, slots=True)
class _Running:
    """A trial with what is known of it. `published_at` is in `monotonic` seconds."""

    trial: Trial
    join: EvidenceJoin
    evidence: Evidence | None = None
    measured_at: float = 0.0
    published: Evidence | None = None
    published_at: float = 0.0
    dirty: bool = True


class EvidenceLoop:
    """Collects, publishes and acts while this instance leads. Everything is read again when it starts, so
    nothing is lost with the process, and another instance comes to the same evidence.

    A candidate that joins or leaves, and another stable release, start the reading anew: the evidence of a
    trial is always about the releases that are compared now.

    open_feed   opens the records since a time
    by          the name of the service in the moves that it makes
    """

    def __init__(
        self,
        open_feed: Callable[[datetime], Feed],
        policy: Policy,
        *,
        by: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._open_feed = open_feed
        self._policy = policy
        self._by = by
        self._now = now
        self._clock = clock
        self._running: dict[str, _Running] = {}
        self._trials: tuple[Trial, ...] = ()
        self._feed: Feed | None = None
        self._lock = threading.Lock()

    async def run(self, desk: Desk) -> None:
        """Take steps until cancelled.

        Raises:
            JudgestreamError: the broker fails, or this instance does not lead any more. Start again.
        """
        try:
            while True:
                taken = await self.step(desk.state)
                for release, evidence in taken.evidence.items():
                    await desk.measured(release, evidence)
                for move in taken.moves:
                    try:
                        await desk.move(move)
                    except IllegalMove as exc:  # somebody was faster
                        log.info("no automatic move: %s", exc)
                await asyncio.sleep(STEP_S)
        finally:
            # the thread of a cancelled step may still read: closing waits for it, in a thread
            asyncio.get_running_loop().run_in_executor(None, self.close)

    async def step(self, rollout: Rollout) -> StepResult:
        """Read what is new, and measure what is due.

        Raises:
            BrokerUnavailable, ConfigurationError: the topics cannot be read.
        """
        return await asyncio.to_thread(self._step, rollout)

    def close(self) -> None:
        with self._lock:
            self._trials, self._running = (), {}
            self._close_feed()

    def _step(self, rollout: Rollout) -> StepResult:
        with self._lock:
            trials = trials_of(rollout)
            if trials != self._trials or (trials and self._feed is None):
                self._begin(trials)
            if self._feed is None:
                return StepResult()
            self._read(self._feed)
            if not self._feed.caught_up:
                return StepResult()
            return self._measured(rollout)

    def _begin(self, trials: tuple[Trial, ...]) -> None:
        self._close_feed()
        before, self._running, self._trials = self._running, {}, ()
        if trials:
            self._feed = self._open_feed(min(one.since for one in trials))
        for one in trials:
            running = _Running(
                trial=one,
                join=EvidenceJoin(one.candidate, dict(one.compared), since=one.since),
            )
            known = before.get(one.candidate)
            if known is not None and known.trial == one:
                running.published, running.published_at = known.published, known.published_at
            self._running[one.candidate] = running
        self._trials = trials

    def _close_feed(self) -> None:
        feed, self._feed = self._feed, None
        if feed is not None:
            feed.close()

    def _read(self, feed: Feed) -> None:
        deadline = monotonic() + READ_S
        while True:
            count = 0
            for record in feed.poll():
                count += 1
                for one in self._running.values():
                    if isinstance(record, Label):
                        one.join.label(record)
                    else:
                        one.join.verdict(record)
            for one in self._running.values():
                one.dirty |= one.join.look()
            if not count or monotonic() > deadline:
                return

    def _measured(self, rollout: Rollout) -> StepResult:
        clock = self._clock()
        due: dict[str, Evidence] = {}
        for release, one in self._running.items():
            if one.dirty and (one.evidence is None or clock - one.measured_at >= PUBLISH_S):
                one.evidence = self._evidence(rollout, one)
                one.measured_at, one.dirty = clock, False
            if one.evidence is not None and self._worth_publishing(one, clock):
                one.published, one.published_at = one.evidence, clock
                due[release] = one.evidence
        known = {
            release: one.evidence
            for release, one in self._running.items()
            if one.evidence is not None
        }
        moves = decide_moves(rollout, known, self._policy, now=self._now(), by=self._by)
        return StepResult(evidence=due, moves=tuple(moves))

    def _evidence(self, rollout: Rollout, one: _Running) -> Evidence:
        compared = dict(one.trial.compared)
        found = evidence_of(
            decide(one.join.comparisons(), self._policy),
            compared_with=" and ".join(compared.values()),
            now=self._now(),
        )
        notes = list(_dropped(one.join.counts))
        if rollout.best not in ("", rollout.stable, one.trial.candidate) and BEST not in compared:
            notes.insert(
                0, f"the best release {rollout.best} does not judge: put it into shadow to compare"
            )
        return replace(found, sentence=". ".join((found.sentence, *notes)))

    def _worth_publishing(self, one: _Running, clock: float) -> bool:
        before, now = one.published, one.evidence
        if now is None or now is before:
            return False
        if before is None:
            return True
        waited = clock - one.published_at
        if waited < PUBLISH_S:
            return False
        if decisions(before) != decisions(now) or waited >= SURELY_S:
            return True
        return pairs_in(now) >= ENOUGH * max(1, pairs_in(before))


def trials_of(rollout: Rollout) -> tuple[Trial, ...]:
    """The candidates that can be compared with the stable release now."""
    return tuple(
        Trial(placed.release, entered_shadow(rollout, placed), tuple(compared.items()))
        for placed in sorted(rollout.at(*CANDIDATE), key=lambda one: one.release)
        if (compared := baselines(rollout, placed.release))
    )


def decisions(evidence: Evidence) -> tuple[object, ...]:
    return (
        evidence.decision,
        *((one.guard, one.baseline, one.decision) for one in evidence.findings),
    )


def pairs_in(evidence: Evidence) -> int:
    return sum(one.items for one in evidence.findings)


def _dropped(counts: Counter[str]) -> list[str]:
    return [f"{counts[name]} {words}" for name, words in DROPPED.items() if counts[name]]
