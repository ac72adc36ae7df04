"""Packing: training sequences concatenated into batches without padding."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from judgestream_trainer.training.sequences import IGNORED, TrainingSequence


@dataclass(frozen=True, kw_only=True, slots=True)
class Packed:
    """Sequences concatenated into T tokens, as tensors.

    ids, positions (1, T) token ids, and the position of each in its own sequence
    lengths        of the sequences, in tokens
    at             (n,) the columns that predict a completion token
    targets        (n,) the tokens to predict there
    weights        (n,) 1 on the score line, `explanation_weight` below it
    flag_at        (m,) the columns of the answer tokens
    flags          (m,) 1 where they are wrong
    end_at         (2 * sequences,) the columns of the answers' end markers
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


class Sized(Protocol):
    """What is packed: the tokens decide its size."""

    @property
    def ids(self) -> Sequence[int]: ...


Kind = TypeVar("Kind", bound=Sized)


def bins(sequences: Sequence[Kind], *, tokens: int) -> list[list[Kind]]:
    """First-fit decreasing: longest first, each into the first bin with room. A sequence longer than
    `tokens` has a bin to itself.

    The bin of a sequence changes no result beyond rounding.
    """
    filled: list[tuple[int, list[Kind]]] = []
    for sequence in sorted(sequences, key=lambda sequence: -len(sequence.ids)):
        size = len(sequence.ids)
        for k, (used, held) in enumerate(filled):
            if used + size <= tokens:
                held.append(sequence)
                filled[k] = (used + size, held)
                break
        else:
            filled.append((size, [sequence]))
    return [held for _, held in filled]


def pack(sequences: Sequence[TrainingSequence], *, explanation_weight: float) -> Packed:
    """One packed batch. A sequence's last token has no target: it would be the next sequence's first
    token."""
    starts = [0]
    for sequence in sequences:
        starts.append(starts[-1] + len(sequence.ids))
    placed = list(zip(starts, sequences, strict=False))
    marked = [
        (start + k, flag)
        for start, sequence in placed
        for k, flag in enumerate(sequence.wrong)
        if flag != IGNORED
    ]
    return Packed(
        ids=torch.tensor([[token for sequence in sequences for token in sequence.ids]]),
        positions=torch.tensor([[k for sequence in sequences for k in range(len(sequence.ids))]]),
        lengths=tuple(len(sequence.ids) for sequence in sequences),
        at=torch.tensor(
            [
                start + k - 1
                for start, sequence in placed
                for k in range(sequence.prompt, len(sequence.ids))
            ]
        ),
        targets=torch.tensor(
            [token for sequence in sequences for token in sequence.ids[sequence.prompt :]]
        ),
        weights=torch.tensor(
            [
                1.0 if k < sequence.score_tokens else explanation_weight
                for sequence in sequences
                for k in range(len(sequence.ids) - sequence.prompt)
            ]
        ),
        flag_at=torch.tensor([column for column, _ in marked], dtype=torch.long),
        flags=torch.tensor([flag for _, flag in marked]),
        end_at=torch.tensor([start + end for start, sequence in placed for end in sequence.ends]),
        end_scores=torch.tensor([score for sequence in sequences for score in sequence.scores]),
    )
