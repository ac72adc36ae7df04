"""Matrix products with a weight in any form: plain tensor, float8, or prepacked for a CPU."""

from torch import Tensor
from torch.nn.functional import linear as torch_linear
from torch.nn.functional import silu

from judgestream.engine.float8 import Float8
from judgestream.engine.prepacked import Prepacked

Weight = Tensor | Float8 | Prepacked
"""[N, K]."""


def linear(x: Tensor, weight: Weight, bias: Tensor | None = None) -> Tensor:
    """x [T, K] -> x w^T + bias [T, N] in x's dtype."""
    if isinstance(weight, Tensor):
        return torch_linear(x, weight, bias)
    return weight.linear(x, bias)


def added(states: Tensor, x: Tensor, weight: Weight, bias: Tensor | None = None) -> Tensor:
    """states [T, N] + x w^T + bias [T, N]."""
    if isinstance(weight, Prepacked):
        return weight.added(states, x, bias)
    return states + linear(x, weight, bias)


def gated(x: Tensor, weight: Weight, bias: Tensor | None = None) -> Tensor:
    """silu(g) * u [T, N / 2], where g and u are the halves of x w^T + bias."""
    if isinstance(weight, Prepacked):
        return weight.gated(x, bias)
    gate, up = linear(x, weight, bias).chunk(2, dim=-1)
    return silu(gate).mul_(up)


def dense(weight: Weight) -> Tensor | Float8:
    """The weight without a CPU's layout."""
    return weight.dense if isinstance(weight, Prepacked) else weight
