"""The score tree matches the tokenizer, however it splits "10" and spaces."""

from collections.abc import Callable

import pytest

from judgestream.core.templates.base import Grammar
from judgestream.engine.checkpoint import Checkpoint
from judgestream.engine.grammar import LEAF, ScoreTree, score_lines
from tests.engine import tiny

Loaded = Callable[[str], Checkpoint]


def test_integers_with_split_digits_need_thirty_tokens(checkpoint_of: Loaded) -> None:
    # 10 first digits... "1".."9" (9), the "0" behind "1" (1), ten separators (10), and the "1" behind
    # each separator (10), because "1" is the beginning of "10"
    tree = ScoreTree.build(tiny.PAIR, checkpoint_of("split").tokens, tiny.PROMPTS[0])
    assert len(tree.tokens) == 30
    assert sum(end != LEAF for end in tree.closing) == 10  # "a 1" for every a


def test_integers_with_merged_tokens_need_ten(checkpoint_of: Loaded) -> None:
    tree = ScoreTree.build(tiny.PAIR, checkpoint_of("merged").tokens, tiny.PROMPTS[0])
    assert len(tree.tokens) == 10
    assert set(tree.depths) == {1}
    assert set(tree.closing) == {LEAF}


def test_halves_close_every_whole_score(checkpoint_of: Loaded) -> None:
    labels = tuple(str(n / 2).removesuffix(".0") for n in range(2, 21))
    grammar = Grammar(labels=labels, count=1)
    tree = ScoreTree.build(grammar, checkpoint_of("split").tokens, tiny.PROMPTS[0])
    closed = [label for label, end in zip(labels, tree.closing, strict=True) if end != LEAF]
    assert closed == [str(n) for n in range(1, 10)]  # nothing follows "10" or "1.5"


def test_tokens_of_a_line_are_the_full_text_less_the_prompt(checkpoint: Checkpoint) -> None:
    tokens, prompt = checkpoint.tokens, tiny.PROMPTS[0]
    for grammar in (tiny.PAIR, tiny.SINGLE):
        lines = score_lines(grammar, tokens, prompt)
        for text, line in zip(tiny.brute_lines(grammar), lines, strict=True):
            assert tokens.prompt(prompt) + line == tokens.prompt(prompt + text)
            assert tokens.text_after(tokens.prompt(prompt), line) == text


def test_no_space_comes_between_the_colon_and_the_first_digit(checkpoint: Checkpoint) -> None:
    prompt = tiny.PROMPTS[0]
    first = checkpoint.tokens.continuation(prompt, "8 7\n")[0]
    assert checkpoint.tokenizer.convert_ids_to_tokens([first]) == ["8"]
    single = checkpoint.tokens.continuation(tiny.single_prompt("q", "a", "r"), " 7\n")
    assert checkpoint.tokenizer.convert_ids_to_tokens(single)[0] in ("\u2581", "\u0120", "\u01207")


def test_paths_lead_from_the_root_to_every_line(checkpoint: Checkpoint) -> None:
    lines = score_lines(tiny.PAIR, checkpoint.tokens, tiny.PROMPTS[0])
    tree = ScoreTree.of(lines, tiny.PAIR)
    for line, path in zip(lines, tree.paths, strict=True):
        assert [tree.edges[edge][1] for edge in path] == line
        assert tree.edges[path[0]][0] == 0
        for before, after in zip(path, path[1:], strict=False):
            row, token = tree.edges[before]
            assert tree.children[row][token] == tree.edges[after][0]
    for k, (parent, depth) in enumerate(zip(tree.parents, tree.depths, strict=True)):
        assert parent <= k, "parents are fed before their children"
        assert depth == (1 if parent == 0 else tree.depths[parent - 1] + 1)


@pytest.mark.parametrize(
    ("grammar", "message"),
    [
        (Grammar(labels=(), count=2), "distinct, non-empty labels"),
        (Grammar(labels=("1", "1"), count=2), "distinct, non-empty labels"),
        (Grammar(labels=("1", ""), count=1), "distinct, non-empty labels"),
        (Grammar(labels=("1", "2"), count=0), "count of 1 or more"),
        (Grammar(labels=("1", "2"), count=2, separator=""), "needs a separator"),
        (Grammar(labels=("1", "2\n"), count=2), "cannot contain a newline"),
        (Grammar(labels=("1", "2"), count=13), "too many"),
    ],
)
def test_a_malformed_grammar_is_refused(
    checkpoint_of: Loaded, grammar: Grammar, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        ScoreTree.build(grammar, checkpoint_of("split").tokens, tiny.PROMPTS[0])


def test_a_score_that_merges_into_the_prompt_is_refused(checkpoint_of: Loaded) -> None:
    tokens = checkpoint_of("merged").tokens  # "10" is one token, so "1" + "0" does not continue
    with pytest.raises(ValueError, match="merges the prompt's end"):
        ScoreTree.build(Grammar(labels=("0",), count=1), tokens, "### Response:1")
