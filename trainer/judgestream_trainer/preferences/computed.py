"""Groups of graded answers from the task families, whose truth is computed."""

from collections.abc import Iterator, Sequence

from judgestream_trainer.preferences.groups import Graded, Group
from judgestream_trainer.preferences.ratings import grade_of_rating
from judgestream_trainer.randomness import derived
from judgestream_trainer.tasks import FAMILIES

EXACT = ("arithmetic", "formats", "substance")
"""The families that can be judged from general knowledge, without their reference."""


def computed_groups(count: int, *, seed: int, families: Sequence[str] = EXACT) -> Iterator[Group]:
    """`count` training items, the families in turn."""
    made = attempt = 0
    while made < count:
        name = families[made % len(families)]
        item = FAMILIES[name].make(derived("computed", name, seed, attempt))
        attempt += 1
        if item.held_out:
            continue
        made += 1
        example = item.example
        yield Group(
            id=f"computed-{name}-{attempt}",
            source="computed",
            question=example.question,
            answers=tuple(
                Graded(text=text, grade=round(grade_of_rating(score), 4))
                for text, score in zip(example.answers, item.scores, strict=True)
            ),
            reference=example.reference,
        )
