import json
import random
from pathlib import Path

import pytest

from judgestream.evaluation.agreement import agreement
from judgestream.evaluation.position import lean, position

# Preferences in candidate order: straight, swapped (restored), lean.
# JudgeLM: f' = -straight, r = -swapped; toward first when f' - r < 0.
LEANS = [
    (1, 1, 0),
    (0, 0, 0),
    (-1, -1, 0),
    (1, -1, 1),  # whichever is shown first wins
    (1, 0, 1),  # a win only when shown first
    (0, -1, 1),
    (-1, 1, -1),  # whichever is shown second wins
    (-1, 0, -1),
    (0, 1, -1),
]


@pytest.mark.parametrize(("straight", "swapped", "expected"), LEANS)
def test_lean_agrees_with_judgelms_definition(straight: int, swapped: int, expected: int) -> None:
    difference = -straight - -swapped
    assert lean(straight, swapped) == expected == -((difference > 0) - (difference < 0))


def test_rates_worked_by_hand() -> None:
    # 10 pairs: 6 consistent, 3 toward the first, 1 toward the second; one more was not read
    straight = [1, 1, 1, 0, -1, -1, 1, 1, 0, -1, None]
    swapped = [1, 1, 1, 0, -1, -1, -1, 0, -1, 0, 1]
    found = position(straight, swapped)
    assert (found.n, found.unscored) == (10, 1)
    assert found.consistency == 0.6
    assert found.bias_toward_first == 0.3
    assert found.bias_toward_second == 0.1
    assert found.delta_bias == 0.2
    assert found.total_bias == 0.4


@pytest.mark.parametrize("seed", range(20))
def test_identities(seed: int) -> None:
    draw = random.Random(seed)
    pairs = [(draw.choice((-1, 0, 1)), draw.choice((-1, 0, 1))) for _ in range(37)]
    found = position([s for s, _ in pairs], [w for _, w in pairs])
    assert found.consistency is not None
    assert found.bias_toward_first is not None
    assert found.bias_toward_second is not None
    first, second = found.bias_toward_first, found.bias_toward_second
    assert found.consistency + first + second == pytest.approx(1.0)
    assert found.delta_bias == pytest.approx(abs(first - second))
    assert found.total_bias == pytest.approx(1.0 - found.consistency)


def test_naming_the_candidates_the_other_way_round_changes_nothing() -> None:
    # The other request's straight pass is this one's swapped pass, with every sign turned.
    straight, swapped = [1, 0, -1, 1, 0], [-1, -1, -1, 1, 1]
    again = position([-w for w in swapped], [-s for s in straight])
    assert again == position(straight, swapped)


def test_no_pair_has_no_rate() -> None:
    found = position([None], [1])
    assert found.n == 0
    rates = (found.consistency, found.bias_toward_first, found.delta_bias, found.total_bias)
    assert rates == (None,) * 4


def test_auto_j_as_published(shared_data: Path) -> None:
    """Agreement 54.96 (both orders right), consistency 83.41, first-order accuracy 59.99."""

    def read(name: str) -> list[dict[str, int]]:
        lines = (shared_data / "autoj" / name).read_text().splitlines()
        return [json.loads(line) for line in lines]

    outcome = {0: 1, 1: -1, 2: 0}  # first, second, tie
    gold = [outcome[row["label"]] for row in read("test/testdata_pairwise.jsonl")]
    shown = [outcome[row["output"]] for row in read("outputs/pairwise_example_output.jsonl")]
    exchanged = read("outputs/pairwise_exchange_example_output.jsonl")
    restored = [-outcome[row["output"]] for row in exchanged]
    right = sum(g == s == w for g, s, w in zip(gold, shown, restored, strict=True))
    assert round(100 * right / len(gold), 2) == 54.96
    assert round(100 * (position(shown, restored).consistency or 0.0), 2) == 83.41
    assert round(100 * (agreement(gold, shown).accuracy or 0.0), 2) == 59.99


def test_mt_bench_pairs_judged_by_gpt_4(shared_data: Path) -> None:
    """shared/facts/judge_systems.md 9: of 73 rows, 63.0 % consistent.

    Of its inconsistent rows, that sheet counts as first- or second-biased only those that name opposite
    winners (16 and 2); JudgeLM's definition also has the wins that become ties.
    """
    file = "gpt-4_pair.phi-3_vs_phi-3-dpo.jsonl"
    lines = (shared_data / "mt_bench" / "model_judgment" / file).read_text().splitlines()
    outcome = {"model_1": 1, "tie": 0, "model_2": -1}
    rows = [json.loads(line) for line in lines]
    found = position(
        [outcome.get(row["g1_winner"]) for row in rows],
        [outcome.get(row["g2_winner"]) for row in rows],
    )
    assert (found.n, found.unscored) == (73, 2)
    assert round(100 * (found.consistency or 0.0), 1) == 63.0
    opposite = [
        row for row in rows if {row["g1_winner"], row["g2_winner"]} == {"model_1", "model_2"}
    ]
    assert [row["g1_winner"] for row in opposite].count("model_1") == 16
    assert len(opposite) == 18
