"""Published data sets, where available: how many of their judgements are usable."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from judgestream.core.formats.reasons import Aside, NoLabel
from judgestream_trainer.data import Reason, read_examples
from judgestream_trainer.data.split import deduplicated


@pytest.fixture
def at_hand(shared_data: Path) -> Callable[..., list[Path]]:
    """The files that match these names, sorted."""

    def found(*names: str) -> list[Path]:
        return [path for name in names for path in sorted(shared_data.glob(name))]

    return found


def test_vicuna_reviews_are_used_but_for_those_that_begin_with_an_explanation(
    at_hand: Callable[..., list[Path]],
) -> None:
    names = ("question.jsonl", "answer/*.jsonl", "review/*/*.jsonl")
    examples, counts = read_examples(at_hand(*(f"vicuna_bench/{name}" for name in names)))
    assert (counts.read, counts.kept) == (1040, 997)
    assert counts.by_reason == {Reason.UNPARSABLE: 39, Reason.EMPTY_ANSWER: 4}
    assert len({example.question for example in examples}) == 77


def test_pandalms_majorities_are_the_published_ones(
    at_hand: Callable[..., list[Path]],
) -> None:
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


def test_judgelms_inputs_without_judgements_are_counted_as_such(
    at_hand: Callable[..., list[Path]],
) -> None:
    examples, counts = read_examples(at_hand("judgelm/judgelm_gui_examples.jsonl"))
    assert (examples, counts.by_reason) == ([], {Reason.NO_JUDGEMENT: 12})


@pytest.mark.parametrize(
    ("names", "join", "kept", "left_out"),
    [
        (["mt_bench/model_judgment/gpt-4_pair*"], None, 73, {NoLabel.UNREADABLE_JUDGEMENT: 2}),
        (["autoj/test/*"], None, 1382, {Reason.IDENTICAL_ANSWERS: 9, Reason.EMPTY_ANSWER: 1}),
        (["autoj/training/*"], None, 0, {Aside.NO_REFERENCE: 960}),
        (["gsm8k_pairs/*.jsonl"], None, 2429, {NoLabel.EQUAL_SCORES: 5485}),
        (["faireval/*.jsonl", "faireval/*/*"], None, 80, {}),
        (["mjbench/pair_scores.jsonl"], None, 0, {Aside.NOT_TEXT: 860}),
    ],
)
def test_other_sets_are_read_by_the_formats_of_submit(
    at_hand: Callable[..., list[Path]],
    names: list[str],
    join: str | None,
    kept: int,
    left_out: dict[object, int],
) -> None:
    examples, counts = read_examples(at_hand(*names), join=join)
    assert (len(examples), counts.by_reason) == (kept, left_out)
