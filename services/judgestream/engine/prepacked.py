"""Linear layers for CPUs: weights prepacked for oneDNN's matrix products, with the next operation fused in.

torch's own products pack a weight anew at every call (bf16), or are MKL's, which is a tenth slower on an AMD
core (fp32, 2026-11-25); a single token against a large weight is six times slower. oneDNN also adds a
residual, or applies the MLP's gate, while a result is still in the cache. These are the operators that
torch's own compiler emits for CPUs. Where this torch lacks them, weights stay plain tensors.
"""

import logging
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from torch import Tensor

log = logging.getLogger(__name__)

MOST_BYTES = 1 << 30
"""Largest size of a model's layers: their weights are held twice, for transformers and for oneDNN."""

ROWS = 1024
"""The number of rows that a layout is optimised for; it is valid for any."""

TYPES = (torch.float32, torch.bfloat16)


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepacked:
    """A weight [N, K], and the layouts of those of its slices that have been used, by first and last row."""

    dense: Tensor
    _layouts: dict[tuple[int, int], Tensor] = field(default_factory=dict)
    _rows: tuple[int, int] = (0, 0)

    @classmethod
    def of(cls, weight: Tensor) -> "Prepacked":
        return cls(dense=weight, _rows=(0, weight.shape[0]))

    def __getitem__(self, rows: slice) -> "Prepacked":
        first, last = self._rows
        start, stop, _ = rows.indices(last - first)
        return Prepacked(
            dense=self.dense, _layouts=self._layouts, _rows=(first + start, first + stop)
        )

    def numel(self) -> int:
        return (self._rows[1] - self._rows[0]) * self.dense.shape[1]

    def linear(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """x [T, K] -> x w^T + bias [T, N]."""
        product: Tensor = torch.ops.mkldnn._linear_pointwise(
            x, self._layout(), bias, "none", [], ""
        )
        return product

    def added(self, states: Tensor, x: Tensor, bias: Tensor | None) -> Tensor:
        """states [T, N] + x w^T + bias."""
        total: Tensor = torch.ops.mkldnn._linear_pointwise.binary(
            x, states, self._layout(), bias, "add"
        )
        return total

    def gated(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """silu(x g^T) * (x u^T) [T, N / 2], g and u the weight's halves."""
        half = (self._rows[1] - self._rows[0]) // 2
        low, high = (None, None) if bias is None else (bias[:half], bias[half:])
        gate = torch.ops.mkldnn._linear_pointwise(x, self[:half]._layout(), low, "swish", [], "")
        product: Tensor = torch.ops.mkldnn._linear_pointwise.binary(
            x, gate, self[half:]._layout(), high, "mul"
        )
        return product

    def _layout(self) -> Tensor:
        layout = self._layouts.get(self._rows)
        if layout is None:  # two threads may both build it; the layouts are equal and one is kept
            first, last = self._rows
            rows = self.dense[first:last].contiguous()
            layout = torch.ops.mkldnn._reorder_linear_weight(rows, ROWS)
            self._layouts[self._rows] = layout
        return layout


@cache
def works(dtype: torch.dtype) -> bool:
    """Whether these operators exist, support the dtype, and agree with plain arithmetic."""
    backend: Any = torch.backends.mkldnn  # torch has no types for it
    if dtype not in TYPES or not backend.is_available():
        return False
    generator = torch.Generator().manual_seed(2)
    x, w, states = (
        torch.randn(shape, generator=generator).to(dtype) for shape in ((5, 32), (48, 32), (5, 48))
    )
    bias = w[:, 0].contiguous()
    product = x.float() @ w.float().t() + bias.float()
    gate, up = product.chunk(2, dim=-1)
    tolerance = 1e-4 if dtype == torch.float32 else 0.1
    try:
        packed = Prepacked.of(w)
        actual = (
            packed.linear(x, bias),
            packed[16:].linear(x, bias[16:]),
            packed.added(states, x, bias),
            packed.gated(x, bias),
        )
        expected = (
            product,
            product[:, 16:],
            states.float() + product,
            torch.nn.functional.silu(gate) * up,
        )
        for result, reference in zip(actual, expected, strict=True):
            torch.testing.assert_close(result.float(), reference, atol=tolerance, rtol=tolerance)
    except Exception as error:
        log.warning("prepacked linear layers are not usable here: %s", error)
        return False
    return True
