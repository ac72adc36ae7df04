"""Random pairs of answers to each question, in random order."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from operator import attrgetter

from judgestream_trainer.data.split import content_key, folded
from judgestream_trainer.labelling.sources import Answer, Question
from judgestream_trainer.randomness import derived


class SkipReason(StrEnum):
    """Why a question or a pair is not sent to the teacher. It costs nothing."""

    EMPTY_QUESTION = "empty_question"
    ONE_ANSWER = "fewer_than_two_answers"
    EMPTY_ANSWER = "empty_answer"
    IDENTICAL = "identical_answers"
    TOO_LONG = "too_long"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Two answers to one question, in the order shown to the teacher."""

    question: Question
    answers: tuple[Answer, Answer]


def draw_pairs(
    questions: Sequence[Question], *, per_question: int, seed: int, max_characters: int
) -> tuple[list[Pair], Counter[str]]:
    """Up to `per_question` pairs of each question, and the number skipped, by reason.

    Every pair of models is equally likely, no pair occurs twice, and each order has probability 1/2. The
    draws for a question depend only on its id, its models and the seed.

    max_characters  limit on question, both answers and reference together
    """
    pairs: list[Pair] = []
    skipped: Counter[str] = Counter()
    seen: set[str] = set()
    for question in questions:
        if not question.body.strip():
            skipped[SkipReason.EMPTY_QUESTION] += 1
            continue
        if len(question.answers) < 2:
            skipped[SkipReason.ONE_ANSWER] += 1
            continue
        taken = 0
        for pair in _shuffled(question, seed):
            if taken == per_question:
                break
            reason = _reason(pair, seen, max_characters)
            if reason is None:
                pairs.append(pair)
                taken += 1
            else:
                skipped[reason] += 1
    return pairs, skipped


def _shuffled(question: Question, seed: int) -> Iterator[Pair]:
    rng = derived("pairs", seed, question.id)
    couples = list(combinations(sorted(question.answers, key=attrgetter("model")), 2))
    rng.shuffle(couples)
    for first, second in couples:
        answers = (first, second) if rng.random() < 0.5 else (second, first)
        yield Pair(question=question, answers=answers)


def _reason(pair: Pair, seen: set[str], max_characters: int) -> SkipReason | None:
    """Why this pair is skipped, or None; a pair that is kept enters `seen`."""
    question = pair.question
    texts = [answer.text for answer in pair.answers]
    if not all(text.strip() for text in texts):
        return SkipReason.EMPTY_ANSWER
    if len(question.body) + len(question.reference or "") + sum(map(len, texts)) > max_characters:
        return SkipReason.TOO_LONG
    if folded(texts[0]) == folded(texts[1]):
        return SkipReason.IDENTICAL
    # the rule of `deduplicated`: a reader would drop the second one after it was paid for
    key = content_key(question.body, texts)
    if key in seen:
        return SkipReason.DUPLICATE
    seen.add(key)
    return None
