"""The training objective of a reward model: Bradley-Terry over all pairs of a visit's answers.

Ouyang et al. 2022 (arXiv 2203.02155, equation 1) train on the pairs of several answers to one prompt in one
batch, as here; the targets here are probabilities instead of winners.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from judgestream.engine.training_attention import Kernel, plan
from judgestream_trainer.recipe import Optimisation
from judgestream_trainer.training.distributed import World
from judgestream_trainer.training.loop import precision
from judgestream_trainer.training.objective import Trainable
from judgestream_trainer.training.packing import bins
from judgestream_trainer.training.value_sequences import ValueSequence


@dataclass(frozen=True, kw_only=True, slots=True)
class PackedValues:
    """Conversations one after the other, without padding; N conversations, P pairs, G grades.

    ids, positions    [1, T]
    lengths           of the conversations
    at                [N] column of each conversation's last token
    first, second     [P] conversations of each pair; target, weight: [P]
    graded            [G] conversations whose grades compare; grades: [G]
    """

    ids: Tensor
    positions: Tensor
    lengths: tuple[int, ...]
    at: Tensor
    first: Tensor
    second: Tensor
    target: Tensor
    weight: Tensor
    graded: Tensor
    grades: Tensor


class ValueModel(Trainable):
    """A transformers model with one value per conversation, read at its last token.

    `scale` and `centre` map values to grades; they are thrown away after training.
    """

    def __init__(self, model: PreTrainedModel, kernel: Kernel) -> None:
        super().__init__()
        self.model = model
        self.kernel = kernel
        self.score = nn.Linear(int(model.config.hidden_size), 1, bias=False)
        nn.init.zeros_(self.score.weight)
        self.scale = nn.Parameter(torch.ones(()))
        self.centre = nn.Parameter(torch.zeros(()))

    def forward(self, batch: PackedValues) -> Tensor:
        """The values, [N] in fp32."""
        model: Any = self.model
        embedded = model.get_input_embeddings()(batch.ids)
        kind = batch.ids.device.type
        if torch.is_autocast_enabled(kind):
            # otherwise the residual stream would stay in fp32
            embedded = embedded.to(torch.get_autocast_dtype(kind))
        output = model.base_model(
            inputs_embeds=embedded,
            position_ids=batch.positions,
            plan=plan(self.kernel, batch.lengths, batch.ids.device),
            attention_mask=None,
            use_cache=False,
        )
        ends = output.last_hidden_state[0][batch.at]
        with torch.autocast(kind, enabled=False):
            values: Tensor = functional.linear(ends.float(), self.score.weight.float())[:, 0]
        return values

    def losses(self, batch: PackedValues) -> tuple[Tensor, Tensor]:
        """The weighted sum of the pairs' cross-entropies, in nats, and the summed Huber losses of the
        grades."""
        values = self(batch)
        difference = values[batch.first] - values[batch.second]
        pairs = functional.binary_cross_entropy_with_logits(
            difference, batch.target, weight=batch.weight, reduction="sum"
        )
        predicted = self.scale * values[batch.graded] + self.centre
        graded = functional.huber_loss(predicted, batch.grades, reduction="sum")
        return pairs, graded


def value_gradients(comparable_weight: float) -> Any:
    """The objective of a recipe, as the loop takes it. Every term is normalised over the whole step."""

    def accumulate(
        model: ValueModel, sequences: Sequence[ValueSequence], how: Optimisation, world: World
    ) -> float:
        weight = sum(pair.weight for sequence in sequences for pair in sequence.pairs) or 1.0
        grades = sum(len(sequence.grades) for sequence in sequences) or 1
        total = 0.0
        for held, counted in world.share(bins(sequences, tokens=how.row_tokens)):
            batch = pack_values(held, world.device)
            with precision(how, world):
                pairs, graded = model.losses(batch)
            loss = pairs / weight + comparable_weight * graded / grades
            (loss * (world.size if counted else 0.0)).backward()
            total += float(pairs.detach()) / weight if counted else 0.0
        return total

    return accumulate


def pack_values(sequences: Sequence[ValueSequence], device: torch.device) -> PackedValues:
    """One packed batch on a device."""
    lengths = tuple(length for sequence in sequences for length in sequence.lengths)
    starts = [0]
    for sequence in sequences:
        starts.append(starts[-1] + len(sequence.lengths))
    placed = list(zip(starts, sequences, strict=False))
    pairs = [(start, pair) for start, sequence in placed for pair in sequence.pairs]
    graded = [
        (start + k, grade) for start, sequence in placed for k, grade in enumerate(sequence.grades)
    ]
    sizes = torch.tensor(lengths)
    return PackedValues(
        ids=torch.tensor([[token for sequence in sequences for token in sequence.ids]]).to(device),
        positions=torch.cat([torch.arange(length) for length in lengths])[None].to(device),
        lengths=lengths,
        at=(sizes.cumsum(0) - 1).to(device),
        first=torch.tensor([start + pair.first for start, pair in pairs], dtype=torch.long).to(
            device
        ),
        second=torch.tensor([start + pair.second for start, pair in pairs], dtype=torch.long).to(
            device
        ),
        target=torch.tensor([pair.target for _, pair in pairs]).to(device),
        weight=torch.tensor([pair.weight for _, pair in pairs]).to(device),
        graded=torch.tensor([column for column, _ in graded], dtype=torch.long).to(device),
        grades=torch.tensor([grade for _, grade in graded]).to(device),
    )
