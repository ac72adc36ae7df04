"""The joint distribution of all scores, read in one forward per row instead of sampled.

The prompt ends where the judge's score line starts, so P(first token) stands at its last column. Every inner
token of the score tree is fed behind its prompt as a branch that sees the prompt and its own ancestors only,
at the position that it would have; these columns give all other probabilities. Design and exactness
as measured in the project's performance notes, section 2.1: equal to separate forwards to 3e-7 in fp32.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from judgestream.engine import blocks
from judgestream.engine.attention import Round, attend, merge_
from judgestream.engine.decoder import Decoder
from judgestream.engine.grammar import LEAF, ROOT, ScoreTree
from judgestream.engine.packing import Row, Span

ROUND = 64
"""A row's columns are filled up to a multiple of this with idle ones that nobody sees: matrix products of a
new shape have to be prepared first (half a millisecond each on a CPU, in bf16)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """Keys and values of every layer, each [columns, H_kv, D], as they were computed for one row."""

    keys: list[Tensor]
    values: list[Tensor]


@dataclass(frozen=True, kw_only=True, slots=True)
class Prefill:
    """One row after its forward. B prompts in the row's order, T tree tokens, L score lines.

    joint    [B, L] fp32: probability of each score line, row-major over labels
    best     [B, 1 + T] int64: the most probable next token after the prompt and after each tree token
    memory   columns: the row's own, then each prompt's T tree tokens in turn; None if it was not kept
    """

    row: Row
    tree: ScoreTree
    joint: Tensor
    best: Tensor
    memory: Memory | None


@torch.inference_mode()
def prefill(
    decoder: Decoder,
    row: Row,
    tree: ScoreTree,
    line_ends: Collection[int],
    *,
    remember: bool = True,
) -> Prefill:
    """Run one packed row with the prompts' common score tree behind each of them.

    `line_ends` are the ids that end a score line (`Tokens.ends`). `remember` keeps what writing needs.
    """
    device = decoder.device
    ids, positions = _columns(row, tree)
    mixing = _Mixing(decoder, row, tree, remember=remember)
    states = decoder.forward(
        ids.to(device), positions.to(device), mixing, read=mixing.read.to(device)
    )
    logits = decoder.logits(states).view(len(row.prompts), 1 + len(tree.tokens), -1)
    return Prefill(
        row=row,
        tree=tree,
        joint=joint(logits, tree, line_ends),
        best=logits.argmax(dim=-1),
        memory=mixing.memory,
    )


class _Mixing:
    """Who sees whom in a row with score branches; called once per layer.

    Columns: the row's nodes, then for each prompt its T branch tokens. A branch token sees its prompt's
    whole path, and in its branch what `_family` says. In the last layer only the `read` columns ask: per
    prompt its last one, then its branches.
    """

    def __init__(self, decoder: Decoder, row: Row, tree: ScoreTree, *, remember: bool) -> None:
        self._decoder = decoder
        self._fed = fed = len(tree.tokens)
        self._prompts = len(row.prompts)
        self._base = base = len(row.ids)
        nodes = [row.nodes[leaf] for leaf in row.leaves]
        branches = [(base + k * fed, base + (k + 1) * fed) for k in range(len(nodes))]
        asking = [(k * (1 + fed), (k + 1) * (1 + fed)) for k in range(len(nodes))]
        paths = [node.path for node in nodes]
        own = tuple((node.start, node.stop) for node in row.nodes)
        self._rounds = (
            Round(queries=own, keys=own, causal=True),
            *_deeper(own, [node.above for node in row.nodes]),
            *(_deeper(branches, paths) if fed else ()),
        )
        self._last_rounds = tuple(_deeper(asking, paths))
        self.read = torch.tensor(
            [
                column
                for node, (start, stop) in zip(nodes, branches, strict=True)
                for column in (node.stop - 1, *range(start, stop))
            ]
        )
        self._family = _family(tree).to(decoder.device)
        self._segments, self._last_segments = _segments(row, branches, asking, self._family)
        self.memory = Memory(keys=[], values=[]) if remember else None

    def __call__(self, n: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        decoder, fed, base = self._decoder, self._fed, self._base
        if self.memory is not None:
            self.memory.keys.append(key)
            self.memory.values.append(value)
        last = n == len(decoder.layers) - 1
        if decoder.blocks:
            segments = self._last_segments if last else self._segments
            return blocks.attend(query, key, value, segments, decoder.scale)
        rounds = self._last_rounds if last else self._rounds
        output, lse = attend(decoder.kernel, query, key, value, rounds, decoder.scale)
        if fed:
            heads = (decoder.heads, decoder.width)
            shape = (self._prompts, 1 + fed) if last else (self._prompts, fed)
            branches = slice(base, base + self._prompts * fed)
            tail = slice(None) if last else branches
            asked, out = query[tail].view(*shape, *heads), output[tail].view(*shape, *heads)
            weight = lse[tail].view(*shape, heads[0])
            if last:
                asked, out, weight = asked[:, 1:], out[:, 1:], weight[:, 1:]
            found, found_lse = _among_branches(
                asked,
                key[branches].view(self._prompts, fed, -1, decoder.width),
                value[branches].view(self._prompts, fed, -1, decoder.width),
                self._family,
                decoder.scale,
            )
            merge_(out, weight, found, found_lse)
        return output


def _columns(row: Row, tree: ScoreTree) -> tuple[Tensor, Tensor]:
    """Ids and positions of the row's tokens and, behind them, of every prompt's score tree."""
    depths = torch.tensor(tree.depths, dtype=torch.long)
    ends = torch.tensor([row.positions[row.nodes[leaf].stop - 1] for leaf in row.leaves])
    ids = torch.tensor([*row.ids, *(tree.tokens * len(row.prompts))], dtype=torch.long)
    behind = (ends[:, None] + depths).reshape(-1)
    positions = torch.cat((torch.tensor(row.positions, dtype=torch.long), behind))
    idle = (0, -len(ids) % ROUND)
    return pad(ids, idle), pad(positions, idle)


def _segments(
    row: Row, branches: Sequence[Span], asking: Sequence[Span], family: Tensor
) -> tuple[list[blocks.Segment], list[blocks.Segment]]:
    """The same in the form that `blocks` takes: for all layers but the last, and for the last."""
    every: list[blocks.Segment] = []
    last: list[blocks.Segment] = []
    behind = dict(zip(row.leaves, zip(branches, asking, strict=True), strict=True))
    first_asks = torch.cat((torch.zeros_like(family[:1]), family)) if len(family) else None
    for number, node in enumerate(row.nodes):
        above = sum(stop - start for start, stop in node.above)
        seen = above + node.stop - node.start
        asks = [blocks.Ask(queries=(node.start, node.stop), before=above)]
        keys = node.path
        if number in behind:
            branch, asked = behind[number]
            keys = (*keys, branch) if len(family) else keys
            if len(family):
                asks.append(blocks.Ask(queries=branch, before=seen, seen=family))
            pattern = first_asks if first_asks is not None else family.new_zeros((1, 0))
            ask = blocks.Ask(queries=asked, before=seen, seen=pattern)
            last.append(blocks.Segment(keys=keys, asks=(ask,)))
        every.append(blocks.Segment(keys=keys, asks=tuple(asks)))
    return every, last


def _deeper(queries: Sequence[Span], paths: Sequence[Sequence[Span]]) -> list[Round]:
    """One full round per level of ancestors: query span k sees every span of path k."""
    return [
        Round(
            queries=tuple(q for q, path in zip(queries, paths, strict=True) if len(path) > level),
            keys=tuple(path[level] for path in paths if len(path) > level),
        )
        for level in range(max(map(len, paths), default=0))
    ]


def _family(tree: ScoreTree) -> Tensor:
    """[T, T] bool: a tree token sees its ancestors and itself."""
    fed = len(tree.tokens)
    seen = torch.zeros((fed, fed), dtype=torch.bool)
    for k, parent in enumerate(tree.parents):
        if parent != ROOT:
            seen[k] = seen[parent - 1]
        seen[k, k] = True
    return seen


def _among_branches(
    query: Tensor, key: Tensor, value: Tensor, family: Tensor, scale: float
) -> tuple[Tensor, Tensor]:
    """Attention inside the score trees: query [B, T, H, D], key and value [B, T, H_kv, D] -> output like
    query, log-sum-exp [B, T, H]. T is about twenty, so plain arithmetic in fp32 is quick enough."""
    batch, fed, heads, width = query.shape
    grouped = query.float().view(batch, fed, key.shape[2], -1, width)
    scores = torch.einsum("btkgd,bskd->btkgs", grouped, key.float()) * scale
    scores.masked_fill_(~family[None, :, None, None], -torch.inf)
    lse = scores.logsumexp(-1)
    mixed = torch.einsum("btkgs,bskd->btkgd", scores.softmax(-1), value.float())
    return mixed.reshape(query.shape).to(query.dtype), lse.reshape(batch, fed, heads)


def joint(logits: Tensor, tree: ScoreTree, line_ends: Collection[int]) -> Tensor:
    """P(line) for every score line: [B, 1 + T, V] logits -> [B, L]. The rule is `grammar`'s.

    Per line the log-probabilities of its edges are added up; index E stands for "nothing more" (log 1)
    and E + 1 + row for "the line ends after this row".
    """
    log_all = torch.logsumexp(logits, dim=-1)
    rows, tokens = torch.tensor(tree.edges, device=logits.device).unbind(1)
    on_edges = logits[:, rows, tokens] - log_all[:, rows]
    ends = torch.tensor(sorted(line_ends), device=logits.device)
    on_ends = torch.logsumexp(logits[:, :, ends], dim=-1) - log_all
    nothing = logits.new_zeros((logits.shape[0], 1))
    parts = torch.cat((on_edges, nothing, on_ends), dim=1)
    pad = len(tree.edges)
    longest = max(len(path) for path in tree.paths)
    index = torch.tensor(
        [
            [*path, *[pad] * (longest - len(path)), pad if end == LEAF else pad + 1 + end]
            for path, end in zip(tree.paths, tree.closing, strict=True)
        ],
        device=logits.device,
    )
    return parts[:, index].sum(dim=-1).exp()
