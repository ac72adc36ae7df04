"""Drafts of the input formats as examples, from a teacher's reviews or from votes."""

from collections import Counter

from judgestream.core.formats.base import Draft, Review, digest
from judgestream.core.formats.reasons import NoLabel
from judgestream.core.preference import Preference
from judgestream.evaluation.majority import majority
from judgestream_trainer.data.example import Example, Judgement
from judgestream_trainer.data.outcomes import Outcome, Reason, Usable
from judgestream_trainer.data.teacher import judgement

BETTER, WORSE, EQUAL = 8.0, 4.0, 6.0
"""The scores that represent a preference, of which only the order is known: clearly apart, away from the ends
of the scale, and with the same sum for a tie."""
_SCORES = {
    Preference.FIRST: (BETTER, WORSE),
    Preference.TIE: (EQUAL, EQUAL),
    Preference.SECOND: (WORSE, BETTER),
}
SCORED = ("judgelm", "fastchat-reviews")
"""Formats whose rows are judgements: an empty one counts as NO_JUDGEMENT instead of NO_LABEL."""


def decided(preference: Preference, explanation: str = "") -> Judgement:
    """The judgement of a pair of which only the preference is known."""
    return Judgement(scores=_SCORES[preference], explanation=explanation)


def outcome(draft: Draft, form: str, source: str) -> Outcome:
    """The example of a draft, or the reason why there is none.

    A teacher's scores and explanation are kept if text and scores agree. Otherwise the majority of the votes
    decides; votes that are valid with and without a reference give both judgements.
    """
    if len(draft.candidates) != 2:
        return Reason.NOT_A_PAIR
    if draft.images or any(candidate.images for candidate in draft.candidates):
        return Reason.HAS_IMAGES
    if draft.reviews or form in SCORED:
        return _reviewed(draft, form, source)
    if not draft.votes:
        lost = Counter(draft.unlabelled).most_common(1)
        return lost[0][0] if lost and lost[0][0] is not NoLabel.NO_WINNER else Reason.NO_LABEL
    has_reference = bool((draft.reference or "").strip())
    blind = _by_votes(draft, informed=False)
    informed = _by_votes(draft, informed=True) if has_reference else None
    if not any(isinstance(result, Judgement) for result in (blind, informed)):
        return next(result for result in (blind, informed) if isinstance(result, Reason))
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
    """The majority of the votes that are valid with or without the reference."""
    votes = [vote.winner for vote in draft.votes if vote.with_reference in (None, informed)]
    if not votes:
        return Reason.NO_LABEL
    winner = majority(votes)
    if winner is None:
        return Reason.NO_MAJORITY
    side = Preference.of_winner(winner, [candidate.id for candidate in draft.candidates])
    return Reason.UNKNOWN_WINNER if side is None else decided(side)


def _reviewed(draft: Draft, form: str, source: str) -> Outcome:
    """One usable judgement keeps the record. Without any, the first one's reason is that of the record."""
    results = {review.with_reference: _judgement(draft, review) for review in draft.reviews}
    lost = tuple(result for result in results.values() if not isinstance(result, Judgement))
    blind, informed = results.get(False), results.get(True)
    if not any(isinstance(result, Judgement) for result in results.values()):
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
    result = judgement(review.text, review.scores)
    if (
        isinstance(result, Judgement)
        and review.with_reference
        and not (draft.reference or "").strip()
    ):
        return Reason.NO_REFERENCE
    return result


def _example(
    draft: Draft, form: str, source: str, *, blind: Judgement | None, informed: Judgement | None
) -> Example:
    """The example, with an id from the record's id (or place) and a digest of the texts.

    The digest keeps apart equal ids of two files, and several pairs of one prompt.
    """
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
