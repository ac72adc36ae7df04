"""The size of calls to the judge."""

from judgestream.apps.judging.calls import CHARACTERS_PER_CALL, calls
from judgestream.core.passes import Pass
from judgestream.core.templates.base import Grammar
from judgestream.core.transforms import STRAIGHT


def passes(*prompts: str, labels: str = "12", count: int = 2) -> list[Pass]:
    grammar = Grammar(labels=tuple(labels), count=count)
    return [Pass(transform=STRAIGHT, prompt=prompt, grammar=grammar) for prompt in prompts]


def sizes(stage: list[Pass]) -> list[int]:
    found = list(calls(stage, range(len(stage))))
    assert [k for call in found for k in call] == list(range(len(stage)))
    return [len(call) for call in found]


def test_all_pairs_of_sixteen_answers_in_both_orders_are_fifteen_calls() -> None:
    assert sizes(passes(*map(str, range(240)))) == [16] * 15


def test_a_call_is_short() -> None:
    long, huge = "x" * (CHARACTERS_PER_CALL // 2), "x" * (CHARACTERS_PER_CALL + 1)
    assert sizes(passes(long, long, long, huge, long, "", "")) == [2, 1, 1, 3]


def test_a_call_has_one_grammar() -> None:
    stage = [*passes("a", "b"), *passes("c", count=1), *passes("d", labels="AB", count=1)]
    assert sizes(stage) == [2, 1, 1]
    assert sizes([]) == []


def test_only_wanted_passes_are_asked() -> None:
    assert list(calls(passes("a", "b", "c"), [0, 2])) == [[0, 2]]
