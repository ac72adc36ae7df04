"""Augmentation keeps answers and target together; JudgeLM's in-place edit does not."""

from dataclasses import replace

import pytest

from judgestream_trainer.data.augment import Augmentation, Visit, swapped, visit, visitor
from judgestream_trainer.data.example import Example, Judgement

HALF = Augmentation(swap_probability=0.5, reference_keep_probability=0.5)


def example(number: int) -> Example:
    """Scores that identify their answer and their judgement."""
    return Example(
        id=f"e{number}",
        question="q",
        answers=("good", "bad"),
        systems=("atlas", "birch"),
        reference="r",
        blind=Judgement(scores=(8, 2), explanation="Assistant 1 is better than Assistant 2."),
        informed=Judgement(scores=(9, 3), explanation="Assistant 2 is wrong."),
        marks=((), ((0, 3, True),)),
    )


EXAMPLES = [example(number) for number in range(2000)]


def of_another_order(shown: Visit) -> bool:
    """Whether the good answer has the bad one's score."""
    first, second = shown.judgement.scores
    return (shown.example.answers[0] == "good") != (first > second)


def of_another_kind(shown: Visit) -> bool:
    """Whether a judgement with reference follows a prompt without one, or the reverse."""
    return (max(shown.judgement.scores) == 9) != shown.with_reference


def test_swapping_reverses_everything_ordered_and_undoes_itself() -> None:
    one = example(1)
    other = swapped(one)
    assert other == Example(
        id="e1",
        question="q",
        answers=("bad", "good"),
        systems=("birch", "atlas"),
        reference="r",
        blind=Judgement(scores=(2, 8), explanation="Assistant 2 is better than Assistant 1."),
        informed=Judgement(scores=(3, 9), explanation="Assistant 1 is wrong."),
        marks=(((0, 3, True),), ()),
    )
    assert swapped(other) == one == example(1)


def test_an_ambiguous_explanation_is_dropped_and_its_scores_stay() -> None:
    unclear = Judgement(scores=(8, 2), explanation="The first one is right.")
    one = replace(example(1), blind=unclear, informed=None, reference=None)
    shown = [visit(one, HALF, seed=1, epoch=epoch) for epoch in range(20)]
    for each in shown:
        exchanged = each.example.answers[0] == "bad"
        assert each.unnamed == exchanged
        assert each.judgement.scores == ((2, 8) if exchanged else (8, 2))
        assert each.judgement.explanation == ("" if exchanged else unclear.explanation)
    assert {each.unnamed for each in shown} == {True, False}


def test_answers_and_target_stay_together_over_three_epochs() -> None:
    show = visitor(HALF, seed=1)
    shown = [show(one, epoch) for epoch in range(3) for one in EXAMPLES]
    assert not any(of_another_order(one) or of_another_kind(one) for one in shown)
    swaps = sum(one.example.answers[0] == "bad" for one in shown)
    kept = sum(one.with_reference for one in shown)
    assert (
        2800 < swaps < 3200 and 2800 < kept < 3200
    )  # 6,000 draws at one half: 5 deviations are 194
    assert EXAMPLES == [example(number) for number in range(2000)]


def test_a_visit_depends_only_on_example_seed_and_epoch() -> None:
    forwards = [visit(one, HALF, seed=1, epoch=2) for one in EXAMPLES]
    backwards = [visit(one, HALF, seed=1, epoch=2) for one in reversed(EXAMPLES)]
    assert forwards == backwards[::-1]
    assert forwards != [visit(one, HALF, seed=2, epoch=2) for one in EXAMPLES]


def test_the_defect_separates_them_as_in_judgelms_released_code() -> None:
    """Measured: 0 / 25 / 37 % of the samples in epochs 1 / 2 / 3 of one process, and as many with the other
    kind of target. 2,000 draws: five standard deviations are 5 points."""
    show = visitor(replace(HALF, in_place_defect=1), seed=1)
    for expected in (0.0, 0.25, 0.37):
        epoch = {0.0: 0, 0.25: 1, 0.37: 2}[expected]
        shown = [show(one, epoch) for one in EXAMPLES]
        for defect in (of_another_order, of_another_kind):
            share = sum(map(defect, shown)) / len(shown)
            assert share == pytest.approx(expected, abs=0.055), (epoch, defect.__name__)
    assert EXAMPLES == [example(number) for number in range(2000)]


@pytest.mark.parametrize("keep", [0.0, 1.0])
def test_the_keep_probability_is_that_of_keeping(keep: float) -> None:
    always = Augmentation(reference_keep_probability=keep)
    assert {visit(one, always, seed=1, epoch=0).with_reference for one in EXAMPLES} == {bool(keep)}


def test_an_example_with_one_judgement_is_shown_as_it_requires() -> None:
    blind = replace(example(1), informed=None)
    informed = replace(example(1), blind=None)
    for epoch in range(20):
        assert not visit(blind, HALF, seed=1, epoch=epoch).with_reference
        assert visit(informed, HALF, seed=1, epoch=epoch).with_reference


def test_the_single_form_needs_a_reference() -> None:
    single = Augmentation(single_probability=1.0)
    assert visit(example(1), single, seed=1, epoch=0).form == "single"
    blind = replace(example(1), informed=None, reference=None)
    assert visit(blind, single, seed=1, epoch=0).form == "pair"


def test_an_example_needs_a_judgement() -> None:
    with pytest.raises(ValueError, match="no judgement"):
        replace(example(1), blind=None, informed=None)
    with pytest.raises(ValueError, match="informed judgement but no reference"):
        replace(example(1), reference=None)
