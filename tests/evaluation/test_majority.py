import json
from collections import Counter
from pathlib import Path

import pytest

from judgestream.evaluation.majority import majority

VOTES = [
    ([1, 1, 0], 1),  # two of three
    ([1, 0, -1], None),  # all differ
    ([1, 0], None),  # a half is not a majority
    ([1, 1, 0, -1], None),  # nor is two of four
    ([0, 0, 0, 1, 1], 0),  # three of five
    ([1, 1, 0, -1, 2], None),  # the largest minority
    ([-1], -1),
    ([1, 1, None], 1),  # a vote that was not cast counts on neither side
    ([None, None], None),
    ([], None),
]


@pytest.mark.parametrize(("votes", "label"), VOTES)
def test_more_than_half_of_the_votes_cast(votes: list[int | None], label: int | None) -> None:
    assert majority(votes) == label


def test_pandalm_has_a_majority_for_every_item(shared_data: Path) -> None:
    rows = json.loads((shared_data / "pandalm" / "testset-v1.json").read_text())
    found = Counter(majority([row[f"annotator{k}"] for k in (1, 2, 3)]) for row in rows)
    assert found == {1: 422, 2: 472, 0: 105}
