"""Sequences -> packed rows: one after the other, none padded, at most so many tokens a row."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from judgestream_trainer.training.sequences import IGNORED, Row


@dataclass(frozen=True, kw_only=True, slots=True)
class Packed:
    """Sequences in one row of T tokens, as tensors.

    ids, positions (1, T) token ids, and where each stands in its own sequence
    lengths        of the sequences, in tokens
    at             (n,) the columns that predict a completion token
    targets        (n,) the tokens to predict there
    weights        (n,) 1 on the score line, `explanation_weight` below it
    flag_at        (m,) where the answer tokens are
    flags          (m,) 1 where they are wrong
    end_at         (2 * sequences,) where the answers' end markers stand
    end_scores     (2 * sequences,) the score of the answer that ends there
    """

    ids: Tensor
    positions: Tensor
    lengths: tuple[int, ...]
    at: Tensor
    targets: Tensor
    weights: Tensor
    flag_at: Tensor
    flags: Tensor
    end_at: Tensor
    end_scores: Tensor

    def to(self, device: torch.device) -> "Packed":
        moved = {
            name: getattr(self, name).to(device, non_blocking=True)
            for name in self.__slots__
            if name != "lengths"
        }
        return replace(self, **moved)


def bins(rows: Sequence[Row], *, tokens: int) -> list[list[Row]]:
    """The rows' sequences, longest first, each in the first bin with room; a longer one has its own.

    Which bin a sequence lands in changes no result beyond rounding.
    """
    filled: list[tuple[int, list[Row]]] = []
    for row in sorted(rows, key=lambda row: -len(row.ids)):
        size = len(row.ids)
        for k, (used, held) in enumerate(filled):
            if used + size <= tokens:
                held.append(row)
                filled[k] = (used + size, held)
                break
        else:
            filled.append((size, [row]))
    return [held for _, held in filled]


def pack(rows: Sequence[Row], *, explanation_weight: float) -> Packed:
    """One packed row. The target of a sequence's last token would be a neighbour's first: it has none."""
    starts = [0]
    for row in rows:
        starts.append(starts[-1] + len(row.ids))
    placed = list(zip(starts, rows, strict=False))
    marked = [
        (start + k, flag)
        for start, row in placed
        for k, flag in enumerate(row.wrong)
        if flag != IGNORED
    ]
    return Packed(
        ids=torch.tensor([[one for row in rows for one in row.ids]]),
        positions=torch.tensor([[k for row in rows for k in range(len(row.ids))]]),
        lengths=tuple(len(row.ids) for row in rows),
        at=torch.tensor(
            [start + k - 1 for start, row in placed for k in range(row.prompt, len(row.ids))]
        ),
        targets=torch.tensor([one for row in rows for one in row.ids[row.prompt :]]),
        weights=torch.tensor(
            [
                1.0 if k < row.score_tokens else explanation_weight
                for row in rows
                for k in range(len(row.ids) - row.prompt)
            ]
        ),
        flag_at=torch.tensor([column for column, _ in marked], dtype=torch.long),
        flags=torch.tensor([flag for _, flag in marked]),
        end_at=torch.tensor([start + end for start, row in placed for end in row.ends]),
        end_scores=torch.tensor([score for row in rows for score in row.scores]),
    )
