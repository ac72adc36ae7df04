"""Matrix products with a weight in any form: plain tensor, quantised, or prepacked for a CPU."""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn.functional import linear as torch_linear
from torch.nn.functional import silu

from judgestream.engine.float8 import Float8
from judgestream.engine.int8 import Int8
from judgestream.engine.prepacked import Prepacked

Weight = Tensor | Float8 | Int8 | Prepacked
"""[N, K]."""

Quantisation = Callable[[Tensor], Float8 | Int8]
"""A plain weight -> its quantised form."""


def linear(x: Tensor, weight: Weight, bias: Tensor | None = None) -> Tensor:
    """x [T, K] -> x w^T + bias [T, N] in x's dtype."""
    if isinstance(weight, Tensor):
        return torch_linear(x, weight, bias)
    return weight.linear(x, bias)


def added(states: Tensor, x: Tensor, weight: Weight, bias: Tensor | None = None) -> Tensor:
    """states [T, N] + x w^T + bias [T, N]."""
    if isinstance(weight, Prepacked | Int8):
        return weight.added(states, x, bias)
    return states + linear(x, weight, bias)


def gated(x: Tensor, weight: Weight, bias: Tensor | None = None) -> Tensor:
    """silu(g) * u [T, N / 2], where g and u are the halves of x w^T + bias."""
    if isinstance(weight, Prepacked | Int8):
        return weight.gated(x, bias)
    gate, up = linear(x, weight, bias).chunk(2, dim=-1)
    return silu(gate).mul_(up)


def dense(weight: Weight) -> Tensor | Float8 | Int8:
    """The weight without a CPU's layout."""
    return weight.dense if isinstance(weight, Prepacked) else weight


def quantised(weight: Weight, quantisation: Quantisation) -> Weight:
    """The weight quantised, if it is not already."""
    plain = dense(weight)
    return quantisation(plain) if isinstance(plain, Tensor) else plain


def free_weights(model: nn.Module) -> None:
    """Free the memory of all linear layers' weights but a head's. The decoder has them in another form."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and name not in ("lm_head", "score"):
            nn.Module.to(module, "meta")
