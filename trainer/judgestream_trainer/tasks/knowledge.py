"""Questions about facts, judged against the reference, or from memory without one.

In most training items the reference contradicts memory: a judge that only sees true references learns to
ignore them. Measured on new facts, its accuracy is then .444 instead of .953.
"""

from random import Random

from judgestream_trainer.tasks.base import Answer, Family, Item, explain, right, two_levels, wrong
from judgestream_trainer.tasks.facts import RELATIONS, Relation, never_trained
from judgestream_trainer.tasks.sentences import invented
from judgestream_trainer.tasks.style import dress


def _make(rng: Random) -> Item:
    memory = rng.random() < 0.45
    relation = rng.choice(RELATIONS)
    subject, obj = _fact(rng, relation, memory)
    question = relation.question.format(s=subject)
    reference = relation.statement.format(s=subject, o=obj)
    answers = tuple(
        _answer(rng, relation, subject, obj, level == 1) for level in two_levels(rng, (0, 1))
    )
    unseen = never_trained(subject)
    texts = "\x1f".join(sorted(answer.text for answer in answers))
    return Item(
        family="knowledge",
        group=("never trained facts" if unseen else "trained facts")
        if memory
        else "invented facts",
        question=question,
        answers=(answers[0], answers[1]),
        reference=reference,
        explanation=explain(*answers),
        key=f"{question}\x1f{texts}" if memory else f"{question}\x1f{reference}",
        reference_required=not memory,
        never_train=memory and unseen,
    )


def _fact(rng: Random, relation: Relation, memory: bool) -> tuple[str, str]:
    """Subject and object: a true fact, or one that is true only by the reference."""
    subject, obj = rng.choice(relation.facts)
    if memory:
        return subject, obj
    if rng.random() < 0.4:
        subject = invented(rng)
    return subject, _other(rng, relation, obj)


def _other(rng: Random, relation: Relation, obj: str) -> str:
    while True:
        other = rng.choice(relation.objects) if rng.random() < 0.7 else invented(rng)
        if other != obj:
            return other


def _answer(rng: Random, relation: Relation, subject: str, obj: str, correct: bool) -> Answer:
    form = rng.choice(("{o}.", "It is {o}.", "{full}", "{full}"))
    statement = relation.statement.format(s=subject, o="{o}")
    before, after = form.format(full=statement, o="{o}").split("{o}")
    said = right(obj) if correct else wrong(_other(rng, relation, obj))
    return Answer(
        spans=dress(rng, [span for span in (right(before), said, right(after)) if span.text]),
        score=9 if correct else 2,
        note="is right" if correct else "is wrong",
    )


KNOWLEDGE = Family(
    name="knowledge",
    make=_make,
    judges="checks a short fact against the reference, or from memory if it was trained on it",
)
