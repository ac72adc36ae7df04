"""One item that two judges judged: what the guards compare."""

from dataclasses import dataclass

from judgestream.core.preference import Preference
from judgestream.core.types import FOLLOW_UP, RERANK, CandidateScore, Status, Verdict
from judgestream.evaluation.position import lean_of, order_preferences
from judgestream.evaluation.scored_verdict import outcome_of

KnownRight = tuple[bool | None, bool | None]
"""Whether the new judge is right, and the old one; None for one that cannot be right or wrong."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """One judge's verdict on the item.

    outcome      which of two candidates is better; None unless scored, and where not two are compared
    consistent   whether both orders were read and prefer the same; None where they were not both asked
    lean         toward the first or second position, see `position.lean`; None unless both orders were read
    latency_s    seconds to the verdict; None if it says nothing about the judge
    cost         in US dollars; None if the release states no prices
    """

    status: Status
    outcome: Preference | None = None
    consistent: bool | None = None
    lean: Preference | None = None
    latency_s: float | None = None
    cost: float | None = None

    @property
    def scored(self) -> bool:
        return self.status is Status.SCORED


@dataclass(frozen=True, kw_only=True, slots=True)
class PairedItem:
    """The same item under the new and the old judge. Preferences are in the item's candidate order.

    id          a redelivered item has the same one and counts once
    prompt      what was asked: items of one prompt are one cluster
    label       which candidate people (or a teacher) call better; None without a label
    known       of a known-answer item: whether the new and the old judge are right, see
                `known_answers.is_right`; None of any other item
    longer      which answer has more characters; None unless two are compared
    formatted   which answer has more headers, list items and bold spans; None unless two are compared
    """

    id: str
    prompt: str
    new: Judgement
    old: Judgement
    label: Preference | None = None
    known: KnownRight | None = None
    longer: Preference | None = None
    formatted: Preference | None = None


def paired_item(
    new: Verdict,
    old: Verdict,
    *,
    label: Preference | None = None,
    known: KnownRight | None = None,
) -> PairedItem:
    """The item of two verdicts on one request.

    A verdict without a prompt digest (from an old version) stands for a separate prompt.

    Raises:
        ValueError: the verdicts are of two requests, or of two contents under one request id.
    """
    if new.request_id != old.request_id or _differ(new.content_digest, old.content_digest):
        raise ValueError(
            f"verdicts on {new.request_id!r} and {old.request_id!r} do not judge the same content:"
            " pair verdicts of one request"
        )
    first, second = _answers(new) or _answers(old) or (None, None)
    return PairedItem(
        id=new.request_id,
        prompt=new.prompt_digest or old.prompt_digest or new.request_id,
        new=judgement_of(new),
        old=judgement_of(old),
        label=label,
        known=known,
        longer=None if first is None or second is None else _more(first.length, second.length),
        formatted=None if first is None or second is None else _more_formatted(first, second),
    )


def judgement_of(verdict: Verdict) -> Judgement:
    """What the guards need of a verdict. An unreadable order is not consistent with the other."""
    orders = next(order_preferences(verdict), None)
    lean = lean_of(verdict)
    answers = _answers(verdict)
    candidates = [score.candidate_id for score in answers or ()]
    return Judgement(
        status=verdict.status,
        outcome=outcome_of(verdict, candidates) if verdict.status is Status.SCORED else None,
        consistent=None if orders is None else lean is Preference.TIE,
        lean=lean,
        latency_s=None if verdict.status is Status.FAILED else verdict.latency_s,
        cost=verdict.cost,
    )


def _answers(verdict: Verdict) -> tuple[CandidateScore, CandidateScore] | None:
    if len(verdict.scores) != 2 or verdict.mode in (RERANK, FOLLOW_UP):
        return None
    first, second = verdict.scores
    return first, second


def _more(first: int, second: int) -> Preference:
    return Preference.between(first, second)


def _more_formatted(first: CandidateScore, second: CandidateScore) -> Preference | None:
    if first.style is None or second.style is None:
        return None
    return _more(*(s.headers + s.list_items + s.bold for s in (first.style, second.style)))


def _differ(one: str, other: str) -> bool:
    return bool(one and other and one != other)
