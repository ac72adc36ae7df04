"""Drafts of the input formats as examples: what a teacher wrote, or which answer people chose."""

from collections import Counter

from judgestream.core.formats.base import Draft, Review, digest
from judgestream.core.formats.reasons import NoLabel
from judgestream.core.preference import Preference
from judgestream.evaluation.majority import majority
from judgestream_trainer.data.example import Example, Judgement
from judgestream_trainer.data.outcomes import Outcome, Reason, Usable
from judgestream_trainer.data.teacher import judgement

BETTER, WORSE, EQUAL = 8.0, 4.0, 6.0
"""The scores that stand for a bare preference. Only their order is known, so they are the same for every
pair: far enough apart to be clear, away from the ends of the scale, and the same sum for a tie."""
SCORED = ("judgelm", "fastchat-reviews")
"""Formats whose rows are judgements: one without any has no judgement, where others have no label."""


def decided(winner: int, explanation: str = "") -> Judgement:
    """The judgement of a pair of which only the winner is known: +1 the first answer, 0 none, -1 the
    second."""
    scores = {1: (BETTER, WORSE), 0: (EQUAL, EQUAL), -1: (WORSE, BETTER)}[winner]
    return Judgement(scores=scores, explanation=explanation)


def outcome(draft: Draft, form: str, source: str) -> Outcome:
    """The example that a draft gives, or why it gives none.

    A teacher's scores and reasons are taken as they are, where text and scores say the same. Else the
    majority of the votes decides; votes that hold with and without a reference give both judgements.
    """
    if len(draft.candidates) != 2:
        return Reason.NOT_A_PAIR
    if draft.reviews or form in SCORED:
        return _reviewed(draft, form, source)
    if not draft.votes:
        lost = Counter(draft.unlabelled).most_common(1)
        return lost[0][0] if lost and lost[0][0] is not NoLabel.NO_WINNER else Reason.NO_LABEL
    has_reference = bool((draft.reference or "").strip())
    blind = _by_votes(draft, informed=False)
    informed = _by_votes(draft, informed=True) if has_reference else None
    good = [one for one in (blind, informed) if isinstance(one, Judgement)]
    if not good:
        return next(one for one in (blind, informed) if isinstance(one, Reason))
    return Usable(
        example=_example(
            draft,
            form,
            source,
            blind=blind if isinstance(blind, Judgement) else None,
            informed=informed if isinstance(informed, Judgement) else None,
        )
    )


def _by_votes(draft: Draft, *, informed: bool) -> Judgement | Reason:
    """The majority of the votes that hold with (without) the reference."""
    votes = [one.winner for one in draft.votes if one.with_reference in (None, informed)]
    if not votes:
        return Reason.NO_LABEL
    winner = majority(votes)
    if winner is None:
        return Reason.NO_MAJORITY
    side = Preference.of_winner(winner, [candidate.id for candidate in draft.candidates])
    return Reason.UNKNOWN_WINNER if side is None else decided(side)


def _reviewed(draft: Draft, form: str, source: str) -> Outcome:
    """A record is kept for one good judgement. When all are bad, the first one's reason is the record's."""
    found = {review.with_reference: _judgement(draft, review) for review in draft.reviews}
    lost = tuple(one for one in found.values() if not isinstance(one, Judgement))
    blind, informed = found.get(False), found.get(True)
    if not any(isinstance(one, Judgement) for one in found.values()):
        return next(iter(lost), Reason.NO_JUDGEMENT)
    made = _example(
        draft,
        form,
        source,
        blind=blind if isinstance(blind, Judgement) else None,
        informed=informed if isinstance(informed, Judgement) else None,
    )
    return Usable(example=made, lost=lost)


def _judgement(draft: Draft, review: Review) -> Judgement | Reason:
    found = judgement(review.text, review.scores)
    if (
        isinstance(found, Judgement)
        and review.with_reference
        and not (draft.reference or "").strip()
    ):
        return Reason.NO_REFERENCE
    return found


def _example(
    draft: Draft, form: str, source: str, *, blind: Judgement | None, informed: Judgement | None
) -> Example:
    """Its id is the record's own (else its place in the file) with a digest of the texts: two files, or two
    pairs with one prompt id, do not get into each other's way."""
    first, second = draft.candidates
    content = digest(draft.question, first.text, second.text, length=10)
    name = draft.name.removesuffix(f"-{content}")
    return Example(
        id=f"{name if name.startswith(form) else f'{form}-{name}'}-{content}",
        question=draft.question,
        answers=(first.text, second.text),
        systems=(first.system, second.system),
        reference=draft.reference or None,
        blind=blind,
        informed=informed,
        source=source,
    )
