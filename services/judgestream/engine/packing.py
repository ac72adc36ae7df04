"""Prompts -> packed rows: no padding, and what prompts have in common only once.

The prompts of a batch form prefix trees: both orders of a request share its question, all pairs of six
answers share much more. A row holds whole trees, one node after the other; a node is a stretch of tokens
that sees itself and its ancestors, never its neighbours. Which rows the prompts land in changes no result
beyond rounding. Plain integers; nothing here knows torch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MIN_SHARED = 32
"""Common prefixes shorter than this many tokens are simply repeated: a node costs more than it saves."""

Span = tuple[int, int]
"""First column and the one after the last."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """Columns `start` to `stop` of a row, and those of its ancestors, root first."""

    start: int
    stop: int
    above: tuple[Span, ...]

    @property
    def path(self) -> tuple[Span, ...]:
        """The columns that hold all tokens from the first one to the node's last."""
        return (*self.above, (self.start, self.stop))


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """Tokens that run in one forward.

    prompts    which prompts are in it: indices into what was packed
    leaves     per prompt: the node that it ends in
    ids, positions   per column: the token, and where in its own prompt it stands
    """

    prompts: tuple[int, ...]
    leaves: tuple[int, ...]
    nodes: tuple[Node, ...]
    ids: tuple[int, ...]
    positions: tuple[int, ...]


def pack(
    prompts: Sequence[list[int]], *, budget: int, min_shared: int = MIN_SHARED, extra: int = 0
) -> list[Row]:
    """Rows of at most `budget` tokens; a prompt that is longer has a row of its own.

    extra  tokens that will be fed behind every prompt, counted against the budget
    """
    groups = list(_groups(prompts, budget=budget, min_shared=min_shared, extra=extra))
    bins: list[tuple[int, list[list[int]]]] = []
    for size, members in sorted(groups, key=lambda group: -group[0]):  # first fit, decreasing
        for at, (used, held) in enumerate(bins):
            if used + size <= budget:
                held.append(members)
                bins[at] = (used + size, held)
                break
        else:
            bins.append((size, [members]))
    return [_row(prompts, held) for _, held in bins]


def common(a: Sequence[int], b: Sequence[int]) -> int:
    """Tokens in common at the start; each keeps at least its last one, whose output is read, to itself."""
    most = min(len(a), len(b)) - 1
    if a[:most] == b[:most]:
        return max(0, most)
    low, high = (
        0,
        most,
    )  # halving compares slices in C; token by token would cost more than it saves
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _groups(
    prompts: Sequence[list[int]], *, budget: int, min_shared: int, extra: int
) -> Iterator[tuple[int, list[int]]]:
    """Prompts that share a prefix, cut so that a group fits the budget; with the tokens it takes."""
    size, members = 0, list[int]()
    for at in sorted(range(len(prompts)), key=lambda at: prompts[at]):
        shared = common(prompts[members[-1]], prompts[at]) if members else 0
        own = len(prompts[at]) - shared + extra
        if members and (shared < min_shared or size + own > budget):
            yield size, members
            size, members, own = 0, [], len(prompts[at]) + extra
        members.append(at)
        size += own
    if members:
        yield size, members


def _row(prompts: Sequence[list[int]], groups: Sequence[list[int]]) -> Row:
    nodes: list[Node] = []
    ids: list[int] = []
    positions: list[int] = []
    order: list[int] = []
    leaves: list[int] = []

    def add(prompt: int, begin: int, end: int, above: tuple[Span, ...]) -> Node:
        node = Node(start=len(ids), stop=len(ids) + end - begin, above=above)
        nodes.append(node)
        ids.extend(prompts[prompt][begin:end])
        positions.extend(range(begin, end))
        return node

    def grow(members: list[int], depth: int, above: tuple[Span, ...]) -> None:
        """Lay out sorted prompts that agree in their first `depth` tokens, which are in `above`."""
        run = [members[0]]
        shared = len(prompts[members[0]])
        for at in [*members[1:], None]:
            length = -1 if at is None else common(prompts[run[-1]], prompts[at])
            if at is not None and length > depth:
                run.append(at)
                shared = min(shared, length)
                continue
            if len(run) == 1:
                add(run[0], depth, len(prompts[run[0]]), above)
                order.append(run[0])
                leaves.append(len(nodes) - 1)
            else:
                grow(run, shared, add(run[0], depth, shared, above).path)
            if at is not None:
                run, shared = [at], len(prompts[at])

    for members in groups:
        grow(members, 0, ())
    return Row(
        prompts=tuple(order),
        leaves=tuple(leaves),
        nodes=tuple(nodes),
        ids=tuple(ids),
        positions=tuple(positions),
    )
