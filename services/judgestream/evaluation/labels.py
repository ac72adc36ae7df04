"""Majority of the annotators' labels of each request: the one rule, for measurement and for training."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from judgestream.core.preference import Preference
from judgestream.core.types import Label
from judgestream.evaluation.majority import majority


class LabelFault(StrEnum):
    """Why a label is invalid. Counted by reason and shown; never a vote, never a tie."""

    NO_REQUEST = "no_request"  # names no request
    NO_ANNOTATOR = "no_annotator"  # names no annotator
    NO_CHOICE = "no_choice"  # neither a winner nor `tie`: a skipped or half-filled label
    WINNER_AND_TIE = "winner_and_tie"  # contradicts itself
    CHOICE_AND_PASSED = (
        "choice_and_passed"  # says both which answer is better and whether one is good
    )
    BAD_PROBABILITY = "bad_probability"  # a sampling probability that is not above 0 and at most 1
    UNKNOWN_WINNER = "unknown_winner"  # names none of the request's candidates


class NoGold(StrEnum):
    """Why a request has no gold label."""

    NO_LABEL = "no_label"  # no valid label
    NO_MAJORITY = "no_majority"  # its annotators disagree
    UNKNOWN_WINNER = "unknown_winner"  # every vote names a candidate that the request does not have


@dataclass(frozen=True, kw_only=True, slots=True)
class Gold:
    """The majority of one request's annotators.

    side        in the order of the candidates; None where `reason` says why not
    annotators  whose votes were counted, sorted
    unknown     votes for a candidate that the request does not have: not counted
    """

    side: Preference | None
    reason: NoGold | None
    annotators: tuple[str, ...] = ()
    unknown: int = 0


def fault(label: Label) -> LabelFault | None:
    """What is wrong with a label by itself, regardless of its request's candidates; None if it is valid."""
    if not label.request_id.strip():
        return LabelFault.NO_REQUEST
    if not label.annotator.strip():
        return LabelFault.NO_ANNOTATOR
    if label.winner and label.tie:
        return LabelFault.WINNER_AND_TIE
    chosen = label.tie or bool(label.winner)
    if chosen and label.passed is not None:
        return LabelFault.CHOICE_AND_PASSED
    if not chosen and label.passed is None:
        return LabelFault.NO_CHOICE
    probability = label.sampling_probability
    if probability is not None and not 0.0 < probability <= 1.0:  # NaN is neither
        return LabelFault.BAD_PROBABILITY
    return None


def preference(label: Label, candidates: Sequence[str]) -> Preference | LabelFault:
    """What a label prefers, in the order of its request's two candidate ids, or why it is invalid.

    A request without exactly two candidates has no winner.
    """
    problem = fault(label)
    if problem is not None:
        return problem
    if label.tie:
        return Preference.TIE
    if len(candidates) != 2 or label.passed is not None:
        return LabelFault.UNKNOWN_WINNER
    side = Preference.of_winner(label.winner, candidates)
    return LabelFault.UNKNOWN_WINNER if side is None else side


def is_annotator(name: str, wanted: Sequence[str]) -> bool:
    """Whether an annotator is selected, by name or by kind: `human` selects `human-1` as well."""
    return not wanted or any(name == one or name.startswith(f"{one}-") for one in wanted)


class Ballots:
    """The labels of any number of requests, one vote per request and annotator name.

    An annotator's vote is the valid label with the latest `labelled_at`, regardless of its position on the
    topic; of equal times the one added later. Three people who label under one name are one vote. An
    invalid label replaces no vote.

    others       names of annotators who were not selected
    superseded   valid labels that a later one of the same request and annotator replaced
    repeated     exact copies of an earlier label: redeliveries
    invalid      invalid labels by reason; only `gold` can detect `UNKNOWN_WINNER`
    """

    def __init__(self, labels: Iterable[Label] = (), *, annotators: Sequence[str] = ()) -> None:
        """`annotators`: only these, by name or kind; all when empty."""
        self._votes: dict[str, dict[str, Label]] = {}
        self._wanted = annotators
        self._seen: set[Label] = set()
        self._invalid: Counter[LabelFault] = Counter()
        self.others: set[str] = set()
        self.superseded = 0
        self.repeated = 0
        for label in labels:
            self.add(label)

    def add(self, label: Label) -> LabelFault | None:
        """Add a label. Returns what is wrong with it, None if it is valid."""
        if not is_annotator(label.annotator, self._wanted):
            self.others.add(label.annotator)
            return None
        if label in self._seen:
            self.repeated += 1
            return fault(label)
        self._seen.add(label)
        problem = fault(label)
        if problem is not None:
            self._invalid[problem] += 1
            return problem
        votes = self._votes.setdefault(label.request_id, {})
        earlier = votes.get(label.annotator)
        self.superseded += earlier is not None
        if earlier is None or label.labelled_at >= earlier.labelled_at:
            votes[label.annotator] = label
        return None

    @property
    def invalid(self) -> Mapping[LabelFault, int]:
        return dict(sorted(self._invalid.items()))

    @property
    def annotators(self) -> tuple[str, ...]:
        """Every annotator with a valid vote, sorted."""
        return tuple(sorted({name for votes in self._votes.values() for name in votes}))

    def __iter__(self) -> Iterator[str]:
        """The requests with a valid vote, in the order of their first one."""
        return iter(self._votes)

    def __len__(self) -> int:
        return len(self._votes)

    def __contains__(self, request_id: str) -> bool:
        return request_id in self._votes

    def sides(self, request_id: str, candidates: Sequence[str]) -> tuple[Preference, ...]:
        """What each annotator of a request prefers, in the order of its two candidate ids."""
        votes = self._votes.get(request_id, {}).values()
        found = (preference(label, candidates) for label in votes)
        return tuple(one for one in found if not isinstance(one, LabelFault))

    def passed(self, request_id: str) -> bool | None:
        """Whether most of the annotators find the request's one answer good enough; None without a majority,
        and without a label of that kind."""
        return majority([label.passed for label in self._votes.get(request_id, {}).values()])

    def probability(self, request_id: str) -> float | None:
        """The probability with which the request was chosen for labelling: the largest that its labels state,
        None where none states it."""
        votes = self._votes.get(request_id, {}).values()
        stated = (label.sampling_probability for label in votes)
        return max((one for one in stated if one is not None), default=None)

    def gold(self, request_id: str, candidates: Sequence[str]) -> Gold:
        """The majority of a request's votes, in the order of its two candidate ids.

        A vote for an unknown candidate is left out before the majority is looked for.
        """
        votes = self._votes.get(request_id, {})
        sides: dict[str, Preference] = {}
        for annotator, label in votes.items():
            side = preference(label, candidates)
            if not isinstance(side, LabelFault):
                sides[annotator] = side
        unknown = len(votes) - len(sides)
        if not sides:
            reason = NoGold.UNKNOWN_WINNER if unknown else NoGold.NO_LABEL
            return Gold(side=None, reason=reason, unknown=unknown)
        side_of_most = majority(list(sides.values()))
        return Gold(
            side=side_of_most,
            reason=NoGold.NO_MAJORITY if side_of_most is None else None,
            annotators=tuple(sorted(sides)),
            unknown=unknown,
        )
