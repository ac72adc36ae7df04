"""Attention for CPUs: matrix products over blocks of queries, each with all the keys that it sees.

torch's flash kernel for CPUs walks the keys in steps of 512, so a causal span of 500 tokens costs as much as
a full one, and in bf16 it spends most of its time converting. Two batched products and a softmax per block
of queries run at the speed of the matrix units: the whole engine is a quarter faster in bf16 with 4 M
parameters, an eighth with 90 M (docs/design/engine.md). The keys of a block are put side by side first,
ancestors and score branches alike, so nothing has to be merged afterwards.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from math import inf

import torch
from torch import Tensor

from judgestream.engine.packing import Span

log = logging.getLogger(__name__)

NAME = "cpu-blocks"

BLOCK = 128
"""Queries per block: more waste time above the diagonal, fewer spend it on launching products."""

STEP = 64
"""Numbers of keys are rounded up to a multiple of this, of queries to half of it: a matrix product of a new
shape has to be prepared first, which takes as long as the product itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class QuerySpan:
    """Query columns and the keys of their segment that they see.

    before  the first keys, which all of them see
    mask    [queries, keys after those] bool: which of the rest they see; None: the causal triangle
    """

    columns: Span
    before: int
    mask: Tensor | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """Key columns side by side, in this order, and the queries that see them."""

    keys: tuple[Span, ...]
    queries: tuple[QuerySpan, ...]


def agrees(dtype: torch.dtype, heads: int, kv_heads: int, width: int, tolerance: float) -> bool:
    """Whether `attend` agrees with the definition on this machine, with ancestors, blocks and branches."""
    generator = torch.Generator().manual_seed(1)
    query, key, value = (
        torch.randn(240, count, width, generator=generator).to(dtype)
        for count in (heads, kv_heads, kv_heads)
    )
    mask = torch.ones(9, 9, dtype=torch.bool).tril()
    segments = (
        Segment(keys=((0, 40),), queries=(QuerySpan(columns=(0, 40), before=0),)),
        Segment(
            keys=((0, 40), (41, 231), (231, 240)),
            queries=(
                QuerySpan(columns=(41, 231), before=40),
                QuerySpan(columns=(231, 240), before=230, mask=mask),
            ),
        ),
    )
    try:
        output = attend(query, key, value, segments, width**-0.5).float()
        expected = by_definition(query, key, value, segments, width**-0.5)
        torch.testing.assert_close(output, expected, atol=tolerance, rtol=tolerance)
    except Exception as error:
        log.warning("attention kernel %s is not usable here: %s", NAME, error)
        return False
    return True


def by_definition(
    query: Tensor, key: Tensor, value: Tensor, segments: Sequence[Segment], scale: float
) -> Tensor:
    """The same with one mask over everything, in fp32: slow; the reference for `attend`."""
    repeats = query.shape[1] // key.shape[1]
    output = query.new_zeros(query.shape, dtype=torch.float32)
    for segment in segments:
        columns = torch.cat([torch.arange(start, stop) for start, stop in segment.keys])
        keys = key[columns].float().repeat_interleave(repeats, 1)
        values = value[columns].float().repeat_interleave(repeats, 1)
        for span in segment.queries:
            start, stop = span.columns
            causal = torch.ones(stop - start, stop - start, dtype=torch.bool).tril()
            mask = causal if span.mask is None else span.mask
            seen = torch.zeros(stop - start, len(columns), dtype=torch.bool)
            seen[:, : span.before] = True
            seen[:, span.before : span.before + mask.shape[1]] = mask
            scores = torch.einsum("qhd,khd->hqk", query[start:stop].float(), keys) * scale
            weights = scores.masked_fill(~seen, -inf).softmax(-1)
            output[start:stop] = torch.einsum("hqk,khd->qhd", weights, values)
    return output


def attend(
    query: Tensor, key: Tensor, value: Tensor, segments: Sequence[Segment], scale: float
) -> Tensor:
    """query [N, H, D], key and value [K, H_kv, D] -> [N, H, D]. Every query column is in one query span."""
    output = torch.zeros_like(query)
    for segment in segments:
        keys = _side_by_side(key, segment.keys).permute(1, 2, 0).contiguous()  # [H_kv, D, n]
        values = _side_by_side(value, segment.keys).transpose(0, 1).contiguous()  # [H_kv, n, D]
        for span in segment.queries:
            for start, stop in _blocks(span.columns):
                block = query[start:stop] * scale
                output[start:stop] = _attend(
                    block, keys, values, *_hidden(span, start, stop, query)
                )
    return output


def _attend(query: Tensor, keys: Tensor, values: Tensor, seen: int, hidden: Tensor) -> Tensor:
    """One block: query [n, H, D], keys [H_kv, D, K], values [H_kv, K, D] -> [n, H, D].

    Only the first `seen` keys count. `hidden` [n, last keys] is added to the scores of the last of those:
    -inf where a query does not see a key. Filling by a mask takes seven times as long.
    """
    rows, heads, width = query.shape
    groups = keys.shape[0]
    grouped = query.view(rows, groups, -1, width).permute(1, 2, 0, 3).reshape(groups, -1, width)
    scores = torch.bmm(grouped, keys[:, :, :seen])  # [H_kv, (H / H_kv) n, seen]
    tail = scores.view(groups, -1, rows, seen)[..., seen - hidden.shape[1] :]
    tail.add_(hidden)
    mixed = torch.bmm(torch.softmax(scores, dim=-1), values[:, :seen])
    return mixed.view(heads, rows, width).transpose(0, 1)


def _blocks(queries: Span) -> Iterator[Span]:
    """Spans of `BLOCK` queries; the last one starts early enough to have a multiple of `STEP // 2`."""
    first, last = queries
    for start in range(first, last, BLOCK):
        stop = min(last, start + BLOCK)
        yield max(first, stop - _round_up(stop - start, STEP // 2)), stop


def _round_up(number: int, step: int) -> int:
    return -(-number // step) * step


def _side_by_side(states: Tensor, spans: Sequence[Span]) -> Tensor:
    """The columns of all spans, and zeros up to a multiple of `STEP`."""
    parts = [states[start:stop] for start, stop in spans]
    size = sum(map(len, parts))
    parts.append(states.new_zeros((_round_up(size, STEP) - size, *states.shape[1:])))
    return torch.cat(parts)


def _hidden(span: QuerySpan, start: int, stop: int, like: Tensor) -> tuple[int, Tensor]:
    """How many keys these queries are multiplied with, and what hides the last ones that they do not see."""
    first = start - span.columns[0]
    if span.mask is None:
        seen = _round_up(span.before + stop - span.columns[0], STEP)
        return seen, _above(like.dtype)[: stop - start, : seen - span.before - first]
    behind = span.mask.shape[1]
    seen = _round_up(span.before + behind, STEP)
    hidden = like.new_full((stop - start, seen - span.before), -inf)
    hidden[:, :behind].masked_fill_(span.mask[first : first + stop - start], 0)
    return seen, hidden


@cache
def _above(dtype: torch.dtype) -> Tensor:
    with torch.inference_mode(False):
        return torch.full((BLOCK, BLOCK + STEP), -inf, dtype=dtype).triu(1)
