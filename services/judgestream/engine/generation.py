"""Greedy and sampled decoding: the score line, then an explanation where one is wanted.

Both continue from a prefill's KV cache, so no prompt runs twice. A score line's tokens are the most probable
ones, the lowest id among equals, as Hugging Face's `generate(do_sample=False)` chooses them. So are an
explanation's, unless its prompt has a temperature. Sequences of many rows are decoded side by side, each
with its own random generator, so that the text of one does not depend on its neighbours.
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
from judgestream.engine.readout import Prefill, PrefillKVCache

CHUNK = 8
"""Tokens decoded per sequence between two yields of `Generation.run`."""

Alive = Callable[[int, int], bool]
"""Number of the row and of the prompt in it -> whether a client still waits for this prompt's text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Generated:
    """The token ids generated behind one prompt so far.

    line     number of ids that form the score line, its end included; -1: it has not ended
    finish   "" while it is growing; "stop": a stop text, the end of what was asked or of the reply;
             "length": the token limit or the context cut it; "cancelled": no client waits for it
    decoded  number of ids that took a decoding step; the others were known from the prefill
    """

    ids: tuple[int, ...]
    line: int
    finish: str
    decoded: int


@dataclass(kw_only=True, slots=True)
class _Sequence:
    """One prompt's reply while it is growing.

    length     tokens of the prompt
    kv_cache   of its prefill
    columns    of the prompt and of the tree tokens generated so far, in that cache: all of `ids` but the
               newest, which is still to be fed
    room       tokens that the context has left behind the prompt
    prefilled  number of ids that were known from the prefill
    line       tokens of the score line, its end included, once it has ended; -1 before
    """

    prompt: Prompt
    length: int
    kv_cache: PrefillKVCache | None
    ids: list[int]
    columns: list[int]
    room: int
    prefilled: int
    random: torch.Generator | None
    line: int = -1
    finish: str = ""

    @property
    def max_steps(self) -> int:
        """At most this many tokens can follow: the rest of the line, then the explanation."""
        most = self.prompt.grammar.line_tokens + self.prompt.max_tokens
        return min(most, self.room) - len(self.ids)

    @property
    def generated(self) -> Generated:
        return Generated(
            ids=tuple(self.ids),
            line=self.line,
            finish=self.finish,
            decoded=len(self.ids) - self.prefilled,
        )


class Generation:
    """The generation of several rows. `add` each row after its prefill, then `run`.

    line_ends, eos  ids that end a score line, and a reply
    text_of         ids -> text, for stop texts
    context_tokens  nothing is generated beyond the model's context
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
        self._rows: list[list[_Sequence]] = []

    def add(self, prefill: Prefill, prompts: Sequence[Prompt]) -> list[Generated]:
        """Add the row's prompts, in its order; returns what is known of them without another forward."""
        row = [self._walk_tree(prefill, number, prompt) for number, prompt in enumerate(prompts)]
        for sequence in row:
            self._update_finish(sequence)
        self._rows.append(row)
        return [sequence.generated for sequence in row]

    def add_text(self, prefill: Prefill, number: int, prompts: Sequence[Prompt]) -> None:
        """Add a row of texts without a score line, all behind prompt `number` of this prefill.

        Each one's first id is the prompt's last token, which is fed again, so that the text's first token is
        sampled like all others.
        """
        columns = _prompt_columns(prefill, number)
        last = prefill.row.ids[columns[-1]]
        self._rows.append(
            [
                _Sequence(
                    prompt=prompt,
                    length=len(columns) - 1,
                    kv_cache=prefill.kv_cache,
                    ids=[last],
                    columns=columns[:-1],
                    room=self._context_tokens - len(columns) + 1,
                    prefilled=1,
                    random=_random(prompt),
                    line=1,
                )
                for prompt in prompts
            ]
        )

    @torch.inference_mode()
    def run(self, alive: Alive = lambda row, number: True) -> Iterator[list[list[Generated]]]:
        """Decode everything to its end; yields the state of all rows after each `CHUNK` tokens and at last.

        Raises:
            ValueError: something is left to generate, and its prefill kept no KV cache.
        """
        # 1. Collect the unfinished sequences of all rows, with a common KV cache.
        places = {
            id(sequence): (row_number, number)
            for row_number, row in enumerate(self._rows)
            for number, sequence in enumerate(row)
        }
        active = [sequence for sequence in chain.from_iterable(self._rows) if not sequence.finish]
        cache = KVCache.of(active) if active else None
        while cache is not None and any(not sequence.finish for sequence in active):
            # 2. Cancel what no client waits for.
            for sequence in active:
                if not sequence.finish and not alive(*places[id(sequence)]):
                    sequence.finish = "cancelled"
            for _ in range(CHUNK):
                # 3. Drop finished sequences from the batch once they are half of it.
                unfinished = [k for k, sequence in enumerate(active) if not sequence.finish]
                if 2 * len(unfinished) <= len(active):
                    active = [active[k] for k in unfinished]
                    if not active:
                        break
                    cache.keep(torch.tensor(unfinished, device=self._decoder.device))
                # 4. Decode one token of each.
                self._step(active, cache)
            # 5. Show how far all rows are.
            if any(not sequence.finish for sequence in active):
                yield self._state()
        yield self._state()

    def _state(self) -> list[list[Generated]]:
        return [[sequence.generated for sequence in row] for row in self._rows]

    def _step(self, active: Sequence[_Sequence], cache: "KVCache") -> None:
        """Feed every sequence its newest token. Finished sequences keep decoding; their tokens are
        discarded."""
        decoder, device = self._decoder, self._decoder.device
        ids = torch.tensor([sequence.ids[-1] for sequence in active], device=device)
        positions = torch.tensor(
            [sequence.length + len(sequence.ids) - 1 for sequence in active], device=device
        )
        cache.advance()
        states = decoder.forward(
            ids, positions, lambda n, q, k, v: cache.attend(n, q, k, v, decoder.scale)
        )
        logits = decoder.logits(states)  # [B, V]
        best = logits.argmax(dim=-1).tolist()
        for k, sequence in enumerate(active):
            if sequence.finish:
                continue
            sampled = sequence.random is not None and sequence.line >= 0
            sequence.ids.append(_sample(logits[k], sequence) if sampled else best[k])
            self._update_finish(sequence)

    def _update_finish(self, sequence: _Sequence) -> None:
        """Set `line` and `finish` after a new token."""
        ids, budget = sequence.ids, sequence.prompt.max_tokens
        # a reply whose first line has not ended by then has no score line: the rest is explanation
        longest = sequence.prompt.grammar.line_tokens
        if sequence.line < 0 and ids[-1] in self._line_ends and len(ids) <= longest:
            sequence.line = len(ids)
        limit = (longest if sequence.line < 0 else sequence.line) + budget
        if ids[-1] in self._eos or (budget == 0 and sequence.line == len(ids)):
            sequence.finish = "stop"
        elif sequence.prompt.stop and 0 <= sequence.line < len(ids) and self._stops(sequence):
            sequence.finish = "stop"
        elif len(ids) >= min(limit, sequence.room):
            sequence.finish = "length"

    def _stops(self, sequence: _Sequence) -> bool:
        """Whether a stop text has just been completed: looks at the newest tokens only.

        A character takes at most four tokens (byte fallback).
        """
        tail = 4 * max(map(len, sequence.prompt.stop)) + 4
        text = self._text_of(sequence.ids[max(sequence.line, len(sequence.ids) - tail) :])
        return any(stop in text for stop in sequence.prompt.stop)

    def _walk_tree(self, prefill: Prefill, number: int, prompt: Prompt) -> _Sequence:
        """Follow the most probable tokens down the tree: they are known without another forward."""
        row, tree, best = prefill.row, prefill.tree, prefill.best[number].tolist()
        columns = _prompt_columns(prefill, number)
        length = len(columns)
        branches = len(row.ids) + number * len(tree.tokens)
        room = self._context_tokens - length
        node, ids = ROOT, [best[ROOT]]
        while (child := tree.children[node].get(ids[-1], LEAF)) != LEAF and len(ids) < room:
            columns.append(branches + child - 1)
            node = child
            ids.append(best[node])
        return _Sequence(
            prompt=prompt,
            length=length,
            kv_cache=prefill.kv_cache,
            ids=ids,
            columns=columns,
            room=room,
            prefilled=len(ids),
            random=_random(prompt),
        )


def _prompt_columns(prefill: Prefill, number: int) -> list[int]:
    """The columns of a prompt's tokens in its row."""
    path = prefill.row.nodes[prefill.row.leaves[number]].path
    return [column for start, stop in path for column in range(start, stop)]


def _random(prompt: Prompt) -> torch.Generator | None:
    """The prompt's own random generator; None where nothing is sampled."""
    return torch.Generator().manual_seed(prompt.seed) if prompt.temperature > 0 else None


def _sample(logits: Tensor, sequence: _Sequence) -> int:
    """A token from logits [V] at the prompt's temperature, with the sequence's own random generator."""
    probs = torch.softmax(logits.double().cpu() / sequence.prompt.temperature, dim=-1)
    return int(torch.multinomial(probs, 1, generator=sequence.random))


class KVCache:
    """Keys and values of a batch of B sequences, with room for C columns each.

    keys, values  per attention [B, H_kv, C, D]
    mask          [B, 1, 1, C] bool: the columns that hold something
    column        the last column in use; `advance` moves to the next
    """

    def __init__(self, keys: list[Tensor], values: list[Tensor], mask: Tensor, column: int) -> None:
        self._keys = keys
        self._values = values
        self._mask = mask
        self._column = column

    @classmethod
    def of(cls, sequences: Sequence[_Sequence]) -> "KVCache":
        """Copy each sequence's columns of its prefill's cache, padded on the right to the longest."""
        width = max(len(sequence.columns) for sequence in sequences)
        capacity = width + max(sequence.max_steps for sequence in sequences)
        mask = torch.zeros((len(sequences), 1, 1, capacity), dtype=torch.bool)
        keys: list[list[Tensor]] = []
        values: list[list[Tensor]] = []
        for number, sequence in enumerate(sequences):
            cache = sequence.kv_cache
            if cache is None:
                raise ValueError("needs the KV cache of the prefill: pass keep_kv_cache=True")
            mask[number, ..., : len(sequence.columns)] = True
            columns = torch.tensor(sequence.columns)
            by_device = {device: columns.to(device) for device in {k.device for k in cache.keys}}
            padding = (0, 0, 0, capacity - len(sequence.columns))
            for copies, states in ((keys, cache.keys), (values, cache.values)):
                copies.append(
                    [pad(part[by_device[part.device]].transpose(0, 1), padding) for part in states]
                )
        return cls(
            [torch.stack(layer) for layer in zip(*keys, strict=True)],
            [torch.stack(layer) for layer in zip(*values, strict=True)],
            mask.to(keys[0][0].device),
            width - 1,
        )

    def advance(self) -> None:
        """Move to the next column, into which `attend` writes."""
        self._column += 1
        self._mask[..., self._column] = True

    def attend(self, n: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """One new token per sequence: query [B, H, D], key and value [B, H_kv, D] -> [B, H, D]."""
        self._keys[n][:, :, self._column] = key
        self._values[n][:, :, self._column] = value
        used = slice(0, self._column + 1)
        mixed = scaled_dot_product_attention(
            query[:, :, None],
            self._keys[n][:, :, used],
            self._values[n][:, :, used],
            attn_mask=self._mask[..., used].to(query.device),
            scale=scale,
            enable_gqa=query.shape[1] != key.shape[1],
        )
        return mixed[:, :, 0]

    def keep(self, rows: Tensor) -> None:
        """Keep these sequences of the batch only."""
        self._keys = [key.index_select(0, rows.to(key.device)) for key in self._keys]
        self._values = [value.index_select(0, rows.to(value.device)) for value in self._values]
        self._mask = self._mask.index_select(0, rows)
