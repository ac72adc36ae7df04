"""A calibrated judge whose two orders differ a little, and what a spending policy saves on it."""

import numpy as np

from judgestream.core.escalation import EscalationPolicy
from judgestream.core.preference import Preference
from judgestream.core.types import Label
from judgestream.evaluation.labels import Ballots
from judgestream.evaluation.savings import (
    Answer,
    BothOrders,
    Cost,
    Savings,
    cascade_savings,
    savings,
)
from tests.core.build import NOON


def sampled(
    draw: np.random.Generator, bound: float, *, bias: float = 0.0, prompts: int = 100, size: int = 3
) -> Savings:
    """`prompts` prompts of `size` pairs; the pairs of a prompt are alike in difficulty.

    bias   log-odds that the judge adds to the answer that is shown first
    """
    pairs, labels = [], []
    for number in range(prompts * size):
        if number % size == 0:
            hard = draw.normal(0.0, 2.0)
        log_odds = hard + draw.normal(0.0, 2.0)
        truth = "a" if draw.random() < 1 / (1 + np.exp(-log_odds)) else "b"
        odds = log_odds + draw.normal(0.0, 0.5, 2) + np.array([bias, -bias])
        wins = (1 / (1 + np.exp(-odds))).tolist()
        mean = sum(wins) / 2
        cost = Cost(dollars=None, tokens=int(draw.integers(50, 400)), passes=1)
        pairs.append(
            BothOrders(
                request_id=str(number),
                candidates=("a", "b"),
                straight=(wins[0], 0.0, 1 - wins[0]),
                averaged=(mean, 0.0, 1 - mean),
                first=cost,
                second=cost,
                cluster=("prompt", str(number // size)),
            )
        )
        labels.append(
            Label(
                label_id=str(number),
                request_id=str(number),
                annotator="h",
                labelled_at=NOON,
                winner=truth,
            )
        )
    found = savings(EscalationPolicy(second_order_below=bound), pairs, Ballots(labels))
    assert found is not None
    return found


def cascaded(
    draw: np.random.Generator, below: float, *, sharpness: float = 1.0, prompts: int = 100
) -> Savings:
    """A small judge that sees a part of what makes an answer better, and a large one, ten times as dear, that
    sees nearly all; three pairs a prompt.

    sharpness   factor on the small judge's log-odds: 1 is about calibrated, 3 too sure of itself
    """
    pairs, others, labels = [], {}, []
    for number in range(prompts * 3):
        if number % 3 == 0:
            hard = draw.normal(0.0, 1.5)
        seen, hidden = hard + draw.normal(0.0, 1.5), draw.normal(0.0, 1.5)
        name = str(number)
        win = float(1 / (1 + np.exp(-0.8 * sharpness * seen)))
        cost = Cost(dollars=None, tokens=int(draw.integers(50, 400)), passes=1)
        chances = (win, 0.0, 1 - win)
        pairs.append(
            BothOrders(
                request_id=name,
                candidates=("a", "b"),
                straight=chances,
                averaged=chances,
                first=cost,
                second=cost,
                cluster=("prompt", str(number // 3)),
            )
        )
        large = seen + hidden + draw.normal(0.0, 0.5)
        others[name] = Answer(
            outcome=Preference.FIRST if large > 0 else Preference.SECOND,
            cost=Cost(dollars=None, tokens=20 * cost.tokens, passes=2),
        )
        truth = "a" if draw.random() < 1 / (1 + np.exp(-seen - hidden)) else "b"
        labels.append(
            Label(label_id=name, request_id=name, annotator="h", labelled_at=NOON, winner=truth)
        )
    found = cascade_savings(below, pairs, others, Ballots(labels))
    assert found is not None
    return found
