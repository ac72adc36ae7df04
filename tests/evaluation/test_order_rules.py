"""The rules by which others settle two orders, against hand-made rows and published figures."""

import json
from collections import Counter
from pathlib import Path

import pytest

from judgestream.core.preference import Preference
from judgestream.evaluation.order_rules import INCONSISTENT, RULES, OrderRule, Outcome

WIN, TIE, LOSS = Preference

# straight, swapped -> by straight alone, MT-Bench, JudgeBench, Auto-J
ORDERS: list[tuple[Preference | None, Preference | None, tuple[Outcome, ...]]] = [
    (WIN, WIN, (WIN, WIN, WIN, WIN)),
    (LOSS, LOSS, (LOSS, LOSS, LOSS, LOSS)),
    (TIE, TIE, (TIE, TIE, TIE, TIE)),
    (WIN, LOSS, (WIN, TIE, TIE, INCONSISTENT)),
    (LOSS, WIN, (LOSS, TIE, TIE, INCONSISTENT)),
    (WIN, TIE, (WIN, TIE, WIN, INCONSISTENT)),
    (TIE, LOSS, (TIE, TIE, LOSS, INCONSISTENT)),
    (WIN, None, (WIN, None, WIN, None)),
    (None, TIE, (None, None, TIE, None)),
    (None, None, (None, None, INCONSISTENT, None)),
]


@pytest.mark.parametrize(("straight", "swapped", "expected"), ORDERS)
def test_each_rule(
    straight: Preference | None, swapped: Preference | None, expected: tuple[Outcome, ...]
) -> None:
    names = (OrderRule.STRAIGHT, OrderRule.MT_BENCH, OrderRule.JUDGEBENCH, OrderRule.AUTO_J)
    assert tuple(RULES[name].settle(straight, swapped) for name in names) == expected


def test_every_rule_but_the_verdicts_own_is_a_row() -> None:
    assert set(RULES) == set(OrderRule) - {OrderRule.AVERAGED}


def test_no_rule_prefers_a_candidate() -> None:
    def mirrored(one: Outcome) -> Outcome:
        return one.mirrored if isinstance(one, Preference) else one

    for rule in RULES.values():
        for straight, swapped, _ in ORDERS:
            other = rule.settle(
                None if straight is None else straight.mirrored,
                None if swapped is None else swapped.mirrored,
            )
            assert other == mirrored(rule.settle(straight, swapped))


def test_auto_j_is_scored_as_published(shared_data: Path) -> None:
    folder = shared_data / "autoj"
    side = {0: WIN, 1: LOSS, 2: TIE}

    def outputs(name: str) -> list[int]:
        lines = (folder / "outputs" / name).read_text().splitlines()
        return [json.loads(line)["output"] for line in lines]

    gold = [
        side[json.loads(line)["label"]]
        for line in (folder / "test" / "testdata_pairwise.jsonl").read_text().splitlines()
    ]
    straight = [side[one] for one in outputs("pairwise_example_output.jsonl")]
    swapped = [side[one].mirrored for one in outputs("pairwise_exchange_example_output.jsonl")]

    def right(rule: OrderRule) -> float:
        settle = RULES[rule].settle
        rows = zip(gold, straight, swapped, strict=True)
        return round(100 * sum(settle(s, w) == g for g, s, w in rows) / len(gold), 2)

    assert right(OrderRule.AUTO_J) == 54.96
    assert right(OrderRule.STRAIGHT) == 59.99
    consistent = sum(s == w for s, w in zip(straight, swapped, strict=True))
    assert round(100 * consistent / len(gold), 2) == 83.41


def test_mt_benchs_conservative_counts(shared_data: Path) -> None:
    """73 rows; both orders by FastChat's rule: 18 wins, 20 losses, 35 ties."""
    (file,) = (shared_data / "mt_bench" / "model_judgment").glob("gpt-4_pair*.jsonl")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    side = {"model_1": WIN, "model_2": LOSS, "tie": TIE, "error": None}
    settle = RULES[OrderRule.MT_BENCH].settle
    found = Counter(settle(side[row["g1_winner"]], side[row["g2_winner"]]) for row in rows)
    assert sorted((found[WIN], found[LOSS])) == [18, 20]
    assert found[TIE] == 35
