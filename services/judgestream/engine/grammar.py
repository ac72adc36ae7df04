"""The score grammar as a tree of tokens, built with the judge's own tokenizer, never from a list of ids.

A score line is `lead label separator label ...`; its tokens are those that it adds to a prompt's text.
Tokenizers split it differently ("10" is one token or two, " 7" is one or two), and so the trees differ.

Probability of a line = product of P(token | prompt, tokens before) along its path. Where a path ends
inside the tree, because one line is the beginning of another ("8 1" and "8 10"), the product has one more
factor: P(the line ends here), the sum over newline and end-of-text tokens. Elsewhere the last token
already distinguishes the lines and no factor is added. So the lines are disjoint events, their sum is at
most 1, and the rest is the mass outside the grammar. With integer labels "8 7.5" counts as "8 7" and "8.5 7"
as outside; add half points to the labels if a judge writes them.
"""

from dataclasses import dataclass
from itertools import product

from judgestream.core.templates.base import Grammar
from judgestream.engine.tokens import Tokens

MAX_LINES = 4096
"""Largest supported number of score lines. Three scores of 1 to 10 are 1,000."""

ROOT = 0
LEAF = -1


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreTree:
    """All score lines of one grammar behind one kind of prompt end.

    Nodes that have children are rows: row 0 is the prompt's last token, row k >= 1 is the k-th token to
    be fed behind the prompt. A token without children is a leaf: its probability is read at its
    parent and it is never fed.

    tokens, parents, depths   per fed token k (row k + 1): id, parent row, 1 for the first token of a line
    edges                     (row, token id): every probability that is read
    paths                     per line, row-major over its labels: indices into `edges`
    closing                   per line: the row where P(line ends) is read too, or `LEAF`
    children                  per row: token id -> child row or `LEAF`
    """

    labels: int
    count: int
    tokens: tuple[int, ...]
    parents: tuple[int, ...]
    depths: tuple[int, ...]
    edges: tuple[tuple[int, int], ...]
    paths: tuple[tuple[int, ...], ...]
    closing: tuple[int, ...]
    children: tuple[dict[int, int], ...]

    @classmethod
    def build(cls, grammar: Grammar, tokens: Tokens, prompt: str) -> "ScoreTree":
        """The tree for prompts that end like this one.

        Raises:
            ValueError: empty or too large grammar, or one that this tokenizer cannot write behind this
                prompt.
        """
        return cls.of(score_lines(grammar, tokens, prompt), grammar)

    @classmethod
    def of(cls, lines: list[list[int]], grammar: Grammar) -> "ScoreTree":
        """The tree of these token lines; `lines` are row-major over the labels."""
        if len({tuple(line) for line in lines}) != len(lines) or not all(lines):
            raise ValueError(f"two score lines have the same tokens, or one is empty: {grammar}")
        prefixes = {tuple(line[:cut]) for line in lines for cut in range(len(line))}
        inner = sorted(prefixes, key=lambda prefix: (len(prefix), prefix))  # the root first
        row_of = {prefix: row for row, prefix in enumerate(inner)}
        edge_of: dict[tuple[int, int], int] = {}
        children: list[dict[int, int]] = [{} for _ in inner]
        paths = []
        for line in lines:
            path = []
            for at, token in enumerate(line):
                row = row_of[tuple(line[:at])]
                path.append(edge_of.setdefault((row, token), len(edge_of)))
                children[row][token] = row_of.get(tuple(line[: at + 1]), LEAF)
            paths.append(tuple(path))
        return cls(
            labels=len(grammar.labels),
            count=grammar.count,
            tokens=tuple(prefix[-1] for prefix in inner[1:]),
            parents=tuple(row_of[prefix[:-1]] for prefix in inner[1:]),
            depths=tuple(len(prefix) for prefix in inner[1:]),
            edges=tuple(edge_of),
            paths=tuple(paths),
            closing=tuple(row_of.get(tuple(line), LEAF) for line in lines),
            children=tuple(children),
        )


def score_lines(grammar: Grammar, tokens: Tokens, prompt: str) -> list[list[int]]:
    """Every score line's token ids behind this prompt, row-major over the labels."""
    check(grammar)
    labels = grammar.labels
    if len(labels) ** grammar.count > MAX_LINES:
        raise ValueError(
            f"{len(labels)} labels at {grammar.count} positions are too many score lines: at most"
            f" {MAX_LINES} are supported"
        )
    end = line_end(grammar)
    continuation = tokens.continuations(prompt)
    lines = [
        continuation(grammar.lead + grammar.separator.join(chosen) + end)
        for chosen in product(labels, repeat=grammar.count)
    ]
    # the first lines of the product: every last label behind the first label
    for label, line in zip(labels, lines, strict=False):
        head = (labels[0],) * (grammar.count - 1)
        text = grammar.lead + grammar.separator.join((*head, label)) + end
        if not grammar.closing and continuation(text + "\n")[: len(line)] != line:
            raise ValueError(f"the tokenizer merges the score line {text!r} with its newline")
    return lines


def line_end(grammar: Grammar) -> str:
    """The closing text, where the labels need it: "1" is the beginning of "10", so what follows decides.

    Elsewhere the labels' own tokens tell the lines apart, and a tokenizer may merge the closing text with
    what follows it.
    """
    begins = any(b != a and b.startswith(a) for a in grammar.labels for b in grammar.labels)
    return grammar.closing if begins else ""


def check(grammar: Grammar) -> None:
    """Raise ValueError for a grammar that no tokenizer can write."""
    labels = grammar.labels
    if grammar.reward:
        raise ValueError("this judge writes score lines and gives no values; send labels")
    if not labels or grammar.count < 1 or not all(labels) or len(set(labels)) != len(labels):
        raise ValueError(
            "a score grammar needs distinct, non-empty labels and a count of 1 or more"
        )
    if grammar.count > 1 and not grammar.separator:
        raise ValueError("a score grammar of several labels needs a separator")
    if "\n" in "".join((*labels, grammar.separator, grammar.lead, grammar.closing)):
        raise ValueError("a score line cannot contain a newline")
