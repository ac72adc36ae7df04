"""What is minimised: completion-only cross-entropy, weighted per token, and the guiding heads' losses."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from judgestream.engine.training_attention import Kernel, plan
from judgestream_trainer.training.packing import Packed

HIGHEST_SCORE = 10


class Losses(NamedTuple):
    """Sums over a packed row, in nats, to be divided by what the whole step holds: the weighted
    cross-entropies of the completions, and the guiding heads' two (zero where there are none)."""

    completion: Tensor
    flagged: Tensor
    ended: Tensor


class Heads(nn.Module):
    """The throw-away heads that lead the judge to its reading, one layer after the other: half way up,
    which answer tokens are wrong; one layer below the top, each answer's score at its end marker.
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
        """Sum of the wrong-token losses, and of the cross-entropies of the answers' scores. `states` are
        the embedding's and every layer's, each (T, hidden)."""
        width = states[0].shape[-1:]
        marked = functional.rms_norm(states[self.flag_layer][batch.flag_at], width)
        guesses = self.flag(marked).squeeze(-1).float()
        flagged = functional.binary_cross_entropy_with_logits(guesses, batch.flags, reduction="sum")
        ends = functional.rms_norm(states[self.end_layer][batch.end_at], width)
        scored = self.end(ends).float()
        return flagged, functional.cross_entropy(scored, batch.end_scores, reduction="sum")


class Trainee(nn.Module):
    """A transformers model and the heads that guide it, as one module: what is trained, sharded, saved."""

    def __init__(self, model: PreTrainedModel, heads: Heads | None, kernel: Kernel) -> None:
        super().__init__()
        self.model = model
        self.heads = heads
        self.kernel = kernel

    def forward(self, batch: Packed) -> Losses:
        """The losses of one packed row. Only the rows that predict a completion token go through the
        output head."""
        model: Any = self.model  # transformers names its parts, and types none of them
        embedded = model.get_input_embeddings()(batch.ids)
        kind = batch.ids.device.type
        if torch.is_autocast_enabled(kind):  # else every sum of the layers would stay in fp32
            embedded = embedded.to(torch.get_autocast_dtype(kind))
        found = model.base_model(
            inputs_embeds=embedded,
            position_ids=batch.positions,
            plan=plan(self.kernel, batch.lengths, batch.ids.device),
            attention_mask=None,
            use_cache=False,
            output_hidden_states=self.heads is not None,
        )
        logits = model.lm_head(found.last_hidden_state[0][batch.at]).float()
        each = functional.cross_entropy(logits, batch.targets, reduction="none")
        completion = (each * batch.weights).sum()
        if self.heads is None:
            zero = torch.zeros((), device=completion.device)
            return Losses(completion, zero, zero)
        states = tuple(state[0] for state in found.hidden_states)
        return Losses(completion, *self.heads(states, batch))
