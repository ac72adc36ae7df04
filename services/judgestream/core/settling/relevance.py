"""The settling rule of mode `rerank`: a score for each document, and the ranks."""

from collections.abc import Mapping, Sequence

from judgestream.core.ranking import Ranking
from judgestream.core.reconcile import Settlement
from judgestream.core.types import CandidateScore, PassResult, Reading, Request, Status, Unreadable

DIGITS = 6
"""P(yes) counts to this many decimals. Beyond them a judge rounds differently from batch to batch."""


def settle_relevance(request: Request, passes: Sequence[PassResult]) -> Settlement:
    """The documents by descending score, with ties.

    The score is P(yes) / (P(yes) + P(no)); of a judge that writes numbers, its mean as a share of the scale.
    With a `hybrid_weight` w it is w times that, plus the first-stage score as it is: JudgeRank's hybrid has
    w = 100 and BM25 scores that are not normalised (as ERank's appendix states it).

    Equal scores share a rank. The winner is the document that has rank 1 alone. One judgement that cannot be
    read makes the request unscored, because the ranking would be another one with that document.
    """
    judged = {r.transform.order[0]: r for r in passes if not r.transform.criterion}
    explanation = "".join(r.reply.text.strip() for r in passes if not r.transform.order)
    unreadable = [r for r in judged.values() if isinstance(r.reading, Unreadable)]
    if unreadable:
        return Settlement(
            status=Status.UNSCORED,
            reason=_reason(unreadable, len(judged)),
            scores=_scores(request, {}),
            explanation=explanation,
        )
    scores = _scores(
        request,
        {k: r.reading.means[0] for k, r in judged.items() if isinstance(r.reading, Reading)},
    )
    ranking = Ranking.of_scores([score.score for score in scores])
    return Settlement(
        status=Status.SCORED,
        winner=ranking.winner([candidate.id for candidate in request.candidates]),
        tie=ranking.tie,
        scores=ranking.on(scores),
        explanation=explanation,
    )


def _reason(unreadable: Sequence[PassResult], judged: int) -> str:
    first = unreadable[0]
    why = first.reading.reason if isinstance(first.reading, Unreadable) else ""
    return f"{why}: {first.transform.name} ({len(unreadable)} of {judged} documents)"


def _scores(request: Request, helps: Mapping[int, float]) -> tuple[CandidateScore, ...]:
    """The documents' scores. `helps`: P(yes) by index; without it a document has no score."""
    weight = request.options.hybrid_weight
    scores = []
    for k, candidate in enumerate(request.candidates):
        score = None if k not in helps else round(helps[k], DIGITS)
        if score is not None and weight is not None:
            score = weight * score + (candidate.first_stage_score or 0.0)
        scores.append(
            CandidateScore(
                candidate_id=candidate.id,
                score=score,
                system=candidate.system,
                length=candidate.length,
            )
        )
    return tuple(scores)
