"""Scores of three and more answers: P(s1) P(s2 | s1) ..., followed along its likeliest branches.

The joint distribution of six scores of 1 to 10 has a million cells; what is wanted of it is one distribution
per answer. At every position all labels are read behind the few likeliest scores before them, as sibling
branches of one small forward that sees the prompt's memory. With three branches the expected second score is
right to 0.003 on a judge that is sure, 0.01 on one that is not (the project's performance notes, section
2.1); with all of them it is exact. What may follow a score is not looked at: where a judge often leaves the
grammar after some first scores, the marginals of its complete lines would differ.
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
    """How one tokenizer writes the beginnings of a grammar's score lines behind one kind of prompt end."""

    def __init__(self, grammar: Grammar, tokens: Tokens, prompt: str) -> None:
        """Raises ValueError: a malformed grammar, or one that this tokenizer cannot write here."""
        check(grammar)
        self.grammar = grammar
        self.ends = tokens.ends
        self._tokens = tokens
        self._prompt = prompt
        self._known: dict[Chosen, tuple[int, ...]] = {(): ()}
        every = range(len(grammar.labels))
        for label in every:  # fails here rather than at the first request that gets so far
            self.following((label,) * (grammar.count - 1))
            self.of((0,) * (grammar.count - 1) + (label,))

    def of(self, chosen: Chosen) -> tuple[int, ...]:
        """The tokens of these labels, without what separates them from the next."""
        if chosen not in self._known:
            labels = [self.grammar.labels[at] for at in chosen]
            text = self.grammar.lead + self.grammar.separator.join(labels)
            line = tuple(self._tokens.continuation(self._prompt, text))
            before = self.of(chosen[:-1])
            if line[: len(before)] != before or len(line) == len(before):
                raise ValueError(f"the tokenizer merges the scores of the line {text!r}")
            self._known[chosen] = line
        return self._known[chosen]

    def following(self, chosen: Chosen) -> frozenset[int]:
        """The tokens that say that the last of these labels is complete, and another one follows."""
        at = len(self.of(chosen))
        every = range(len(self.grammar.labels))
        return frozenset(self.of((*chosen, label))[at] for label in every)


def marginals(
    decoder: Decoder,
    filled: Prefill,
    at: int,
    lines: ChainLines,
    *,
    branches: int = BRANCHES,
    temperature: float = 1.0,
) -> Tensor:
    """Distribution of every score of prompt `at` of a row: [count, labels] fp64 on the CPU.

    Each row sums to the probability inside the grammar. `temperature` softens every conditional
    distribution. `filled` must have kept its memory.
    """
    grammar = lines.grammar
    labels = range(len(grammar.labels))
    found = torch.zeros((grammar.count, len(grammar.labels)), dtype=torch.float64)
    kept: list[Chosen] = [()]
    weights, masses = torch.ones(1).double(), torch.ones(1).double()
    inside = 1.0
    for position in range(grammar.count):
        level = [(*chosen, label) for chosen in kept for label in labels]
        mass = _masses(decoder, filled, at, lines, level).view(len(kept), -1)
        inside *= float(weights @ (mass.sum(1) / masses))
        share = (mass.clamp_min(1e-300).log() / temperature).softmax(dim=1)
        found[position] = weights @ share
        joint = (weights[:, None] * share).flatten()
        best = joint.topk(min(branches, len(level))).indices
        kept = [level[int(one)] for one in best]
        weights, masses = joint[best] / joint[best].sum(), mass.flatten()[best]
    return found * inside


def _masses(
    decoder: Decoder, filled: Prefill, at: int, lines: ChainLines, level: Sequence[Chosen]
) -> Tensor:
    """P(the line begins with these labels, and they are complete) for each of the level: [len(level)]."""
    trie = _Trie([lines.of(chosen) for chosen in level])
    logs = _logits(decoder, filled, at, trie).double().log_softmax(dim=-1).cpu()
    last = len(level[0]) == lines.grammar.count
    found = []
    for chosen in level:
        tokens = lines.of(chosen)
        total = logs.new_zeros(())
        for depth, token in enumerate(tokens):
            total = total + logs[trie.node[tokens[:depth]], token]
        closing: Collection[int] = lines.ends if last else lines.following(chosen)
        if not last or trie.goes_on(tokens):
            total = total + logs[trie.node[tokens], sorted(closing)].logsumexp(dim=-1)
        found.append(total.exp())
    return torch.stack(found)


@dataclass(frozen=True)
class _Trie:
    """Token lines that share their beginnings; node 0 is the empty one."""

    lines: Sequence[tuple[int, ...]]

    @cached_property
    def node(self) -> dict[tuple[int, ...], int]:
        prefixes = {line[:cut] for line in self.lines for cut in range(len(line) + 1)}
        return {p: n for n, p in enumerate(sorted(prefixes, key=lambda p: (len(p), p)))}

    @cached_property
    def family(self) -> Tensor:
        """[nodes, nodes] bool: a node sees its ancestors and itself."""
        seen = torch.eye(len(self.node), dtype=torch.bool)
        for prefix, n in self.node.items():
            if prefix:
                seen[n] |= seen[self.node[prefix[:-1]]]
        return seen

    def goes_on(self, line: tuple[int, ...]) -> bool:
        return any(len(p) > len(line) and p[: len(line)] == line for p in self.node)


@torch.inference_mode()
def _logits(decoder: Decoder, filled: Prefill, at: int, trie: _Trie) -> Tensor:
    """Next-token logits after the prompt and after every node: [nodes, V].

    The prompt's last token is fed again in place of the empty node.
    """
    if filled.kv_cache is None:
        raise ValueError("needs the KV cache of the prefill: pass keep_kv_cache=True")
    cache, row = filled.kv_cache, filled.row
    path = row.nodes[row.leaves[at]].path
    columns = [column for start, stop in path for column in range(start, stop)]
    before = torch.tensor(columns[:-1], dtype=torch.long, device=decoder.device)
    prefixes = list(trie.node)
    ids = [row.ids[columns[-1]], *(prefix[-1] for prefix in prefixes[1:])]
    positions = [len(columns) - 1 + len(prefix) for prefix in prefixes]
    seen = torch.ones((len(ids), len(before)), dtype=torch.bool)
    mask = torch.cat((seen, trie.family), dim=1).to(decoder.device)

    def mix(n: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
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
        mix,
    )
    return decoder.logits(states)
