"""The budget holds, whatever the replies cost."""

import pytest

from judgestream.core.prompt import Prompt
from judgestream.core.templates import CHAT
from judgestream.core.types import Reply
from judgestream_trainer.labelling.budget import Budget, upper_bound, usage

PROMPT = Prompt(text="ä" * 372, grammar=CHAT.forms["pair"].grammar, max_tokens=84)
"""744 bytes and 256 for the frame: at most 1000 tokens in; 92 and 8 for the score line: 100 out."""


def test_the_maximum_cost_of_a_prompt_is_reserved_first() -> None:
    budget = Budget(price_in=1.0, price_out=10.0, limit=0.005)
    assert upper_bound(PROMPT).input == 1000 and upper_bound(PROMPT).output == 100
    assert budget.reserve(PROMPT) == pytest.approx(0.002)
    assert budget.reserve(PROMPT) == pytest.approx(0.002)
    assert budget.reserve(PROMPT) is None  # 0.006 would be too much
    budget.refund(0.002)
    budget.spend(100, 10)
    assert budget.spent == pytest.approx(0.0002)
    assert budget.reserve(PROMPT) is not None  # 0.0002 + 0.002 + 0.002


def test_without_a_limit_every_prompt_may_be_sent() -> None:
    budget = Budget(price_in=1e6)
    assert budget.reserve(PROMPT) == pytest.approx(1000.0)


def test_a_reply_without_token_counts_counts_as_its_upper_bound() -> None:
    counted = usage(PROMPT, Reply(text="8 3", input_tokens=300, output_tokens=4))
    assert (counted.input, counted.output, counted.estimated) == (300, 4, False)
    assert usage(PROMPT, Reply(text="8 3")) == upper_bound(PROMPT)
