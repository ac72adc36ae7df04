"""Pairs that people or data sets decided: which answer is better, and nothing of how good they are."""

from collections.abc import Callable

from judgestream.core.formats import FORMATS
from judgestream.core.formats.base import Draft, digest
from judgestream.core.formats.fields import Fields
from judgestream.core.stats.majority import majority
from trainer.data.kinds import Kind
from trainer.data.outcomes import Outcome, Reason, Usable
from trainer.examples import Example, Judgement

BETTER, WORSE, EQUAL = 8.0, 4.0, 6.0
"""The scores that stand for a bare preference. Only their order is known, so they are the same for every
pair: far enough apart to be clear, away from the ends of the scale, and the same sum for a tie."""


def decided(winner: int, explanation: str = "") -> Judgement:
    """The judgement of a pair of which only the winner is known: +1 the first answer, 0 none, -1 the
    second."""
    scores = {1: (BETTER, WORSE), 0: (EQUAL, EQUAL), -1: (WORSE, BETTER)}[winner]
    return Judgement(scores=scores, explanation=explanation)


def winner_of(winner: str, first: str, second: str) -> int | None:
    """A winner's candidate id ("" for a tie) as +1, 0 or -1; None when it is none of the two."""
    return {"": 0, first: 1, second: -1}.get(winner)


def example_of(
    draft: Draft,
    fields: Fields,
    form: str,
    *,
    blind: Judgement | None,
    informed: Judgement | None = None,
) -> Example:
    """A converted record of two candidates as an example.

    Its id is the record's own (else its place in the file) with a digest of the texts: two files, or two
    pairs with one prompt id, do not get into each other's way.
    """
    first, second = draft.candidates
    content = digest(draft.question, first.text, second.text, length=10)
    name = draft.name.removesuffix(f"-{content}")
    return Example(
        id=f"{name if name.startswith(form) else f'{form}-{name}'}-{content}",
        question=draft.question,
        answers=(first.text, second.text),
        systems=(first.system, second.system),
        reference=draft.reference,
        blind=blind,
        informed=informed,
        source=str(fields.place),
    )


def _converter(form: str) -> Callable[[Fields], Outcome]:
    def convert(fields: Fields) -> Outcome:
        """The majority of the record's labels decides; the order shown is that of the request format."""
        draft = FORMATS[form].convert(fields)
        if not draft.votes:
            return Reason.NO_LABEL
        winner = majority([vote.winner for vote in draft.votes])
        if winner is None:
            return Reason.NO_MAJORITY
        side = winner_of(winner, *(one.id for one in draft.candidates))
        if side is None:
            return Reason.UNKNOWN_WINNER
        return Usable(example=example_of(draft, fields, form, blind=decided(side)))

    return convert


TRL, PANDALM = (
    Kind(
        name=form,
        summary=FORMATS[form].summary,
        needs=FORMATS[form].needs,
        convert=_converter(form),
    )
    for form in ("trl", "pandalm")
)
