"""Linear layers in float8 (e4m3): weights with a scale per output, activations with one per token.

A product of scaled rows and scaled columns is the scaled product, so torch's row-wise `_scaled_mm` gives
(x / s) (w / t)^T * s t^T. Only the rounding of x / s and w / t to three bits of mantissa is lost. Both scales
map the largest value to the format's largest. `backends.quantisation_check` measures whether a judge keeps
its verdicts.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

from judgestream.core.errors import ConfigurationError

FORMAT = torch.float8_e4m3fn
LARGEST = float(torch.finfo(FORMAT).max)

MULTIPLE = 16
"""`_scaled_mm` requires sides that are multiples of this."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Float8:
    """A weight [N, K]: `values` [N, K] in float8 times `scales` [N, 1] in fp32."""

    values: Tensor
    scales: Tensor

    @classmethod
    def of(cls, weight: Tensor) -> "Float8":
        """
        Raises:
            ConfigurationError: a side of the weight is not a multiple of 16.
        """
        if any(side % MULTIPLE for side in weight.shape):
            raise ConfigurationError(
                f"float8 does not support a weight of {' x '.join(map(str, weight.shape))}: both sides must"
                f" be multiples of {MULTIPLE}; use dtype bfloat16"
            )
        values, scales = _rows(weight)
        return cls(values=values, scales=scales)

    def __getitem__(self, rows: slice) -> "Float8":
        return Float8(values=self.values[rows], scales=self.scales[rows])

    def numel(self) -> int:
        return self.values.numel()

    def linear(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """x [T, K] -> x w^T + bias [T, N] in x's dtype."""
        # inside torch.compile the quantisation is fused with its surroundings anyway
        fused = x.device.type == "cuda" and not torch.compiler.is_compiling()
        values, scales = _compiled_rows()(x) if fused else _rows(x)
        product = torch._scaled_mm(
            values,
            self.values.t(),
            scale_a=scales,
            scale_b=self.scales.t(),
            out_dtype=x.dtype,
            use_fast_accum=x.device.type == "cuda",
        )
        return product if bias is None else product.add_(bias)


def _rows(x: Tensor) -> tuple[Tensor, Tensor]:
    """[T, K] -> float8 values [T, K] and fp32 scales [T, 1], such that x ~ values * scales."""
    scales = x.abs().amax(dim=1, keepdim=True).float().clamp_(min=1e-12) / LARGEST
    return (x.float() / scales).clamp_(-LARGEST, LARGEST).to(FORMAT), scales


@cache
def _compiled_rows() -> Any:
    """One launch instead of six: unfused, quantising would cost what float8 gains."""
    return torch.compile(_rows, dynamic=True)
