"""What the judge writes by greedy decoding: the score line, then an explanation if one is wanted.

Both go on from a prefill's memory, so no prompt is run twice. Each token is the most probable one, the
lowest id among equals, as Hugging Face's `generate(do_sample=False)` chooses.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor
from torch.nn.functional import pad, scaled_dot_product_attention

from judgestream.engine.decoder import Decoder
from judgestream.engine.grammar import LEAF, ROOT
from judgestream.engine.readout import Memory, Prefill

MAX_LINE_TOKENS = 16
"""A judge that has not ended its first line by then has none: what follows is all explanation."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """Greedy token ids behind one prompt; `finished` if they end with what they were to end with.

    `decoded` of them took a step of their own; the others were known from the prefill.
    """

    ids: tuple[int, ...]
    finished: bool
    decoded: int


class _Writer:
    """One prompt's writing while it grows.

    length    tokens of the prompt
    memory    of the prefill that it goes on from
    columns   where in that memory the prompt and the tree tokens that it wrote stand: all of `ids`
              but the newest, which is still to be fed
    room      tokens that the context has left behind the prompt
    """

    def __init__(
        self,
        *,
        length: int,
        memory: Memory | None,
        ids: list[int],
        columns: list[int],
        budget: int,
        room: int,
    ) -> None:
        self.length = length
        self.memory = memory
        self.ids = ids
        self.columns = columns
        self.walked = len(ids)
        self.budget = budget
        self.room = room
        self.line = -1  # tokens of the score line, its end included, once it has ended
        self.done = False

    @property
    def steps_left(self) -> int:
        """No more than this many tokens can follow: rest of the line, then the explanation."""
        return min(MAX_LINE_TOKENS + self.budget, self.room) - len(self.ids)


def write(
    decoder: Decoder,
    filled: Sequence[Prefill],
    budgets: Sequence[Sequence[int]],
    *,
    line_ends: frozenset[int],
    eos: frozenset[int],
    context_tokens: int,
) -> list[list[Written]]:
    """Write every prompt's score line, and then up to its budget of explanation tokens.

    budgets         explanation tokens, per prefill and prompt; with 0, writing stops where the score line
                    ends
    context_tokens  nothing is written beyond the model's context

    Raises:
        ValueError: something is left to write, and its prefill kept no memory.
    """
    groups = [
        [_walk(one, at, budget, context_tokens) for at, budget in enumerate(wanted)]
        for one, wanted in zip(filled, budgets, strict=True)
    ]

    def settle(writer: _Writer) -> None:
        ids = writer.ids
        if writer.line < 0 and ids[-1] in line_ends and len(ids) <= MAX_LINE_TOKENS:
            writer.line = len(ids)
        limit = (MAX_LINE_TOKENS if writer.line < 0 else writer.line) + writer.budget
        writer.done = ids[-1] in eos or len(ids) >= min(limit, writer.room)

    for writer in chain.from_iterable(groups):
        settle(writer)
    active = [writer for writer in chain.from_iterable(groups) if not writer.done]
    if active:
        _decode(decoder, active, settle)
    return [
        [
            Written(
                ids=tuple(writer.ids),
                finished=writer.ids[-1] in eos
                or (writer.budget == 0 and writer.line == len(writer.ids)),
                decoded=len(writer.ids) - writer.walked,
            )
            for writer in writers
        ]
        for writers in groups
    ]


def _walk(filled: Prefill, at: int, budget: int, context_tokens: int) -> _Writer:
    """Follow the most probable tokens down the tree: they are known without another forward."""
    row, tree, best = filled.row, filled.tree, filled.best[at].tolist()
    path = row.nodes[row.leaves[at]].path
    columns = [column for start, stop in path for column in range(start, stop)]
    length = len(columns)
    branches = len(row.ids) + at * len(tree.tokens)
    room = context_tokens - length
    node, ids = ROOT, [best[ROOT]]
    while (child := tree.children[node].get(ids[-1], LEAF)) != LEAF and len(ids) < room:
        columns.append(branches + child - 1)
        node = child
        ids.append(best[node])
    return _Writer(
        length=length,
        memory=filled.memory,
        ids=ids,
        columns=columns,
        budget=budget,
        room=room,
    )


@torch.inference_mode()
def _decode(decoder: Decoder, active: list[_Writer], settle: Callable[[_Writer], None]) -> None:
    """Feed each open writer its newest token, in step, until all are done.

    Half of the writers done: the notes are cut down to the open ones.
    """
    device = decoder.device
    notes = _Notes.of(active)
    for _ in range(max(writer.steps_left for writer in active)):
        ids = torch.tensor([writer.ids[-1] for writer in active], device=device)
        positions = torch.tensor(
            [writer.length + len(writer.ids) - 1 for writer in active], device=device
        )
        notes.turn_page()
        states = decoder.forward(
            ids, positions, lambda n, q, k, v: notes.attend(n, q, k, v, decoder.scale)
        )
        chosen = decoder.logits(states).argmax(dim=-1).tolist()
        for writer, token in zip(active, chosen, strict=True):
            if not writer.done:
                writer.ids.append(token)
                settle(writer)
        still = [k for k, writer in enumerate(active) if not writer.done]
        if not still:
            return
        if 2 * len(still) <= len(active):
            notes.keep(torch.tensor(still, device=device))
            active = [active[k] for k in still]


class _Notes:
    """What every writer has seen, side by side: per layer keys and values [B, H_kv, C, D], with room."""

    def __init__(self, keys: list[Tensor], values: list[Tensor], mask: Tensor, column: int) -> None:
        self._keys = keys
        self._values = values
        self._mask = mask
        self._column = column

    @classmethod
    def of(cls, writers: Sequence[_Writer]) -> "_Notes":
        """The writers' columns of their prefills' memories, padded on the right to the longest."""
        width = max(len(writer.columns) for writer in writers)
        room = max(writer.steps_left for writer in writers)
        mask = torch.zeros((len(writers), 1, 1, width + room), dtype=torch.bool)
        keys: list[list[Tensor]] = []
        values: list[list[Tensor]] = []
        for at, writer in enumerate(writers):
            if writer.memory is None:
                raise ValueError("nothing to go on from: run the prefill with remember=True")
            mask[at, ..., : len(writer.columns)] = True
            columns = torch.tensor(writer.columns, device=writer.memory.keys[0].device)
            fill = (0, 0, 0, width + room - len(writer.columns))
            for kept, states in ((keys, writer.memory.keys), (values, writer.memory.values)):
                kept.append([pad(layer[columns].transpose(0, 1), fill) for layer in states])
        return cls(
            [torch.stack(layer) for layer in zip(*keys, strict=True)],
            [torch.stack(layer) for layer in zip(*values, strict=True)],
            mask.to(keys[0][0].device),
            width - 1,
        )

    def turn_page(self) -> None:
        """Go on to the next free column."""
        self._column += 1
        self._mask[..., self._column] = True

    def attend(self, n: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """One new token per writer: query [B, H, D], key and value [B, H_kv, D] -> [B, H, D]."""
        self._keys[n][:, :, self._column] = key
        self._values[n][:, :, self._column] = value
        seen = slice(0, self._column + 1)
        mixed = scaled_dot_product_attention(
            query[:, :, None],
            self._keys[n][:, :, seen],
            self._values[n][:, :, seen],
            attn_mask=self._mask[..., seen],
            scale=scale,
            enable_gqa=query.shape[1] != key.shape[1],
        )
        return mixed[:, :, 0]

    def keep(self, rows: Tensor) -> None:
        self._keys = [key.index_select(0, rows) for key in self._keys]
        self._values = [value.index_select(0, rows) for value in self._values]
        self._mask = self._mask.index_select(0, rows)
