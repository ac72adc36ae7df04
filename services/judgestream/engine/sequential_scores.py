"""Scores of three and more answers: P(s1) P(s2 | s1) ..., followed along its most likely branches.

The joint distribution of six scores of 1 to 10 has a million cells, but only one distribution per answer is
needed. At every position all labels are read behind the few most likely scores before them, as sibling
branches of one small forward over the prompt's KV cache. With three branches the error of the expected second
score is 0.003 on a confident judge and 0.01 on an unsure one (docs/design/engine.md); with all branches it
is exact. What follows a score is not read: where a judge often leaves the grammar after some first scores,
the marginals of its complete lines would differ.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from judgestream.core.templates.base import Grammar
from judgestream.engine.decoder import Decoder
from judgestream.engine.grammar import check
from judgestream.engine.readout import Prefill
from judgestream.engine.tokens import Tokens

BRANCHES = 3

Chosen = tuple[int, ...]
"""The first few labels of a score line, as indices."""


class ChainLines:
    """The tokens of the beginnings of a grammar's score lines, behind prompts that end alike."""

    def __init__(self, grammar: Grammar, tokens: Tokens, prompt: str) -> None:
        """Raises ValueError: malformed grammar, or one that this tokenizer cannot write behind the prompt."""
        check(grammar)
        self.grammar = grammar
        self.ends = tokens.ends
        self._continuation = tokens.continuations(prompt)
        self._known: dict[Chosen, tuple[int, ...]] = {(): ()}
        # fails here, rather than in the first request that reaches such a line
        for label in range(len(grammar.labels)):
            self.following((label,) * (grammar.count - 1))
            self.of((0,) * (grammar.count - 1) + (label,))

    def of(self, chosen: Chosen) -> tuple[int, ...]:
        """The tokens of these labels, without the separator behind them."""
        if chosen not in self._known:
            labels = [self.grammar.labels[at] for at in chosen]
            text = self.grammar.lead + self.grammar.separator.join(labels)
            line = tuple(self._continuation(text))
            before = self.of(chosen[:-1])
            if line[: len(before)] != before or len(line) == len(before):
                raise ValueError(f"the tokenizer merges the scores of the line {text!r}")
            self._known[chosen] = line
        return self._known[chosen]

    def following(self, chosen: Chosen) -> frozenset[int]:
        """The tokens that show that the last of these labels is complete and another one follows."""
        at = len(self.of(chosen))
        every = range(len(self.grammar.labels))
        return frozenset(self.of((*chosen, label))[at] for label in every)


def marginals(
    decoder: Decoder,
    prefill: Prefill,
    number: int,
    lines: ChainLines,
    *,
    branches: int = BRANCHES,
    temperature: float = 1.0,
) -> Tensor:
    """Distribution of every score of a row's prompt `number`: [count, labels] fp64 on the CPU.

    Each distribution sums to the probability inside the grammar.

    branches     most likely beginnings of the line that are followed
    temperature  softens every conditional distribution

    Raises:
        ValueError: the prefill kept no KV cache.
    """
    grammar = lines.grammar
    labels = range(len(grammar.labels))
    distributions = torch.zeros((grammar.count, len(grammar.labels)), dtype=torch.float64)
    kept: list[Chosen] = [()]
    weights, masses = torch.ones(1).double(), torch.ones(1).double()
    inside = 1.0
    for position in range(grammar.count):
        level = [(*chosen, label) for chosen in kept for label in labels]
        mass = _masses(decoder, prefill, number, lines, level).view(len(kept), -1)
        inside *= float(weights @ (mass.sum(1) / masses))
        share = (mass.clamp_min(1e-300).log() / temperature).softmax(dim=1)
        distributions[position] = weights @ share
        joint = (weights[:, None] * share).flatten()
        best = joint.topk(min(branches, len(level))).indices
        kept = [level[int(index)] for index in best]
        weights, masses = joint[best] / joint[best].sum(), mass.flatten()[best]
    return distributions * inside


def _masses(
    decoder: Decoder, prefill: Prefill, number: int, lines: ChainLines, level: Sequence[Chosen]
) -> Tensor:
    """Per element of the level, P(the line begins with these labels and they are complete): [len(level)]."""
    trie = _Trie([lines.of(chosen) for chosen in level])
    logs = _logits(decoder, prefill, number, trie).double().log_softmax(dim=-1).cpu()
    last = len(level[0]) == lines.grammar.count
    masses = []
    for chosen in level:
        tokens = lines.of(chosen)
        total = logs.new_zeros(())
        for depth, token in enumerate(tokens):
            total = total + logs[trie.node[tokens[:depth]], token]
        closing: Collection[int] = lines.ends if last else lines.following(chosen)
        if not last or trie.continues(tokens):
            total = total + logs[trie.node[tokens], sorted(closing)].logsumexp(dim=-1)
        masses.append(total.exp())
    return torch.stack(masses)


@dataclass(frozen=True)
class _Trie:
    """A prefix tree of token lines; node 0 is the empty prefix."""

    lines: Sequence[tuple[int, ...]]

    @cached_property
    def node(self) -> dict[tuple[int, ...], int]:
        prefixes = {line[:cut] for line in self.lines for cut in range(len(line) + 1)}
        return {p: n for n, p in enumerate(sorted(prefixes, key=lambda p: (len(p), p)))}

    @cached_property
    def ancestor_mask(self) -> Tensor:
        """[nodes, nodes] bool: a node sees its ancestors and itself."""
        mask = torch.eye(len(self.node), dtype=torch.bool)
        for prefix, n in self.node.items():
            if prefix:
                mask[n] |= mask[self.node[prefix[:-1]]]
        return mask

    def continues(self, line: tuple[int, ...]) -> bool:
        return any(len(p) > len(line) and p[: len(line)] == line for p in self.node)


@torch.inference_mode()
def _logits(decoder: Decoder, prefill: Prefill, number: int, trie: _Trie) -> Tensor:
    """Next-token logits after the prompt and after every node: [nodes, V].

    The prompt's last token is fed again, as the empty node.
    """
    if prefill.kv_cache is None:
        raise ValueError("needs the KV cache of the prefill: pass keep_kv_cache=True")
    cache, row = prefill.kv_cache, prefill.row
    path = row.nodes[row.leaves[number]].path
    columns = [column for start, stop in path for column in range(start, stop)]
    before = torch.tensor(columns[:-1], dtype=torch.long, device=decoder.device)
    prefixes = list(trie.node)
    ids = [row.ids[columns[-1]], *(prefix[-1] for prefix in prefixes[1:])]
    positions = [len(columns) - 1 + len(prefix) for prefix in prefixes]
    prompt_mask = torch.ones((len(ids), len(before)), dtype=torch.bool)
    mask = torch.cat((prompt_mask, trie.ancestor_mask), dim=1).to(decoder.device)

    def attention(n: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        keys = torch.cat((cache.keys[n][before], key))
        values = torch.cat((cache.values[n][before], value))
        mixed = scaled_dot_product_attention(
            query.transpose(0, 1),
            keys.transpose(0, 1),
            values.transpose(0, 1),
            attn_mask=mask,
            scale=decoder.scale,
            enable_gqa=query.shape[1] != key.shape[1],
        )
        return mixed.transpose(0, 1)

    states = decoder.forward(
        torch.tensor(ids, device=decoder.device),
        torch.tensor(positions, device=decoder.device),
        attention,
    )
    return decoder.logits(states)
