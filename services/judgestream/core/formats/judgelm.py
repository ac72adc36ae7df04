"""JudgeLM-100K rows (arXiv 2310.17631): answers to one question, two of them scored by a teacher."""

from judgestream.core.formats.base import Draft, RequestFormat, Review, Vote, dataset_name, numbered
from judgestream.core.formats.fields import Fields, kind
from judgestream.core.types import Options, ReferenceUse

TEACHER = "teacher"
PAIR = 2
UNREAD = (-1.0, -1.0)
"""The score of a teacher's text that could not be read."""


def convert(fields: Fields) -> Draft:
    """`score` and `text` are the teacher's judgement without the reference, `score_w_reference` and
    `text_w_reference` the one with it. `reference` is text or an object with `text`.

    A request that has a judgement with the reference is judged with it. One that has only a judgement
    without it is judged without: the label would say nothing of another judgement. Three and more answers
    (`answer3_body`, ...) are judged together, in mode multi; their scores are not labels.
    """
    question = fields.text("question_body")
    count = _answers(fields)
    answers = [fields.text(f"answer{k}_body") for k in range(1, count + 1)]
    number = fields.identity("question_id")
    reference = _reference(fields)
    reviews = _reviews(fields) if count == PAIR else []
    votes = votes_of(reviews, decides_without=not (reference or "").strip())
    use = ReferenceUse.AUTO
    if votes and not any(vote.with_reference for vote in votes):
        use = ReferenceUse.NEVER if (reference or "").strip() else use
    systems = [fields.name(f"answer{k}_model_id") for k in range(1, count + 1)]
    return Draft(
        name=dataset_name("judgelm", number, fields, question, *answers),
        question=question,
        candidates=numbered(answers, systems),
        mode="pairwise" if count == PAIR else "multi",
        reference=reference,
        votes=votes,
        reviews=tuple(reviews),
        options=Options(reference_use=use),
        metadata={"question_id": number} if number is not None else {},
    )


def _answers(fields: Fields) -> int:
    """The number of answers: two, or as many as are numbered on."""
    count = PAIR
    while fields.has(f"answer{count + 1}_body"):
        count += 1
    return count


def _reviews(fields: Fields) -> list[Review]:
    return [
        Review(
            annotator=TEACHER,
            text=fields.optional_text(f"text{suffix}"),
            scores=score_pair(fields, f"score{suffix}"),
            with_reference=bool(suffix),
        )
        for suffix in ("", "_w_reference")
        if fields.has(f"text{suffix}") or fields.has(f"score{suffix}")
    ]


def votes_of(reviews: list[Review], *, decides_without: bool = False) -> tuple[Vote, ...]:
    """The winner by the higher score; equal scores tie. Scores that are missing or negative name none.

    `decides_without`: there is no reference, so judgements with a reference are ignored.
    """
    votes = []
    for review in reviews:
        if review.scores is None or not all(score >= 0 for score in review.scores):
            continue
        if review.with_reference and decides_without:
            continue
        first, second = review.scores
        winner = "" if first == second else "1" if first > second else "2"
        votes.append(
            Vote(annotator=review.annotator, winner=winner, with_reference=review.with_reference)
        )
    return tuple(votes)


def score_pair(fields: Fields, name: str) -> tuple[float, float] | None:
    """Two numbers; None when the field is missing or null.

    JudgeLM's validation file has two objects of generation statistics in `score`: no judgement, so None.

    Raises:
        InvalidRecord: anything else.
    """
    if not fields.filled(name):
        return None
    values = fields.items(name)
    if len(values) == 2 and all(isinstance(value, dict) for value in values):
        return None
    if len(values) != 2:
        fields.reject(name, f"must be two numbers, not {len(values)} values")
    numbers = [_number(fields, f"{name}[{k}]", value) for k, value in enumerate(values)]
    return numbers[0], numbers[1]


def _number(fields: Fields, name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        fields.reject(name, f"must be a number, not {kind(value)}")
    try:
        return float(value)
    except OverflowError:  # a whole number of more than 308 digits
        return float("inf")


def _reference(fields: Fields) -> str | None:
    value = fields.values.get("reference")
    if isinstance(value, dict):
        return fields.nested("reference", value).optional_text("text")
    return fields.optional_text("reference")


JUDGELM = RequestFormat(
    name="judgelm",
    summary="JudgeLM-100K rows: two answers, and as labels `score`, or `score_w_reference` where the"
    " reference is shown; more answers for mode multi",
    # fewer than required, so that a record without an answer gets a specific error
    needs=(("question_body",),),
    convert=convert,
)
