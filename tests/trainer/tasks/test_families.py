"""Properties of the task families' items, for any seed."""

from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judgestream.core.preference import Preference
from judgestream_trainer.tasks import FAMILIES, items
from judgestream_trainer.tasks.base import HIGHEST_SCORE, LOWEST_SCORE, Item
from judgestream_trainer.tasks.facts import HELD_OUT_SUBJECTS, RELATIONS

SEEDS = st.integers(min_value=0, max_value=2**31)
NAMES = st.sampled_from(sorted(FAMILIES))


def some(name: str, seed: int, *, held_out: bool, count: int = 5) -> list[Item]:
    return list(islice(items(FAMILIES[name], seed=seed, held_out=held_out), count))


@settings(max_examples=60, deadline=None)
@given(name=NAMES, seed=SEEDS, held_out=st.booleans())
def test_a_stream_is_reproducible_and_stays_on_its_side(
    name: str, seed: int, held_out: bool
) -> None:
    stream = some(name, seed, held_out=held_out)
    assert stream == some(name, seed, held_out=held_out)
    assert all(item.held_out == held_out for item in stream)
    assert len({item.id for item in stream}) == len(stream)


@settings(max_examples=60, deadline=None)
@given(name=NAMES, seed=SEEDS)
def test_scores_are_in_range_and_decide_the_truth(name: str, seed: int) -> None:
    for item in some(name, seed, held_out=False):
        first, second = item.scores
        assert LOWEST_SCORE <= min(first, second) <= max(first, second) <= HIGHEST_SCORE
        expected = Preference.TIE
        if first != second:
            expected = Preference.FIRST if first > second else Preference.SECOND
        assert item.truth is expected


@settings(max_examples=60, deadline=None)
@given(name=NAMES, seed=SEEDS)
def test_marks_cover_every_answer_without_gaps(name: str, seed: int) -> None:
    for item in some(name, seed, held_out=False):
        for answer in item.answers:
            ends = [0, *(end for _, end, _ in answer.marks)]
            assert [start for start, _, _ in answer.marks] == ends[:-1]
            assert ends[-1] == len(answer.text)


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS)
def test_never_trained_facts_are_never_trained(seed: int) -> None:
    groups = {item.group for item in some("knowledge", seed, held_out=False, count=30)}
    assert "never trained facts" not in groups


def test_one_subject_in_five_is_never_trained() -> None:
    subjects = [subject for relation in RELATIONS for subject, _ in relation.facts]
    assert (len(subjects), len(HELD_OUT_SUBJECTS)) == (160, 32)


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_a_family_produces_ties_and_both_winners(name: str) -> None:
    truths = {item.truth for item in some(name, 1, held_out=False, count=200)}
    assert truths == set(Preference)
