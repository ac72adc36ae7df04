"""Pairs are random, reproducible by seed, and useless ones are skipped and counted."""

from collections import Counter

from judgestream_trainer.labelling.pairing import Pair, draw_pairs
from judgestream_trainer.labelling.sources import Answer, Question


def question(number: int, *texts: str, body: str = "", reference: str | None = None) -> Question:
    answers = tuple(Answer(model=f"m{k}", text=text) for k, text in enumerate(texts))
    return Question(id=number, body=body or f"Q{number}?", reference=reference, answers=answers)


def drawn(
    questions: list[Question], per_question: int = 1, seed: int = 0, most: int = 1000
) -> tuple[list[Pair], Counter[str]]:
    return draw_pairs(questions, per_question=per_question, seed=seed, max_characters=most)


def models(pair: Pair) -> tuple[str, str]:
    return pair.answers[0].model, pair.answers[1].model


def test_each_pair_of_three_models_occurs_once() -> None:
    pairs, skipped = drawn([question(1, "a", "b", "c")], per_question=5)
    assert {frozenset(models(pair)) for pair in pairs} == {
        frozenset(("m0", "m1")),
        frozenset(("m0", "m2")),
        frozenset(("m1", "m2")),
    }
    assert len(pairs) == 3 and not skipped


def test_every_pair_of_models_in_either_order_is_about_equally_frequent() -> None:
    pairs, _ = drawn([question(n, "a", "b", "c") for n in range(3000)])
    counts = Counter(map(models, pairs))
    assert len(counts) == 6
    assert all(400 < count < 600 for count in counts.values())  # 500 expected, sd 20


def test_the_seed_decides_and_other_questions_do_not() -> None:
    questions = [question(n, "a", "b", "c") for n in range(50)]
    whole, _ = drawn(questions)
    assert whole == drawn(questions)[0]
    assert whole[10:20] == drawn(questions[10:20])[0]
    assert whole != drawn(questions, seed=1)[0]


def test_useless_pairs_are_skipped_and_counted_by_reason() -> None:
    pairs, skipped = drawn(
        [
            question(1, "a", "b", body="   "),
            question(2, "a"),
            question(3, "a", " "),
            question(4, "Same  answer", " Same answer"),
            question(5, "a", "b" * 990, reference="r" * 20),
            question(6, "yes", "no", body="Does it rain?"),
            question(7, "no", "yes", body="does it  rain?"),
            question(8, "no", "yes", body="Does it snow?"),
        ]
    )
    assert [pair.question.id for pair in pairs] == [6, 8]
    assert skipped == {
        "empty_question": 1,
        "fewer_than_two_answers": 1,
        "empty_answer": 1,
        "identical_answers": 1,
        "too_long": 1,
        "duplicate": 1,
    }


def test_a_useless_pair_is_replaced_by_another_of_its_question() -> None:
    pairs, skipped = drawn([question(n, "a", "", "c") for n in range(20)])
    assert len(pairs) == 20
    assert {frozenset(models(pair)) for pair in pairs} == {frozenset(("m0", "m2"))}
    assert 0 < skipped["empty_answer"] <= 40
