"""The joint distribution of all scores, read in one forward per row instead of sampled.

The prompt ends where the judge's score line starts, so P(first token) stands at its last column. Every inner
token of the score tree is fed behind its prompt as a branch: it sees the prompt and its own ancestors only,
at the position that it would have. These columns give all other probabilities. The result equals that of
separate forwards to 3e-7 in fp32 (see docs/design/engine.md).

Symbols of shapes: B prompts of a row, T tokens of the score tree, L score lines, V vocabulary size.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from judgestream.engine import blocks
from judgestream.engine.attention import AttentionStep, attend, merge_
from judgestream.engine.decoder import Decoder
from judgestream.engine.grammar import LEAF, ROOT, ScoreTree
from judgestream.engine.packing import PackedBatch, Span

COLUMN_MULTIPLE = 64
"""A row is padded to a multiple of this many columns; no column sees the padding. Matrix products of a new
shape have to be prepared first, which takes half a millisecond each on a CPU in bf16."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PrefillKVCache:
    """Keys and values of every attention of one row, each [columns, H_kv, D]."""

    keys: list[Tensor]
    values: list[Tensor]


@dataclass(frozen=True, kw_only=True, slots=True)
class Prefill:
    """One row after its forward.

    joint     [B, L] fp32: probability of each score line, row-major over labels
    best      [B, 1 + T] int64: the most probable next token after the prompt and after each tree token
    kv_cache  columns: the row's own, then each prompt's T tree tokens in turn; None if it was not kept
    """

    row: PackedBatch
    tree: ScoreTree
    joint: Tensor
    best: Tensor
    kv_cache: PrefillKVCache | None


@torch.inference_mode()
def prefill(
    decoder: Decoder,
    row: PackedBatch,
    tree: ScoreTree,
    line_ends: Collection[int],
    *,
    keep_kv_cache: bool = True,
) -> Prefill:
    """Run one packed row with the prompts' common score tree behind each of them.

    line_ends      ids that end a score line (`Tokens.ends`)
    keep_kv_cache  generation and sequential scores need it
    """
    states, kv_cache = forward(decoder, row, tree, keep_kv_cache=keep_kv_cache)
    logits = decoder.logits(states).view(len(row.prompts), 1 + len(tree.tokens), -1)
    return Prefill(
        row=row,
        tree=tree,
        joint=joint(logits, tree, line_ends),
        best=logits.argmax(dim=-1),
        kv_cache=kv_cache,
    )


def forward(
    decoder: Decoder, row: PackedBatch, tree: ScoreTree, *, keep_kv_cache: bool
) -> tuple[Tensor, PrefillKVCache | None]:
    """The states [B (1 + T), E] of each prompt's last column and its tree tokens, prompt by prompt."""
    device = decoder.device
    ids, positions = _columns(row, tree)
    attention = _TreeAttention(decoder, row, tree, keep_kv_cache=keep_kv_cache)
    states = decoder.forward(
        ids.to(device), positions.to(device), attention, read=attention.read.to(device)
    )
    return states, attention.kv_cache


class _TreeAttention:
    """The attention of a row with score branches; called once per layer (and device).

    The row's columns are its nodes, then for each prompt its T branch tokens, then padding:

        [node 0 | node 1 | ... | branches of prompt 0 | branches of prompt 1 | ... | padding]

    A branch token sees its prompt's whole path, and in its branch what `ancestor_mask` allows. In the last
    layer only the `read` columns have queries: per prompt its last column, then its branches, so that
    queries k (1 + T) to (k + 1) (1 + T) are those of prompt k.

    read  [B (1 + T)] int64: the columns that are read
    """

    def __init__(
        self, decoder: Decoder, row: PackedBatch, tree: ScoreTree, *, keep_kv_cache: bool
    ) -> None:
        self._decoder = decoder
        self._fed = fed = len(tree.tokens)
        self._prompts = prompts = len(row.prompts)
        self._first_branch = len(row.ids)
        leaves = [row.nodes[leaf] for leaf in row.leaves]  # per prompt: its last node
        paths = [leaf.path for leaf in leaves]  # per prompt: spans of columns, root first
        branches = _side_by_side(prompts, fed, start=len(row.ids))  # per prompt: columns
        last_queries = _side_by_side(prompts, 1 + fed)  # per prompt: queries of the last layer
        node_spans = tuple((node.start, node.stop) for node in row.nodes)
        self._steps = (
            AttentionStep(queries=node_spans, keys=node_spans, causal=True),
            *_ancestor_steps(node_spans, [node.above for node in row.nodes]),
            *(_ancestor_steps(branches, paths) if fed else ()),
        )
        self._last_steps = tuple(_ancestor_steps(last_queries, paths))
        self.read = _read_columns([leaf.stop - 1 for leaf in leaves], branches)
        self._mask = ancestor_mask(tree).to(decoder.device)
        self._segments, self._last_segments = _segments(row, branches, last_queries, self._mask)
        self.kv_cache = PrefillKVCache(keys=[], values=[]) if keep_kv_cache else None

    def __call__(self, n: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attention n: query [N, H, D], key and value [columns, H_kv, D] -> [N, H, D].

        N is the number of columns, in the last layer that of the read ones.
        """
        decoder = self._decoder
        if self.kv_cache is not None:
            self.kv_cache.keys.append(key)
            self.kv_cache.values.append(value)
        last = n >= decoder.first_of_last_layer
        if decoder.blocks:
            segments = self._last_segments if last else self._segments
            return blocks.attend(query, key, value, segments, decoder.scale)
        steps = self._last_steps if last else self._steps
        output, lse = attend(decoder.kernel, query, key, value, steps, decoder.scale)
        if self._fed:
            self._merge_branches(query, key, value, output, lse, last=last)
        return output

    def _merge_branches(
        self, query: Tensor, key: Tensor, value: Tensor, output: Tensor, lse: Tensor, *, last: bool
    ) -> None:
        """Merge what branch tokens see inside their branch into output [N, H, D] and lse [N, H]."""
        prompts, fed = self._prompts, self._fed
        columns = slice(self._first_branch, self._first_branch + prompts * fed)
        heads = query.shape[1:]
        if last:  # [B (1 + T), ...] -> [B, T, ...]: without each prompt's own last column
            rows, skipped = slice(None), 1
        else:  # [columns, ...] -> [B, T, ...]
            rows, skipped = columns, 0
        shape = (prompts, skipped + fed)
        branch_query = query[rows].view(*shape, *heads)[:, skipped:]
        branch_output = output[rows].view(*shape, *heads)[:, skipped:]
        branch_lse = lse[rows].view(*shape, heads[0])[:, skipped:]
        inside, inside_lse = _tree_attention(
            branch_query,
            key[columns].view(prompts, fed, -1, self._decoder.width),
            value[columns].view(prompts, fed, -1, self._decoder.width),
            self._mask.to(key.device),
            self._decoder.scale,
        )
        merge_(branch_output, branch_lse, inside, inside_lse)


def ancestor_mask(tree: ScoreTree) -> Tensor:
    """[T, T] bool: a tree token sees its ancestors and itself."""
    fed = len(tree.tokens)
    mask = torch.zeros((fed, fed), dtype=torch.bool)
    for k, parent in enumerate(tree.parents):
        if parent != ROOT:
            mask[k] = mask[parent - 1]
        mask[k, k] = True
    return mask


def _side_by_side(count: int, width: int, *, start: int = 0) -> list[Span]:
    """`count` spans of `width` columns, one after the other."""
    return [(start + k * width, start + (k + 1) * width) for k in range(count)]


def _read_columns(ends: Sequence[int], branches: Sequence[Span]) -> Tensor:
    """[B (1 + T)] int64: per prompt its last column, then its branch columns."""
    columns: list[int] = []
    for end, (start, stop) in zip(ends, branches, strict=True):
        columns.append(end)
        columns.extend(range(start, stop))
    return torch.tensor(columns)


def _columns(row: PackedBatch, tree: ScoreTree) -> tuple[Tensor, Tensor]:
    """Ids and positions [columns] of the row's tokens, of every prompt's score tree, and of the padding."""
    depths = torch.tensor(tree.depths, dtype=torch.long)
    ends = torch.tensor([row.positions[row.nodes[leaf].stop - 1] for leaf in row.leaves])
    ids = torch.tensor([*row.ids, *(tree.tokens * len(row.prompts))], dtype=torch.long)
    branches = (ends[:, None] + depths).reshape(-1)  # [B, T] -> [B T]
    positions = torch.cat((torch.tensor(row.positions, dtype=torch.long), branches))
    padding = (0, -len(ids) % COLUMN_MULTIPLE)
    return pad(ids, padding), pad(positions, padding)


def _segments(
    row: PackedBatch, branches: Sequence[Span], last_queries: Sequence[Span], mask: Tensor
) -> tuple[list[blocks.Segment], list[blocks.Segment]]:
    """The same attention in the form that `blocks` takes: for all layers but the last, and for the last."""
    every: list[blocks.Segment] = []
    last: list[blocks.Segment] = []
    fed = len(mask)
    # the prompt's own last column, query 0 of the last layer, sees no branch token
    last_mask = torch.cat((mask.new_zeros((1, fed)), mask))
    of_leaf = dict(zip(row.leaves, zip(branches, last_queries, strict=True), strict=True))
    for number, node in enumerate(row.nodes):
        above = sum(stop - start for start, stop in node.above)
        length = above + node.stop - node.start
        queries = [blocks.QuerySpan(columns=(node.start, node.stop), before=above)]
        keys = node.path
        if number in of_leaf:
            branch, last_columns = of_leaf[number]
            if fed:
                keys = (*keys, branch)
                queries.append(blocks.QuerySpan(columns=branch, before=length, mask=mask))
            reader = blocks.QuerySpan(columns=last_columns, before=length, mask=last_mask)
            last.append(blocks.Segment(keys=keys, queries=(reader,)))
        every.append(blocks.Segment(keys=keys, queries=tuple(queries)))
    return every, last


def _ancestor_steps(
    queries: Sequence[Span], paths: Sequence[Sequence[Span]]
) -> list[AttentionStep]:
    """One full step per level of ancestors: query span k sees every span of path k."""
    return [
        AttentionStep(
            queries=tuple(q for q, path in zip(queries, paths, strict=True) if len(path) > level),
            keys=tuple(path[level] for path in paths if len(path) > level),
        )
        for level in range(max(map(len, paths), default=0))
    ]


def _tree_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scale: float
) -> tuple[Tensor, Tensor]:
    """Attention inside the score trees: query [B, T, H, D], key and value [B, T, H_kv, D], mask [T, T] ->
    output [B, T, H, D], log-sum-exp [B, T, H]. T is about twenty: plain arithmetic in fp32 is fast enough."""
    batch, fed, heads, width = query.shape
    grouped = query.float().view(batch, fed, key.shape[2], -1, width)
    scores = torch.einsum("btkgd,bskd->btkgs", grouped, key.float()) * scale
    scores.masked_fill_(~mask[None, :, None, None], -torch.inf)
    lse = scores.logsumexp(-1)
    mixed = torch.einsum("btkgs,bskd->btkgd", scores.softmax(-1), value.float())
    return mixed.reshape(query.shape).to(query.dtype), lse.reshape(batch, fed, heads)


def joint(logits: Tensor, tree: ScoreTree, line_ends: Collection[int]) -> Tensor:
    """P(line) for every score line: [B, 1 + T, V] logits -> [B, L]. `grammar` has the rule.

    Per line the log-probabilities of its edges are added up. `parts` [B, E + 1 + 1 + T] holds the E edges,
    then 0 ("nothing more", used as padding), then per tree row P(the line ends after it).
    """
    log_all = torch.logsumexp(logits, dim=-1)  # [B, 1 + T]
    rows, tokens = torch.tensor(tree.edges, device=logits.device).unbind(1)
    on_edges = logits[:, rows, tokens] - log_all[:, rows]  # [B, E]
    ends = torch.tensor(sorted(line_ends), device=logits.device)
    on_ends = torch.logsumexp(logits[:, :, ends], dim=-1) - log_all  # [B, 1 + T]
    nothing = logits.new_zeros((logits.shape[0], 1))
    parts = torch.cat((on_edges, nothing, on_ends), dim=1)
    padding = len(tree.edges)
    longest = max(len(path) for path in tree.paths)
    index = torch.tensor(  # [L, longest + 1]
        [
            [
                *path,
                *[padding] * (longest - len(path)),
                padding if end == LEAF else padding + 1 + end,
            ]
            for path, end in zip(tree.paths, tree.closing, strict=True)
        ],
        device=logits.device,
    )
    return parts[:, index].sum(dim=-1).exp()
