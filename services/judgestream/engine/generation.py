"""What the judge writes: the score line, then an explanation if one is wanted.

Both go on from a prefill's memory, so no prompt is run twice. A score line's tokens are the most probable
ones, the lowest id among equals, as Hugging Face's `generate(do_sample=False)` chooses; an explanation's are
too unless its prompt asks for a temperature. Writers of many rows go on side by side, each with its own
draws, so that what one writes does not depend on its neighbours.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor
from torch.nn.functional import pad, scaled_dot_product_attention

from judgestream.core.prompt import Prompt
from judgestream.engine.decoder import Decoder
from judgestream.engine.grammar import LEAF, ROOT
from judgestream.engine.readout import Memory, Prefill

MAX_LINE_TOKENS = 16
"""A judge that has not ended its first line by then has none: what follows is all explanation."""

PIECE = 8
"""Tokens that every writer goes on by between two looks at what is written."""

Alive = Callable[[int, int], bool]
"""Number of the row and place in it -> whether somebody still waits for this prompt's text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """Token ids behind one prompt so far.

    line     how many of them are the score line, its end included; -1: it has not ended
    finish   "" while it goes on; "stop": a stop text, the end of what was asked or of the reply;
             "length": the token limit or the context cut it; "cancelled": nobody waits for it
    decoded  of the ids took a step of their own; the others were known from the prefill
    """

    ids: tuple[int, ...]
    line: int
    finish: str
    decoded: int


@dataclass(kw_only=True, slots=True)
class _Writer:
    """One prompt's writing while it grows.

    length    tokens of the prompt
    memory    of the prefill that it goes on from
    columns   where in that memory the prompt and the tree tokens that it wrote stand: all of `ids`
              but the newest, which is still to be fed
    room      tokens that the context has left behind the prompt
    walked    of the ids were known from the prefill
    line      tokens of the score line, its end included, once it has ended; -1 before
    """

    prompt: Prompt
    length: int
    memory: Memory | None
    ids: list[int]
    columns: list[int]
    room: int
    walked: int
    draws: torch.Generator | None
    line: int = -1
    finish: str = ""

    @property
    def steps_left(self) -> int:
        """No more than this many tokens can follow: rest of the line, then the explanation."""
        return min(MAX_LINE_TOKENS + self.prompt.max_tokens, self.room) - len(self.ids)

    @property
    def written(self) -> Written:
        return Written(
            ids=tuple(self.ids),
            line=self.line,
            finish=self.finish,
            decoded=len(self.ids) - self.walked,
        )


class Writing:
    """The writing of several rows. `add` every row after its prefill, then `run`.

    line_ends, eos  ids that end a score line, and a reply
    text_of         ids -> text, for stop texts
    context_tokens  nothing is written beyond the model's context
    """

    def __init__(
        self,
        decoder: Decoder,
        *,
        line_ends: frozenset[int],
        eos: frozenset[int],
        text_of: Callable[[list[int]], str],
        context_tokens: int,
    ) -> None:
        self._decoder = decoder
        self._line_ends = line_ends
        self._eos = eos
        self._text_of = text_of
        self._context_tokens = context_tokens
        self._rows: list[list[_Writer]] = []

    def add(self, filled: Prefill, prompts: Sequence[Prompt]) -> list[Written]:
        """The row's prompts, in its order; returns what is known of them without another forward."""
        row = [self._walk(filled, at, prompt) for at, prompt in enumerate(prompts)]
        for writer in row:
            self._settle(writer)
        self._rows.append(row)
        return [writer.written for writer in row]

    @torch.inference_mode()
    def run(self, alive: Alive = lambda row, at: True) -> Iterator[list[list[Written]]]:
        """Write everything to its end; yields all rows as they are after each `PIECE` tokens and at last.

        Raises:
            ValueError: something is left to write, and its prefill kept no memory.
        """
        places = {
            id(writer): (number, at)
            for number, row in enumerate(self._rows)
            for at, writer in enumerate(row)
        }
        active = [writer for writer in chain.from_iterable(self._rows) if not writer.finish]
        notes = _Notes.of(active) if active else None
        while active and notes is not None:
            for writer in active:
                if not writer.finish and not alive(*places[id(writer)]):
                    writer.finish = "cancelled"
            for _ in range(PIECE):
                still = [k for k, writer in enumerate(active) if not writer.finish]
                if 2 * len(still) <= len(active):  # few go on: carry only theirs
                    active = [active[k] for k in still]
                    if not active:
                        break
                    notes.keep(torch.tensor(still, device=self._decoder.device))
                self._step(active, notes)
            active_left = any(not writer.finish for writer in active)
            if active_left:
                yield [[writer.written for writer in row] for row in self._rows]
            else:
                break
        yield [[writer.written for writer in row] for row in self._rows]

    def _step(self, active: Sequence[_Writer], notes: "_Notes") -> None:
        """Feed every writer its newest token; those that have finished write on for nothing."""
        decoder, device = self._decoder, self._decoder.device
        ids = torch.tensor([writer.ids[-1] for writer in active], device=device)
        positions = torch.tensor(
            [writer.length + len(writer.ids) - 1 for writer in active], device=device
        )
        notes.turn_page()
        states = decoder.forward(
            ids, positions, lambda n, q, k, v: notes.attend(n, q, k, v, decoder.scale)
        )
        logits = decoder.logits(states)
        best = logits.argmax(dim=-1).tolist()
        for k, writer in enumerate(active):
            if writer.finish:
                continue
            drawn = writer.draws is not None and writer.line >= 0
            writer.ids.append(_draw(logits[k], writer) if drawn else best[k])
            self._settle(writer)

    def _settle(self, writer: _Writer) -> None:
        ids, budget = writer.ids, writer.prompt.max_tokens
        if writer.line < 0 and ids[-1] in self._line_ends and len(ids) <= MAX_LINE_TOKENS:
            writer.line = len(ids)
        limit = (MAX_LINE_TOKENS if writer.line < 0 else writer.line) + budget
        if ids[-1] in self._eos or (budget == 0 and writer.line == len(ids)):
            writer.finish = "stop"
        elif writer.prompt.stop and 0 <= writer.line < len(ids) and self._stops(writer):
            writer.finish = "stop"
        elif len(ids) >= min(limit, writer.room):
            writer.finish = "length"

    def _stops(self, writer: _Writer) -> bool:
        """Whether a stop text has just been completed: looks at the newest tokens only.

        A character takes four tokens at most (byte fallback).
        """
        tail = 4 * max(map(len, writer.prompt.stop)) + 4
        text = self._text_of(writer.ids[max(writer.line, len(writer.ids) - tail) :])
        return any(stop in text for stop in writer.prompt.stop)

    def _walk(self, filled: Prefill, at: int, prompt: Prompt) -> _Writer:
        """Follow the most probable tokens down the tree: they are known without another forward."""
        row, tree, best = filled.row, filled.tree, filled.best[at].tolist()
        path = row.nodes[row.leaves[at]].path
        columns = [column for start, stop in path for column in range(start, stop)]
        length = len(columns)
        branches = len(row.ids) + at * len(tree.tokens)
        room = self._context_tokens - length
        node, ids = ROOT, [best[ROOT]]
        while (child := tree.children[node].get(ids[-1], LEAF)) != LEAF and len(ids) < room:
            columns.append(branches + child - 1)
            node = child
            ids.append(best[node])
        return _Writer(
            prompt=prompt,
            length=length,
            memory=filled.memory,
            ids=ids,
            columns=columns,
            room=room,
            walked=len(ids),
            draws=torch.Generator().manual_seed(prompt.seed) if prompt.temperature > 0 else None,
        )


def _draw(logits: Tensor, writer: _Writer) -> int:
    """A token by its probability at the writer's temperature, with the writer's own draws."""
    probs = torch.softmax(logits.double().cpu() / writer.prompt.temperature, dim=-1)
    return int(torch.multinomial(probs, 1, generator=writer.draws))


class _Notes:
    """What every writer has seen, side by side: per attention keys and values [B, H_kv, C, D], with room."""

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
            chosen = torch.tensor(writer.columns)
            devices = {one.device for one in writer.memory.keys}
            columns = {device: chosen.to(device) for device in devices}
            fill = (0, 0, 0, width + room - len(writer.columns))
            for kept, states in ((keys, writer.memory.keys), (values, writer.memory.values)):
                kept.append([pad(one[columns[one.device]].transpose(0, 1), fill) for one in states])
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
            attn_mask=self._mask[..., seen].to(query.device),
            scale=scale,
            enable_gqa=query.shape[1] != key.shape[1],
        )
        return mixed[:, :, 0]

    def keep(self, rows: Tensor) -> None:
        self._keys = [key.index_select(0, rows.to(key.device)) for key in self._keys]
        self._values = [one.index_select(0, rows.to(one.device)) for one in self._values]
        self._mask = self._mask.index_select(0, rows)
