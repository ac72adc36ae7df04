"""Linear layers in int8 on CPUs: weights with a scale per output, activations with one per token.

Both are rounded to -127..127 times their scale, so the products are sums of integers, which oneDNN computes
exactly. A token's scale is its own largest value: its result does not depend on the other tokens of a batch.
`backends.quantisation_check` measures whether a judge keeps its verdicts.

A CPU without VNNI adds two neighbouring products in 16 bits and cuts off what does not fit. There a weight's
scale is large enough that no two neighbours can overflow (`_steps`), which costs about half a bit.
"""

import logging
from dataclasses import dataclass, field
from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import pad, silu

from judgestream.core.errors import ConfigurationError

log = logging.getLogger(__name__)

LARGEST = 127
"""Largest integer of either side; -128 is not used."""

ZERO = 128
"""Added to a token's integers: oneDNN multiplies unsigned tokens nearly twice as fast as signed ones."""

SMALLEST = 1e-12
"""Smallest largest value of a row: a row of zeros stays zeros."""

BLOCK = 128
"""Tokens per product: its fp32 results are scaled while they are still in the cache."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Int8:
    """A weight [N, K]: `values` [N, K] in int8 times `scales` [N] in fp32.

    Its products take x [T, K] in any floating dtype and return the same dtype.
    """

    values: Tensor
    scales: Tensor
    _layouts: dict[tuple[int, int], Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, weight: Tensor) -> "Int8":
        """
        Raises:
            ConfigurationError: the weight is not on a CPU, or this CPU's products are not exact.
        """
        if weight.device.type != "cpu" or not works():
            raise ConfigurationError(
                f"int8 does not work on this {weight.device.type}: use dtype float8 or bfloat16 on a GPU,"
                " float32 or bfloat16 on a CPU"
            )
        return cls.rounded(weight, narrow=not exact_up_to(LARGEST, LARGEST))

    @classmethod
    def rounded(cls, weight: Tensor, *, narrow: bool) -> "Int8":
        """The nearest integers, for a CPU with 16-bit sums (`narrow`) or without."""
        weight = weight.detach().float()
        steps = _steps(weight, narrow=narrow)
        values = (weight / steps[:, None]).round_().to(torch.int8)
        return cls(values=values, scales=steps)

    def __getitem__(self, rows: slice) -> "Int8":
        return Int8(values=self.values[rows], scales=self.scales[rows], _layouts=self._layouts)

    def numel(self) -> int:
        return self.values.numel()

    def linear(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """x w^T + bias [T, N]."""
        out = x.new_empty((len(x), len(self.values)))
        for rows in _blocks(len(x)):
            product, scales = self._product(x[rows])
            if bias is None:
                torch.mul(product, scales, out=out[rows])
            else:
                out[rows] = torch.addcmul(bias.float(), product, scales)
        return out

    def added(self, states: Tensor, x: Tensor, bias: Tensor | None) -> Tensor:
        """states [T, N] + x w^T + bias."""
        out = torch.empty_like(states)
        for rows in _blocks(len(x)):
            product, scales = self._product(x[rows])
            before = states[rows].float()
            if bias is not None:
                before = before + bias
            out[rows] = torch.addcmul(before, product, scales)
        return out

    def gated(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """silu(x g^T) * (x u^T) [T, N / 2], g and u the weight's halves."""
        out = x.new_empty((len(x), len(self.values) // 2))
        for rows in _blocks(len(x)):
            product, scales = self._product(x[rows])
            product.mul_(scales)
            if bias is not None:
                product.add_(bias)
            gate, up = product.chunk(2, dim=-1)
            torch.mul(silu(gate), up, out=out[rows])
        return out

    def _product(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """fp32 results [T, N] that lack the tokens' scales, and these scales [T, 1]."""
        values, scales = _tokens(x)
        return _multiplied(values, self._layout(), self.scales), scales

    def _layout(self) -> Tensor:
        at = (self.values.data_ptr(), len(self.values))
        layout = self._layouts.get(at)
        if layout is None:  # two threads may both build it; the layouts are equal and one is kept
            layout = _laid_out(self.values)
            self._layouts[at] = layout
        return layout


@cache
def works() -> bool:
    """Whether oneDNN's int8 products exist here and are exact within the limits of `_steps`."""
    return exact_up_to(LARGEST, 0)


@cache
def exact_up_to(first: int, second: int) -> bool:
    """Whether products are exact where neighbouring weights are as large as these two."""
    weights = torch.tensor([[first, second], [-first, -second], [first, -second]]).repeat(16, 16)
    tokens = torch.tensor([[LARGEST, LARGEST], [-LARGEST, -LARGEST], [0, LARGEST]]).repeat(11, 16)
    weights, tokens = weights.to(torch.int8), tokens.to(torch.int8)
    try:
        shifted = _shifted(tokens.clone())
        found = _multiplied(shifted, _laid_out(weights), torch.ones(len(weights)))
    except Exception as error:
        log.warning("int8 linear layers are not usable here: %s", error)
        return False
    return torch.equal(found.double(), tokens.double() @ weights.double().t())


def _steps(weight: Tensor, *, narrow: bool) -> Tensor:
    """[N, K] -> the scale of each row [N].

    narrow  keep 255 (a + b) within 16 bits for all neighbours a, b of one sign: oneDNN shifts tokens to
            1..255, so a + b may be 128. Rounding adds at most 1
    """
    largest = weight.abs().amax(1)
    if narrow:
        pairs = pad(weight, (0, weight.shape[1] % 2)).unflatten(1, (-1, 2))
        for sign in (1, -1):
            largest = torch.maximum(largest, (sign * pairs).clamp(min=0).sum(2).amax(1))
    return largest.clamp(min=SMALLEST) / LARGEST


def _tokens(x: Tensor) -> tuple[Tensor, Tensor]:
    """[T, K] -> uint8 values [T, K] and fp32 scales [T, 1], such that x ~ (values - ZERO) * scales."""
    largest = x.abs().amax(dim=1, keepdim=True).float().clamp_(min=SMALLEST)
    values = (x.float() * (LARGEST / largest)).round_().to(torch.int8)
    return _shifted(values), largest / LARGEST


def _shifted(values: Tensor) -> Tensor:
    """int8 values + ZERO in uint8, in place: the sign bit flipped. torch's conversion takes seven times as
    long."""
    return values.view(torch.uint8).bitwise_xor_(ZERO)


def _laid_out(values: Tensor) -> Tensor:
    layout: Tensor = torch.ops.onednn.qlinear_prepack(values.contiguous(), [BLOCK, values.shape[1]])
    return layout


def _multiplied(tokens: Tensor, layout: Tensor, scales: Tensor) -> Tensor:
    """(tokens [T, K] uint8 - ZERO) x a laid out weight [N, K] x its scales [N] -> [T, N] fp32."""
    zeros = torch.zeros(len(scales), dtype=torch.int32)
    product: Tensor = torch.ops.onednn.qlinear_pointwise(
        tokens, 1.0, ZERO, layout, scales, zeros, None, 1.0, 0, torch.float32, "none", [], ""
    )
    return product


def _blocks(tokens: int) -> list[slice]:
    return [slice(start, start + BLOCK) for start in range(0, tokens, BLOCK)]
