"""JudgeLM-100K records (arXiv 2310.17631): two answers, judged by a teacher without and with a reference."""

from dataclasses import replace

from judgestream.core.formats import FORMATS
from judgestream.core.formats.fields import Fields
from trainer.data.kinds import Kind
from trainer.data.outcomes import Outcome, Reason, Usable
from trainer.data.pairs import example_of
from trainer.data.teacher import judgement, score_pair
from trainer.examples import Judgement

BLIND = ("text", "score")
INFORMED = ("text_w_reference", "score_w_reference")


def convert(fields: Fields) -> Outcome:
    """`text` and `score` are the judgement without a reference, `text_w_reference` and
    `score_w_reference` the one with it; `reference` is text or an object with `text`.

    A record is kept for one good judgement. When both are bad, the first one's reason is the record's.
    """
    draft = FORMATS["judgelm"].convert(fields)
    found = {"blind": _judgement(fields, *BLIND), "informed": _judgement(fields, *INFORMED)}
    if isinstance(found["informed"], Judgement) and not (draft.reference or "").strip():
        found["informed"] = Reason.NO_REFERENCE
    lost = tuple(one for one in found.values() if isinstance(one, Reason))
    good = {name: one for name, one in found.items() if isinstance(one, Judgement)}
    if not good:
        return next((one for one in lost), Reason.NO_JUDGEMENT)
    made = example_of(
        draft, fields, "judgelm", blind=good.get("blind"), informed=good.get("informed")
    )
    return Usable(example=replace(made, reference=draft.reference or None), lost=lost)


def _judgement(fields: Fields, text: str, score: str) -> Judgement | Reason | None:
    """None when the record does not speak of this judgement at all."""
    words, scores = fields.optional_text(text), score_pair(fields, score)
    return None if words is None and scores is None else judgement(words, scores)


JUDGELM = Kind(
    name="judgelm",
    summary="JudgeLM-100K records: also answer1_body, answer2_body, and as judgements text and score,"
    " or text_w_reference and score_w_reference with a reference",
    needs=(
        ("question_body",),
    ),  # fewer than it takes, so that a record lacking an answer is told so
    convert=convert,
)
