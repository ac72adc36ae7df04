"""What the judge writes by greedy decoding: the score line, then an explanation if one is wanted.

Both go on from a prefill's memory, so no prompt is run twice. Each token is the most probable one, the
lowest id among equals, as Hugging Face's `generate(do_sample=False)` chooses.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import LlamaForCausalLM

from judgestream.engine.attention import StepPlan
from judgestream.engine.grammar import LEAF, ROOT
from judgestream.engine.readout import Prefill

MAX_LINE_TOKENS = 16
"""A judge that has not ended its first line by then has none: what follows is all explanation."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """Greedy token ids behind one prompt; `finished` if they end with what they were to end with."""

    ids: tuple[int, ...]
    finished: bool


class _Row:
    """One prompt's writing while it grows.

    `seen` are the memory columns of the tree tokens that it wrote: all of `ids` but the newest, which is
    still to be fed.
    """

    def __init__(
        self, *, length: int, ids: list[int], seen: list[int], budget: int, room: int
    ) -> None:
        self.length = length
        self.ids = ids
        self.seen = seen
        self.budget = budget
        self.room = room  # tokens that the context has left behind the prompt
        self.line = -1  # tokens of the score line, its end included, once it has ended
        self.done = False


def write(
    model: LlamaForCausalLM,
    batch: Prefill,
    budgets: Sequence[int],
    *,
    line_ends: frozenset[int],
    eos: frozenset[int],
    context_tokens: int,
) -> list[Written]:
    """Write every prompt's score line, and then up to its budget of explanation tokens.

    budgets         explanation tokens per prompt; with 0, writing stops where the score line ends
    context_tokens  nothing is written beyond the model's context
    """
    rows = [
        _walk(batch, at, budget, context_tokens - batch.lengths[at])
        for at, budget in enumerate(budgets)
    ]

    def settle(row: _Row) -> None:
        if row.line < 0 and row.ids[-1] in line_ends and len(row.ids) <= MAX_LINE_TOKENS:
            row.line = len(row.ids)
        limit = (MAX_LINE_TOKENS if row.line < 0 else row.line) + row.budget
        row.done = row.ids[-1] in eos or len(row.ids) >= min(limit, row.room)

    for row in rows:
        settle(row)
    _decode(model, batch, rows, settle)
    return [
        Written(
            ids=tuple(row.ids),
            finished=row.ids[-1] in eos or (row.budget == 0 and row.line == len(row.ids)),
        )
        for row in rows
    ]


def _walk(batch: Prefill, at: int, budget: int, room: int) -> _Row:
    """Follow the most probable tokens down the tree: they are known without another forward."""
    best, tree = batch.best[at].tolist(), batch.tree
    node, ids, seen = ROOT, [best[ROOT]], []
    while (child := tree.children[node].get(ids[-1], LEAF)) != LEAF and len(ids) < room:
        seen.append(batch.width + child - 1)
        node = child
        ids.append(best[node])
    return _Row(length=batch.lengths[at], ids=ids, seen=seen, budget=budget, room=room)


@torch.inference_mode()
def _decode(
    model: LlamaForCausalLM, batch: Prefill, rows: Sequence[_Row], settle: Callable[[_Row], None]
) -> None:
    """Feed each open row its newest token, in step, until all are done.

    Half of the rows done: the memory is cut down to the open ones.
    """
    active = [at for at, row in enumerate(rows) if not row.done]
    if not active:
        return
    device = model.device
    base = batch.width + len(batch.tree.tokens)
    most = max(_steps_left(rows[at]) for at in active)
    memory = batch.memory.select(torch.tensor(active, device=device), most)
    mask = _mask([rows[at] for at in active], batch.width, base + most).to(device)
    for column in range(base, base + most):
        mask[:, :, :, column] = True
        ids = torch.tensor([[rows[at].ids[-1]] for at in active], device=device)
        positions = torch.tensor(
            [[rows[at].length + len(rows[at].ids) - 1] for at in active], device=device
        )
        plan = StepPlan(memory=memory, column=column, mask=mask[..., : column + 1])
        hidden = model.model(
            input_ids=ids,
            position_ids=positions,
            attention_mask=plan.mask,
            use_cache=False,
            plan=plan,
        ).last_hidden_state
        chosen = model.lm_head(hidden[:, -1]).float().argmax(dim=-1).tolist()
        for at, token in zip(active, chosen, strict=True):
            if not rows[at].done:
                rows[at].ids.append(token)
                settle(rows[at])
        open_now = [k for k, at in enumerate(active) if not rows[at].done]
        if not open_now:
            return
        if 2 * len(open_now) <= len(active):
            keep = torch.tensor(open_now, device=device)
            memory, mask = memory.select(keep, 0), mask.index_select(0, keep)
            active = [active[k] for k in open_now]


def _steps_left(row: _Row) -> int:
    """No more than this many tokens can follow: rest of the line, then the explanation."""
    return min(MAX_LINE_TOKENS + row.budget, row.room) - len(row.ids)


def _mask(rows: Sequence[_Row], width: int, columns: int) -> Tensor:
    """[B, 1, 1, columns] bool: a prompt's own columns and the tree tokens that it wrote."""
    mask = torch.zeros((len(rows), 1, 1, columns), dtype=torch.bool)
    for at, row in enumerate(rows):
        mask[at, ..., : row.length] = True
        mask[at, ..., row.seen] = True
    return mask
