"""The evidence about one candidate: its verdicts beside those of other releases on the same requests.

Verdicts and labels may arrive in any order and any number of times. Two verdicts on one request, in one mode
and of one content are a pair; the gate counts each pair once. What waits for its counterpart is bounded: the
oldest is dropped, and the number of drops is counted. Nothing is stored: reading the topics again from the
time at which the candidate entered shadow gives the same evidence.
"""

from collections import Counter, OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, TypeVar

from judgestream.core.known_answers import NAME_KEY, OF_KEY, PERTURBED_KEY
from judgestream.core.preference import Preference
from judgestream.core.types import PROBE_KEY, Label, PassResult, Reading, Reply, Verdict
from judgestream.core.verdict_set import RANK
from judgestream.evaluation.gate import Comparison, Evidence, PairedItem, paired_item
from judgestream.evaluation.known_answers import is_right
from judgestream.evaluation.labels import Ballots, fault
from judgestream.evaluation.verdict_pairs import Judged

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MOST_OPEN = 10_000
"""Requests whose verdicts are kept, paired or not: 2.7 kB for each verdict of two passes."""
MOST_LABELLED = 100_000
"""Requests whose labels are kept while no pair of theirs is known."""
MOST_UNLABELLED = 50_000
"""Pairs that are kept for a label that may come."""
MOST_PROBES = 2_000
"""Pairs of known-answer probes that wait for the verdicts on the request that the probe was made of."""
MOST_VOTES = 100
"""Annotators of one request."""
MOST_ITEMS = 100_000
"""Pairs of one comparison. The gate decides with far fewer; more are counted and left out."""

_KEPT = (PROBE_KEY, NAME_KEY, OF_KEY, PERTURBED_KEY)


class Newest(Generic[K, V]):
    """A mapping of the entries that were used last."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._entries: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        found = self._entries.get(key)
        if found is not None:
            self._entries.move_to_end(key)
        return found

    def put(self, key: K, value: V) -> V | None:
        """Set an entry. Returns the one that is dropped for it."""
        self._entries[key] = value
        self._entries.move_to_end(key)
        return self._entries.popitem(last=False)[1] if len(self._entries) > self._most else None

    def pop(self, key: K) -> V | None:
        return self._entries.pop(key, None)

    def __contains__(self, key: K) -> bool:
        return key in self._entries

    def keys(self) -> list[K]:
        return list(self._entries)


@dataclass(frozen=True, slots=True)
class _Pair:
    """A pair that may get a label. `candidates`: ids of its two answers; empty unless there are two."""

    item: PairedItem
    candidates: tuple[str, ...]


class EvidenceJoin:
    """Pairs the candidate's verdicts with those of each baseline.

    baselines   name of the comparison, such as "stable" -> release
    since       the candidate entered shadow: its verdicts from before belong to an earlier trial
    counts      what took no part, by reason: `no_content` (which content was judged is unknown), `earlier`
                (judged before `since`), `ambiguous` (two contents under one request id), `surplus` (more than
                `MOST_ITEMS`), `bad_label`; and what was dropped while it waited: `unpaired` (verdicts of the
                candidate), `unshadowed` (requests that only a baseline judged), `labels` (requests with
                labels, used or not), `unlabelled` (pairs), `probes`
    """

    def __init__(
        self,
        candidate: str,
        baselines: Mapping[str, str],
        *,
        since: datetime,
        most_open: int = MOST_OPEN,
        most_items: int = MOST_ITEMS,
    ) -> None:
        self.candidate = candidate
        self.baselines = dict(baselines)
        self.since = since
        self.counts: Counter[str] = Counter()
        self._most_items = most_items
        self._open: Newest[Judged, dict[str, Verdict]] = Newest(most_open)
        self._of_request: Newest[str, Judged | None] = Newest(most_open)
        """Request id -> what was judged under it; None once that is ambiguous."""
        self._votes: Newest[str, dict[str, Label]] = Newest(MOST_LABELLED)
        self._unlabelled: Newest[tuple[str, str], _Pair] = Newest(MOST_UNLABELLED)
        self._probes: Newest[tuple[str, Judged], tuple[Verdict, Verdict]] = Newest(MOST_PROBES)
        self._pending: dict[tuple[str, str], _Pair] = {}
        self._evidence = {name: Evidence() for name in baselines}

    def verdict(self, verdict: Verdict) -> None:
        """Take a verdict of any release, from any of the topics."""
        if verdict.release not in (self.candidate, *self.baselines.values()):
            return
        if not verdict.is_counted and NAME_KEY not in verdict.metadata:
            return
        key = Judged.of(verdict)
        if key is None:
            self.counts["no_content"] += 1
            return
        if verdict.release == self.candidate and verdict.judged_at < self.since:
            self.counts["earlier"] += 1
            return
        if self._is_ambiguous(key):
            return
        entry = self._open.get(key) or {}
        known = entry.get(verdict.release)
        if known is None or RANK[verdict.status] > RANK[known.status]:
            entry[verdict.release] = reduced(verdict)
            dropped = self._open.put(key, entry)
            if dropped is not None and self.candidate not in dropped:
                self.counts["unshadowed"] += 1
            elif dropped is not None and len(dropped) == 1:
                self.counts["unpaired"] += 1
            self._pair(key, entry)

    def label(self, label: Label) -> None:
        """Take a label. Of an annotator the latest counts."""
        if fault(label) is not None:
            self.counts["bad_label"] += 1
            return
        votes = self._votes.get(label.request_id) or {}
        earlier = votes.get(label.annotator)
        if earlier is None and len(votes) >= MOST_VOTES:
            return
        if earlier is None or label.labelled_at >= earlier.labelled_at:
            votes[label.annotator] = label
            self.counts["labels"] += self._votes.put(label.request_id, votes) is not None
            for baseline in self.baselines:
                pair = self._unlabelled.get((baseline, label.request_id))
                if pair is not None:
                    self._pending[baseline, label.request_id] = pair

    def look(self) -> bool:
        """Let the gate see everything that is paired by now. Returns whether anything was new.

        A prompt counts for a guard with the items that are there when the guard sees it first (see
        `gate.evidence`). So a label counts with the votes that are there at the first look at its pair.
        """
        batches: dict[str, list[PairedItem]] = {name: [] for name in self.baselines}
        for (baseline, request_id), pair in sorted(self._pending.items()):
            if request_id in self._of_request and self._of_request.get(request_id) is None:
                self.counts["ambiguous"] += 1
                self._unlabelled.pop((baseline, request_id))
                continue
            label = self._gold(request_id, pair.candidates)
            batches[baseline].append(replace(pair.item, label=label))
            if label is not None:
                self._unlabelled.pop((baseline, request_id))
        self._pending.clear()
        for baseline, key in self._probes.keys():
            if (item := self._known_item(baseline, key)) is not None:
                batches[baseline].append(item)
        return any([self._add(baseline, batch) for baseline, batch in batches.items()])

    def comparisons(self) -> list[Comparison]:
        """The evidence of each comparison, as of the latest look."""
        return [Comparison(baseline=name, evidence=one) for name, one in self._evidence.items()]

    def _is_ambiguous(self, key: Judged) -> bool:
        """Whether another content was judged under the request id. Its pairs then take no part."""
        known = self._of_request.get(key.request_id)
        if key.request_id in self._of_request and known is None:
            return True
        if known is None or known == key:
            self._of_request.put(key.request_id, key)
            return False
        if known.content == key.content:
            return False  # the same content in another mode
        self._of_request.put(key.request_id, None)
        self._open.pop(known)
        self.counts["ambiguous"] += 1
        return True

    def _pair(self, key: Judged, entry: Mapping[str, Verdict]) -> None:
        new = entry.get(self.candidate)
        for baseline, release in self.baselines.items():
            old = entry.get(release)
            if new is None or old is None:
                continue
            if new.is_probe:
                dropped = self._probes.put((baseline, key), (new, old))
                self.counts["probes"] += dropped is not None
                continue
            candidates = tuple(score.candidate_id for score in (new.scores or old.scores))
            pair = _Pair(paired_item(new, old), candidates if len(candidates) == 2 else ())
            self._pending[baseline, key.request_id] = pair
            if pair.candidates:
                dropped_pair = self._unlabelled.put((baseline, key.request_id), pair)
                self.counts["unlabelled"] += dropped_pair is not None

    def _gold(self, request_id: str, candidates: tuple[str, ...]) -> Preference | None:
        """The majority of the request's annotators; None without one."""
        votes = self._votes.get(request_id)
        if votes is None or not candidates:
            return None
        return Ballots(votes.values()).gold(request_id, candidates).side

    def _known_item(self, baseline: str, key: Judged) -> PairedItem | None:
        """The item of a known-answer probe, once it can be said whether both judges are right."""
        found = self._probes.get((baseline, key))
        if found is None:
            return None
        new, old = (is_right(one, self._control(one)) for one in found)
        if new is None or old is None:
            return None
        self._probes.pop((baseline, key))
        return paired_item(*found, known=(new, old))

    def _control(self, probe: Verdict) -> dict[tuple[str, str], Verdict]:
        """The same release's verdict on the request that the probe was made of."""
        of = probe.metadata.get(OF_KEY, "")
        key = self._of_request.get(of)
        entry = None if key is None else self._open.get(key)
        verdict = None if entry is None else entry.get(probe.release)
        return {} if verdict is None else {(probe.release, of): verdict}

    def _add(self, baseline: str, batch: list[PairedItem]) -> bool:
        if not batch:
            return False
        before = self._evidence[baseline]
        room = self._most_items - max(len(tally.items) for tally in before.tallies.values())
        seen = before.tallies["scored"].items
        fresh = [item for item in batch if item.id not in seen and item.known is None]
        if len(fresh) > room:
            left_out = {item.id for item in fresh[max(0, room) :]}
            batch = [item for item in batch if item.id not in left_out]
            self.counts["surplus"] += len(left_out)
        self._evidence[baseline] = before.add(batch)
        return self._evidence[baseline] != before


def reduced(verdict: Verdict) -> Verdict:
    """What the gate needs of a verdict: no texts, and no scores of a ranking.

    A jury keeps no passes: they are not one judge's in both orders (see `position.order_preferences`).
    """
    scores = verdict.scores if len(verdict.scores) == 2 else ()
    return replace(
        verdict,
        explanation="",
        error_message="",
        members=(),
        scores=tuple(replace(one, criteria=()) if one.criteria else one for one in scores),
        passes=() if verdict.members else tuple(map(_reduced_pass, verdict.passes)),
        metadata={key: verdict.metadata[key] for key in _KEPT if key in verdict.metadata},
    )


def _reduced_pass(result: PassResult) -> PassResult:
    reading = result.reading
    if isinstance(reading, Reading):
        reading = Reading(means=(), greedy=(), win=reading.win, tie=reading.tie, lose=reading.lose)
    else:
        reading = replace(reading, detail="")
    return replace(result, reading=reading, reply=_NO_REPLY, grammar=None)


_NO_REPLY = Reply(text="")
