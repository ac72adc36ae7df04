"""Prepacked linear layers for CPUs equal plain arithmetic."""

from functools import partial

import pytest
import torch
from torch import Tensor
from torch.nn.functional import silu

from judgestream.engine import prepacked
from judgestream.engine.linear import added, gated, linear
from judgestream.engine.prepacked import Prepacked

assert_close = partial(torch.testing.assert_close, atol=1e-4, rtol=1e-4)


@pytest.fixture
def weight() -> Tensor:
    if not prepacked.works(torch.float32):
        pytest.skip("this torch has no oneDNN linear operators")
    return torch.randn(96, 40, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("rows", [1, 7, 64, 1100])
@pytest.mark.parametrize("biased", [False, True])
def test_every_product_is_that_of_the_plain_weight(weight: Tensor, rows: int, biased: bool) -> None:
    x, states = torch.randn(rows, 40), torch.randn(rows, 96)
    bias = torch.randn(96) if biased else None
    packed = Prepacked.of(weight)
    assert_close(linear(x, packed, bias), linear(x, weight, bias))
    assert_close(added(states, x, packed, bias), states + linear(x, weight, bias))
    gate, up = linear(x, weight, bias).chunk(2, dim=-1)
    assert_close(gated(x, packed, bias), silu(gate) * up)


def test_added_states_are_not_modified(weight: Tensor) -> None:
    x, states = torch.randn(3, 40), torch.randn(3, 96)
    before = states.clone()
    added(states, x, Prepacked.of(weight))
    assert torch.equal(states, before)


def test_a_slice_of_a_slice(weight: Tensor) -> None:
    x = torch.randn(5, 40)
    part = Prepacked.of(weight)[20:80][10:30]
    assert part.numel() == 20 * 40
    assert_close(linear(x, part), linear(x, weight[30:50]))


def test_unsupported_dtypes_do_not_work() -> None:
    assert not prepacked.works(torch.float64)
