"""The parts of a verdict that the join with labels needs."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from judgestream.core.preference import Preference
from judgestream.core.reconcile import is_draw
from judgestream.core.types import FOLLOW_UP, RERANK, Status, Verdict
from judgestream.evaluation.agreement import CLASSES
from judgestream.evaluation.order_rules import RULES, OrderRule
from judgestream.evaluation.position import lean_of, order_preferences
from judgestream.evaluation.prompt_clusters import Cluster, cluster_of


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoredVerdict:
    """A verdict of two candidates, reduced to what the join compares.

    candidates     ids in the request's order; empty for a failed verdict
    outcome        None unless scored
    lean           toward the first or second position, see `position.lean`; None unless both orders were read
    orders         the preference of each order alone; None where they were not both asked
    chances        probability of each outcome, of a scored verdict
    content        identity of what was judged: its digest, and its candidates' ids and lengths
    cluster        see `prompt_clusters.cluster_of`
    segment        value of the metadata key that names segments; "" without
    drawn          a tie because first and second are equally probable and both beat a tie
    scores_differ  its winner has the lower expected score
    """

    request_id: str
    release: str
    candidates: tuple[str, ...]
    outcome: Preference | None
    lean: Preference | None = None
    failed: bool = False
    template_id: str = ""
    orders: tuple[Preference | None, Preference | None] | None = None
    chances: Mapping[Hashable, float] = field(default_factory=dict)
    content: tuple[str, tuple[tuple[str, int], ...]] = ("", ())
    cluster: Cluster | None = None
    segment: str = ""
    is_probe: bool = False
    malformed: bool = False
    drawn: bool = False
    scores_differ: bool = False

    @classmethod
    def of(
        cls, verdict: Verdict, *, cluster_key: str = "", segment_key: str = ""
    ) -> "ScoredVerdict | None":
        """None for a verdict about a single answer or about documents, a ranking of three and more, and an
        answer to a question about a verdict."""
        candidates = tuple(score.candidate_id for score in verdict.scores)
        ranking = len(candidates) > 2 and any(score.rank for score in verdict.scores)
        if len(candidates) == 1 or ranking or verdict.mode in (FOLLOW_UP, RERANK):
            return None
        scored = verdict.status is Status.SCORED
        outcome = outcome_of(verdict, candidates) if scored else None
        chances = _chances(verdict) if scored else {}
        return cls(
            request_id=verdict.request_id,
            release=verdict.release,
            candidates=candidates,
            outcome=outcome,
            lean=lean_of(verdict),
            failed=verdict.status is Status.FAILED,
            template_id=verdict.template_id,
            orders=next(order_preferences(verdict), None),
            chances=chances,
            content=(
                verdict.content_digest,
                tuple((score.candidate_id, score.length) for score in verdict.scores),
            ),
            cluster=cluster_of(verdict, cluster_key),
            segment=verdict.metadata.get(segment_key, "") if segment_key else "",
            is_probe=verdict.is_probe,
            malformed=verdict.status is not Status.FAILED
            and (len(candidates) != 2 or (scored and outcome is None)),
            drawn=bool(chances) and is_draw(chances[1], chances[0], chances[-1]),
            scores_differ=_scores_differ(verdict, outcome),
        )

    def by(self, rule: OrderRule) -> Hashable:
        """The outcome by a rule; None where there is none."""
        if rule is OrderRule.AVERAGED:
            return self.outcome
        return None if self.orders is None else RULES[rule].settle(*self.orders)


def outcome_of(verdict: Verdict, candidates: Sequence[str]) -> Preference | None:
    """Which candidate a scored verdict prefers; None unless it names one of two candidates, or a tie."""
    if len(set(candidates)) != 2 or len(candidates) != 2:
        return None
    if verdict.tie:
        return None if verdict.winner else Preference.TIE
    if not verdict.winner:
        return None
    return Preference.of_winner(verdict.winner, candidates)


def ambiguous(judged: Iterable[ScoredVerdict]) -> set[str]:
    """Request ids under which more than one content was judged, by any release.

    A verdict without a content digest (from an old version) is identified by its candidates' ids and lengths.
    """
    digests: defaultdict[str, set[str]] = defaultdict(set)
    shapes: defaultdict[str, set[tuple[tuple[str, int], ...]]] = defaultdict(set)
    for one in judged:
        digest, shape = one.content
        if digest:
            digests[one.request_id].add(digest)
        if shape:
            shapes[one.request_id].add(shape)
    return {name for known in (digests, shapes) for name, found in known.items() if len(found) > 1}


def _chances(verdict: Verdict) -> dict[Hashable, float]:
    """The probabilities of a scored verdict; empty if they are not a distribution."""
    win, tie, lose = verdict.p_win, verdict.p_tie, verdict.p_lose
    if win is None or tie is None or lose is None:
        return {}
    chances = (win, tie, lose)
    if not all(0.0 <= share <= 1.0 for share in chances) or abs(sum(chances) - 1.0) > 1e-6:
        return {}
    return dict(zip(CLASSES, chances, strict=True))


def _scores_differ(verdict: Verdict, outcome: Preference | None) -> bool:
    if not outcome:
        return False
    first, second = (score.score for score in verdict.scores)
    return first is not None and second is not None and (first - second) * outcome < 0
