"""The training objective: completion-only cross-entropy, weighted per token, plus auxiliary losses."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from judgestream.engine.training_attention import Kernel, plan
from judgestream_trainer.training.packing import Packed

HIGHEST_SCORE = 10


class Losses(NamedTuple):
    """Sums over a packed batch, in nats, before they are divided by the totals of the step: the weighted
    cross-entropy of the completions, and the losses of the two auxiliary heads (zero without them)."""

    completion: Tensor
    flagged: Tensor
    ended: Tensor


class AuxiliaryHeads(nn.Module):
    """Auxiliary heads, discarded after training. In the middle layer: which answer tokens are wrong. One
    layer below the top: each answer's score at its end marker.
    """

    def __init__(self, hidden: int, layers: int) -> None:
        super().__init__()
        self.flag_layer, self.end_layer = layers // 2, layers - 1
        self.flag = nn.Linear(hidden, 1)
        self.end = nn.Linear(hidden, HIGHEST_SCORE + 1)
        for head in (self.flag, self.end):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)

    def forward(self, states: tuple[Tensor, ...], batch: Packed) -> tuple[Tensor, Tensor]:
        """The sum of the wrong-token losses, and of the cross-entropies of the answers' scores. `states` are
        the hidden states of the embedding and of every layer, each (T, hidden)."""
        width = states[0].shape[-1:]
        marked = functional.rms_norm(states[self.flag_layer][batch.flag_at], width)
        logits = self.flag(marked).squeeze(-1).float()
        flagged = functional.binary_cross_entropy_with_logits(logits, batch.flags, reduction="sum")
        ends = functional.rms_norm(states[self.end_layer][batch.end_at], width)
        scored = self.end(ends).float()
        return flagged, functional.cross_entropy(scored, batch.end_scores, reduction="sum")


class Trainable(nn.Module):
    """A transformers model and what is trained with it, as one module that is sharded and saved."""

    model: PreTrainedModel


class TrainingModel(Trainable):
    """A judge with score lines and its auxiliary heads."""

    def __init__(
        self, model: PreTrainedModel, heads: AuxiliaryHeads | None, kernel: Kernel
    ) -> None:
        super().__init__()
        self.model = model
        self.heads = heads
        self.kernel = kernel

    def forward(self, batch: Packed) -> Losses:
        """The losses of one packed batch. Only the columns that predict a completion token go through the
        output head."""
        # transformers does not type the parts of a model
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
            output_hidden_states=self.heads is not None,
        )
        logits = model.lm_head(output.last_hidden_state[0][batch.at]).float()
        each = functional.cross_entropy(logits, batch.targets, reduction="none")
        completion = (each * batch.weights).sum()
        if self.heads is None:
            zero = torch.zeros((), device=completion.device)
            return Losses(completion, zero, zero)
        states = tuple(state[0] for state in output.hidden_states)
        return Losses(completion, *self.heads(states, batch))
