"""Questions about facts. With a reference: compare. Without: only what was trained can be known.

Most training items contradict memory (the reference says so), because a judge that only ever sees true
references learns to ignore them (facts/performance.md section 3: .444 against .953 on new facts).
"""

from random import Random

from trainer.tasks.base import Answer, Family, Item, Span, explain, right, two_levels, wrong
from trainer.tasks.facts import RELATIONS, Relation, never_trained
from trainer.tasks.sentences import invented
from trainer.tasks.style import dress

_SCORES = {1: (2, 9), 2: (2, 5, 9)}
_NOTES = {1: ("is wrong", "is right"), 2: ("is wrong", "is half right", "is right")}


def _make(rng: Random) -> Item:
    count = 2 if rng.random() < 0.25 else 1
    memory = rng.random() < 0.45
    asked = [_fact(rng, rng.choice(RELATIONS), memory) for _ in range(count)]
    question = " ".join(relation.question.format(s=subject) for relation, subject, _ in asked)
    reference = " ".join(relation.statement.format(s=s, o=o) for relation, s, o in asked)
    levels = two_levels(rng, range(count + 1))
    answers = tuple(_answer(rng, asked, level) for level in levels)
    unseen = any(never_trained(subject) for _, subject, _ in asked)
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


def _fact(rng: Random, relation: Relation, memory: bool) -> tuple[Relation, str, str]:
    """Relation, subject, object: a true fact, or one that the reference alone makes true."""
    subject, obj = rng.choice(relation.facts)
    if memory:
        return relation, subject, obj
    if rng.random() < 0.4:
        subject = invented(rng)
    return relation, subject, _other(rng, relation, obj)


def _other(rng: Random, relation: Relation, obj: str) -> str:
    while True:
        other = rng.choice(relation.objects) if rng.random() < 0.7 else invented(rng)
        if other != obj:
            return other


def _answer(rng: Random, asked: list[tuple[Relation, str, str]], level: int) -> Answer:
    count = len(asked)
    correct = set(rng.sample(range(count), level))
    spans: list[Span] = []
    form = rng.choice(("{o}.", "It is {o}.", "{full}", "{full}"))
    for k, (relation, subject, obj) in enumerate(asked):
        said = right(obj) if k in correct else wrong(_other(rng, relation, obj))
        statement = relation.statement.format(s=subject, o="{o}")
        before, after = form.format(full=statement, o="{o}").split("{o}")
        spans += [right(" " + before if k else before), said, right(after)]
    return Answer(
        spans=dress(rng, [span for span in spans if span.text]),
        score=_SCORES[count][level],
        note=_NOTES[count][level],
    )


KNOWLEDGE = Family(
    name="knowledge",
    make=_make,
    judges="checks one or two short facts against the reference, or from memory if it was trained on them",
)
