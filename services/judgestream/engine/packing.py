"""Prompts -> packed rows: no padding, and common prefixes run only once.

The prompts of a batch form prefix trees: both orders of a request share its question, all pairs of six
answers share much more. A row holds whole trees, one node after the other. A node is a span of tokens that
sees itself and its ancestors, never its neighbours. Which row a prompt is packed into changes its result by
rounding only. Plain integers; no torch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

MIN_SHARED = 32
"""Common prefixes shorter than this many tokens are repeated: a node costs more than it saves."""

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
        """The columns of all tokens from the first one to the node's last."""
        return (*self.above, (self.start, self.stop))


@dataclass(frozen=True, kw_only=True, slots=True)
class PackedBatch:
    """One row: the tokens that run in one forward.

    prompts    [B] indices of its prompts in what was packed
    leaves     [B] per prompt: the index of the node that it ends in
    nodes      one after the other, without gaps
    ids        [T] per column: the token
    positions  [T] per column: its position in its own prompt
    """

    prompts: tuple[int, ...]
    leaves: tuple[int, ...]
    nodes: tuple[Node, ...]
    ids: tuple[int, ...]
    positions: tuple[int, ...]


def pack(
    prompts: Sequence[list[int]], *, budget: int, min_shared: int = MIN_SHARED, extra: int = 0
) -> list[PackedBatch]:
    """Rows of at most `budget` tokens; a longer prompt gets its own row.

    extra  tokens that will be fed behind every prompt, counted against the budget
    """
    groups = list(_groups(prompts, budget=budget, min_shared=min_shared, extra=extra))
    bins: list[tuple[int, list[list[int]]]] = []
    for size, members in sorted(groups, key=lambda group: -group[0]):  # first fit, decreasing
        for number, (used, packed) in enumerate(bins):
            if used + size <= budget:
                packed.append(members)
                bins[number] = (used + size, packed)
                break
        else:
            bins.append((size, [members]))
    return [_row(prompts, packed) for _, packed in bins]


def common(a: Sequence[int], b: Sequence[int]) -> int:
    """Length of the common prefix, less than either: the last token's output is read per prompt."""
    longest = min(len(a), len(b)) - 1
    if a[:longest] == b[:longest]:
        return max(0, longest)
    # bisection compares slices in C; comparing token by token would cost more than it saves
    low, high = 0, longest
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
    """Number of tokens and members of each group: sorted prompts that share a prefix and fit the budget."""
    size, members = 0, list[int]()
    for number in sorted(range(len(prompts)), key=lambda number: prompts[number]):
        shared = common(prompts[members[-1]], prompts[number]) if members else 0
        added = len(prompts[number]) - shared + extra
        if members and (shared < min_shared or size + added > budget):
            yield size, members
            size, members, added = 0, [], len(prompts[number]) + extra
        members.append(number)
        size += added
    if members:
        yield size, members


def _row(prompts: Sequence[list[int]], groups: Sequence[list[int]]) -> PackedBatch:
    builder = _RowBuilder(prompts)
    for members in groups:
        builder.add_tree(members, depth=0, above=())
    return builder.row()


@dataclass(slots=True)
class _RowBuilder:
    """Lays out prefix trees, depth first: a node's columns follow those of its parent."""

    _texts: Sequence[list[int]]
    _order: list[int] = field(default_factory=list)
    _leaves: list[int] = field(default_factory=list)
    _nodes: list[Node] = field(default_factory=list)
    _ids: list[int] = field(default_factory=list)
    _positions: list[int] = field(default_factory=list)

    def row(self) -> PackedBatch:
        return PackedBatch(
            prompts=tuple(self._order),
            leaves=tuple(self._leaves),
            nodes=tuple(self._nodes),
            ids=tuple(self._ids),
            positions=tuple(self._positions),
        )

    def add_tree(self, members: Sequence[int], *, depth: int, above: tuple[Span, ...]) -> None:
        """Lay out sorted prompts that agree in their first `depth` tokens, whose columns are `above`."""
        for siblings, shared in self._branches(members, depth):
            first = siblings[0]
            if len(siblings) == 1:
                self._add_node(first, depth, len(self._texts[first]), above)
                self._order.append(first)
                self._leaves.append(len(self._nodes) - 1)
            else:
                node = self._add_node(first, depth, shared, above)
                self.add_tree(siblings, depth=shared, above=node.path)

    def _branches(self, members: Sequence[int], depth: int) -> Iterator[tuple[list[int], int]]:
        """Runs of prompts that agree beyond `depth`, each with the length of its common prefix."""
        run, shared = [members[0]], len(self._texts[members[0]])
        for number in members[1:]:
            length = common(self._texts[run[-1]], self._texts[number])
            if length > depth:
                run.append(number)
                shared = min(shared, length)
            else:
                yield run, shared
                run, shared = [number], len(self._texts[number])
        yield run, shared

    def _add_node(self, prompt: int, begin: int, end: int, above: tuple[Span, ...]) -> Node:
        """A node of the prompt's tokens `begin` to `end`."""
        node = Node(start=len(self._ids), stop=len(self._ids) + end - begin, above=above)
        self._nodes.append(node)
        self._ids.extend(self._texts[prompt][begin:end])
        self._positions.extend(range(begin, end))
        return node
