"""Packing loses no token, shares common prefixes, and spells every prompt along its path."""

import random

import pytest

from judgestream.engine.packing import PackedBatch, common, pack


def spelled(row: PackedBatch, k: int) -> list[int]:
    """The tokens along prompt k's path."""
    path = row.nodes[row.leaves[k]].path
    return [row.ids[column] for start, stop in path for column in range(start, stop)]


def some_prompts(seed: int, count: int) -> list[list[int]]:
    """Random prompts, many of which begin alike; some are equal, some are beginnings of others."""
    rng = random.Random(seed)
    prompts = [[rng.randrange(5) for _ in range(rng.randint(1, 60))] for _ in range(count)]
    for _ in range(count):
        base = rng.choice(prompts)
        cut = rng.randint(0, len(base))
        prompts.append([*base[:cut], *(rng.randrange(5) for _ in range(rng.randint(0, 9)))] or [0])
    return prompts


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("min_shared", [1, 4, 1000])
def test_every_prompt_is_spelled_by_its_path(seed: int, min_shared: int) -> None:
    prompts = some_prompts(seed, 12)
    rows = pack(prompts, budget=100, min_shared=min_shared, extra=3)
    assert sorted(at for row in rows for at in row.prompts) == list(range(len(prompts)))
    for row in rows:
        assert len(row.ids) == len(row.positions)
        assert [(n.start, n.stop) for n in row.nodes][0][0] == 0
        assert all(a.stop == b.start for a, b in zip(row.nodes, row.nodes[1:], strict=False))
        assert row.nodes[-1].stop == len(row.ids)
        assert len(set(row.leaves)) == len(row.leaves)
        for k, at in enumerate(row.prompts):
            assert spelled(row, k) == prompts[at]
            path = row.nodes[row.leaves[k]].path
            columns = [column for start, stop in path for column in range(start, stop)]
            assert [row.positions[column] for column in columns] == list(range(len(prompts[at])))


@pytest.mark.parametrize("seed", range(10))
def test_rows_keep_to_the_budget(seed: int) -> None:
    prompts = some_prompts(seed, 20)
    for row in pack(prompts, budget=64, min_shared=2, extra=2):
        tokens = len(row.ids) + 2 * len(row.prompts)
        assert tokens <= 64 or len(row.prompts) == 1


def test_common_prefixes_are_packed_once() -> None:
    question = list(range(100))
    first, second = [1000] * 50, [2000] * 50
    (row,) = pack([[*question, *first, *second], [*question, *second, *first]], budget=1000)
    assert len(row.ids) == 300
    assert row.ids[:100] == tuple(question)


def test_short_common_prefixes_are_repeated() -> None:
    (row,) = pack([[1, 2, 3, 4], [1, 2, 3, 5]], budget=100, min_shared=4)
    assert len(row.ids) == 8 and all(not node.above for node in row.nodes)


def test_equal_prompts_keep_their_last_token_each() -> None:
    (row,) = pack([[7] * 50] * 3, budget=1000)
    assert len(row.ids) == 49 + 3


def test_all_ordered_pairs_of_six_answers_share_much() -> None:
    """Goal of the issue: a token ratio of at least 1.6 for k = 6."""
    rng = random.Random(3)
    question = [rng.randrange(9) for _ in range(120)]  # the template's first line and the question
    answers = [[10 + k, *(rng.randrange(9) for _ in range(249))] for k in range(6)]
    suffix = [rng.randrange(9) for _ in range(190)]
    pairs = [(a, b) for a in answers for b in answers if a is not b]
    prompts = [[*question, *a, *b, *suffix] for a, b in pairs]
    rows = pack(prompts, budget=16_384)
    assert sum(map(len, prompts)) / sum(len(row.ids) for row in rows) >= 1.6


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([1, 2, 3], [1, 2, 3], 2),
        ([1], [1], 0),
        ([1, 2], [3, 4], 0),
        ([1, 2, 3, 4], [1, 2, 9, 4], 2),
    ],
)
def test_common(a: list[int], b: list[int], expected: int) -> None:
    assert common(a, b) == common(b, a) == expected
