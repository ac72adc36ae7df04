"""Attention over a prompt with score branches behind it, and the memory that writing continues from.

A plan object travels through transformers' own LLaMA code as a keyword argument and decides, layer by
layer, who sees whom; without one the registered function is plain SDPA, so that `model(...)` and
`generate` behave as ever. A plan brings its own mask, always four-dimensional, because transformers
passes such a mask on untouched: left to itself with several position runs in a row it would guess
packing, or with a cache forget it (facts: `use_cache=True` silently lets sequences see each other).
"""

from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

NAME = "judgestream"


class Plan(Protocol):
    """Who sees whom in one forward. Shapes: query [B, H, N, D]; key, value [B, H_kv, N, D]."""

    def attend(
        self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float
    ) -> Tensor: ...


class Memory:
    """Keys and values of every layer, [B, H_kv, columns, D], with room to write on."""

    def __init__(self) -> None:
        self._keys: dict[int, Tensor] = {}
        self._values: dict[int, Tensor] = {}

    def keep(self, layer: int, key: Tensor, value: Tensor) -> None:
        self._keys[layer], self._values[layer] = key, value

    def select(self, rows: Tensor, room: int) -> "Memory":
        """A copy of these rows, with `room` more columns to write into."""
        chosen = Memory()
        for layer, key in self._keys.items():
            pads = (0, 0, 0, room)  # after the last column
            value = self._values[layer]
            chosen.keep(
                layer,
                torch.nn.functional.pad(key.index_select(0, rows), pads),
                torch.nn.functional.pad(value.index_select(0, rows), pads),
            )
        return chosen

    def write(self, layer: int, column: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Put one token's key and value at `column`; returns all columns up to and with it."""
        keys, values = self._keys[layer], self._values[layer]
        keys[:, :, column : column + 1] = key
        values[:, :, column : column + 1] = value
        return keys[:, :, : column + 1], values[:, :, : column + 1]


class PrefillPlan:
    """Prompts in the first `width` columns, right-padded, and the score tree in the columns behind.

    Prompt columns are causal among themselves; padding stands right of every real token, so no real
    token ever sees it and no mask is needed there. A tree column sees what `mask` [B, 1, T, width + T]
    says: its prompt's real columns, its ancestors and itself. With `memory`, every layer's keys and
    values are kept.
    """

    def __init__(self, *, width: int, mask: Tensor, memory: Memory | None = None) -> None:
        self.width = width
        self.mask = mask
        self.memory = memory

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        if self.memory is not None:
            self.memory.keep(layer, key, value)
        grouped = query.shape[1] != key.shape[1]
        width = self.width
        prompt = scaled_dot_product_attention(
            query[:, :, :width],
            key[:, :, :width],
            value[:, :, :width],
            is_causal=True,
            scale=scale,
            enable_gqa=grouped,
        )
        if query.shape[2] == width:
            return prompt
        tree = scaled_dot_product_attention(
            query[:, :, width:], key, value, attn_mask=self.mask, scale=scale, enable_gqa=grouped
        )
        return torch.cat((prompt, tree), dim=2)


class StepPlan:
    """One new token per row, written into `memory` at `column`; `mask` [B, 1, 1, column + 1]."""

    def __init__(self, *, memory: Memory, column: int, mask: Tensor) -> None:
        self.memory = memory
        self.column = column
        self.mask = mask

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        keys, values = self.memory.write(layer, self.column, key, value)
        return scaled_dot_product_attention(
            query,
            keys,
            values,
            attn_mask=self.mask,
            scale=scale,
            enable_gqa=query.shape[1] != key.shape[1],
        )


def attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float,
    plan: Plan | None = None,
    **kwargs: Any,
) -> tuple[Tensor, Tensor | None]:
    """The attention function that checkpoints are loaded with. Output [B, N, H, D], as transformers wants."""
    if plan is None:
        output: tuple[Tensor, Tensor | None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **kwargs
        )
        return output
    layer = module.layer_idx
    if not isinstance(layer, int):
        raise TypeError(f"attention layer without an index: {module}")
    mixed = plan.attend(layer, query, key, value, scaling)
    return mixed.transpose(1, 2).contiguous(), None


def require(model: PreTrainedModel) -> None:
    """A model loaded otherwise would ignore every plan, and some wrong results look right.

    Raises:
        ValueError: the model does not use this attention.
    """
    if model.config._attn_implementation != NAME:
        raise ValueError(
            f"the model runs {model.config._attn_implementation!r} attention; call"
            f" set_attn_implementation({NAME!r}), or load it with judgestream.engine.checkpoint"
        )


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, sdpa_mask)
