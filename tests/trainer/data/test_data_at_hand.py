"""Published data sets, where they are at hand: how many of their judgements can be used, and why not all."""

import json
from collections import Counter
from pathlib import Path

import pytest

from trainer.data import Reason, TrainingDataError, read_examples
from trainer.data.split import deduplicated

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


def at_hand(*names: str) -> list[Path]:
    """The files, sorted; `*` stands for many."""
    paths = [path for name in names for path in sorted(DATA.glob(name))]
    if not paths:
        pytest.skip(f"{names[0]} is not at hand: it is read from {DATA}")
    return paths


def test_vicuna_reviews_are_used_but_for_those_that_begin_with_an_explanation() -> None:
    names = ("question.jsonl", "answer/*.jsonl", "review/*/*.jsonl")
    examples, counts = read_examples(at_hand(*(f"vicuna_bench/{name}" for name in names)))
    assert (counts.read, counts.kept) == (1040, 997)
    assert counts.by_reason == {Reason.UNPARSABLE: 39, Reason.EMPTY_ANSWER: 4}
    assert len({example.question for example in examples}) == 77


def test_pandalms_majorities_are_the_published_ones() -> None:
    paths = at_hand("pandalm/testset-v1.json")
    examples, counts = read_examples(paths)
    assert (counts.read, counts.by_reason) == (999, {Reason.EMPTY_ANSWER: 54})
    whole = Counter(_majority(row) for row in json.loads(paths[0].read_text()))
    assert whole == {1: 422, 2: 472, 0: 105}  # as its SOURCE.md counts them
    found = Counter(e.blind.scores for e in examples if e.blind is not None)
    assert sorted(found) == [(4, 8), (6, 6), (8, 4)] and found.total() == 945
    assert found[8, 4] <= 422 and found[4, 8] <= 472 and found[6, 6] <= 105
    assert deduplicated(examples).contradictory == 0


def _majority(row: dict[str, object]) -> object:
    return Counter(row[f"annotator{k}"] for k in (1, 2, 3)).most_common(1)[0][0]


def test_judgelms_inputs_without_judgements_are_counted_as_such() -> None:
    examples, counts = read_examples(at_hand("judgelm/judgelm_gui_examples.jsonl"))
    assert (examples, counts.by_reason) == ([], {Reason.NO_JUDGEMENT: 12})


@pytest.mark.parametrize(
    "name",
    ["mt_bench/model_judgment/gpt-4_pair*.jsonl", "autoj/test/*.jsonl", "autoj/training/*.jsonl"],
)
def test_other_data_sets_are_refused_with_the_kinds_there_are(name: str) -> None:
    with pytest.raises(TrainingDataError, match=r"line 1: of no known kind(?s:.*)judgelm: quest"):
        read_examples(at_hand(name))
