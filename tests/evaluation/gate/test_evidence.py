"""Evidence: what counts once, what counts as one unit, and that nothing depends on the order."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judgestream.evaluation.gate import Evidence, PairedItem, Tally
from tests.evaluation.gate.items import UNREAD, item, items, judged

SIDES = st.sampled_from([judged(True), judged(False), judged(True, consistent=False), UNREAD])
BATCHES = st.lists(st.tuples(SIDES, SIDES, st.integers(0, 9)), max_size=40).map(
    lambda rows: [item(new, old, k, prompt=f"prompt {p}") for k, (new, old, p) in enumerate(rows)]
)


def labels(evidence: Evidence) -> Tally:
    return evidence.tallies["labels"]


def test_items_of_one_prompt_are_one_unit() -> None:
    both = Evidence.of(items(6, gained=2, lost=1, each=3))
    # the first prompt: 1/3 against 2/3 right... new (1, 1, 0), old (0, 0, 1); the second one: all right
    assert labels(both).units == {(2 / 3, 1 / 3): 1, (1.0, 1.0): 1}
    assert (labels(both).gained, labels(both).lost, labels(both).repeated) == (2, 1, 0)


def test_later_items_of_a_prompt_are_described_and_not_tested() -> None:
    first, late = items(2, gained=2, each=2)
    evidence = Evidence.of([first]).add([late])
    assert labels(evidence).units == {(1.0, 0.0): 1}
    assert (labels(evidence).gained, labels(evidence).repeated) == (2, 1)
    assert labels(evidence).items == {first.id, late.id}


def test_a_redelivered_item_changes_nothing() -> None:
    some = items(20, gained=3, lost=2, each=2)
    once = Evidence.of(some)
    assert once.add(some) == once
    assert Evidence.of([*some, *some]) == once


def test_a_label_that_comes_later_counts_for_the_labels_alone() -> None:
    (one,) = items(1, gained=1)
    unlabelled = Evidence.of([replace(one, label=None)])
    assert labels(unlabelled) == Tally()
    later = unlabelled.add([one])
    assert labels(later).units == {(1.0, 0.0): 1}
    rest = set(later.tallies) - {"labels"}
    assert all(later.tallies[name] == unlabelled.tallies[name] for name in rest)


@given(BATCHES, st.randoms(use_true_random=False))
@settings(max_examples=30)
def test_the_order_within_a_look_is_irrelevant(batch: list[PairedItem], random: object) -> None:
    shuffled = list(batch)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert Evidence.of(shuffled) == Evidence.of(batch)


@given(BATCHES)
@settings(max_examples=30)
def test_merged_states_are_what_one_state_would_have_counted(batch: list[PairedItem]) -> None:
    left = [one for one in batch if int(one.prompt.split()[1]) % 2]
    right = [one for one in batch if one not in left]
    whole = Evidence.of(batch)
    assert Evidence.of(left).merged(Evidence.of(right)) == whole
    assert Evidence.of(right).add(left) == whole


def test_a_prompt_in_two_states_cannot_be_merged() -> None:
    evidence = Evidence.of(items(3))
    with pytest.raises(ValueError, match="such as 'prompt 0': give each prompt to one"):
        evidence.merged(evidence)
