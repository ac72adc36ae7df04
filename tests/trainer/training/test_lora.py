"""The adapted layer against its formula, written out."""

import pytest
import torch
from torch import Tensor, nn

from judgestream_trainer.recipe import Lora
from judgestream_trainer.training.lora import LoraLinear

INPUTS, OUTPUTS, ROWS = 24, 40, 17


def layer_of(*, bias: bool, dtype: torch.dtype = torch.float32) -> LoraLinear:
    torch.manual_seed(3)
    base = nn.Linear(INPUTS, OUTPUTS, bias=bias, dtype=dtype).requires_grad_(False)
    layer = LoraLinear(base, Lora(rank=4, alpha=8), torch.Generator().manual_seed(5))
    nn.init.normal_(layer.lora_B)
    return layer


def formula(layer: LoraLinear, x: Tensor) -> Tensor:
    """W x + (alpha / r) B A x + bias."""
    y = x @ layer.base.weight.T + 8 / 4 * (x @ layer.lora_A.T @ layer.lora_B.T)
    return y if layer.base.bias is None else y + layer.base.bias


def outcome(layer: LoraLinear, x: Tensor, y: Tensor) -> list[Tensor]:
    """Output, and the gradients of the input and of both adapter matrices for a fixed loss."""
    weights = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view(y.shape)
    inputs = (x, layer.lora_A, layer.lora_B)
    return [y.detach(), *torch.autograd.grad((y * weights).sum(), inputs)]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shape", [(ROWS, INPUTS), (1, ROWS, INPUTS), (2, ROWS, INPUTS)])
def test_output_and_gradients_are_those_of_the_formula(shape: tuple[int, ...], bias: bool) -> None:
    layer = layer_of(bias=bias)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(7)).requires_grad_()
    actual = outcome(layer, x, layer(x))
    exact = layer_of(bias=bias).double()
    wide = x.detach().double().requires_grad_()
    for name, found, expected in zip(
        ("output", "x", "A", "B"),
        actual,
        outcome(exact, wide, formula(exact, wide)),
        strict=True,
    ):
        apart = (found.double() - expected).abs().max() / expected.abs().max()
        assert apart < 1e-6, f"{name}: {apart}"


def test_first_layer_needs_no_gradient_of_its_input() -> None:
    layer = layer_of(bias=False)
    layer(torch.ones(ROWS, INPUTS)).sum().backward()
    assert layer.lora_A.grad is not None
    assert layer.lora_B.grad is not None
    assert layer.base.weight.grad is None


def test_base_that_is_trained_keeps_its_gradient() -> None:
    layer = layer_of(bias=False)
    layer.base.requires_grad_(True)
    layer(torch.ones(ROWS, INPUTS)).sum().backward()
    assert layer.base.weight.grad is not None
    assert torch.allclose(layer.base.weight.grad, torch.full((OUTPUTS, INPUTS), float(ROWS)))


def test_bf16_base_is_not_merged() -> None:
    """A small adapter would vanish in the rounding of a bf16 weight."""
    layer = layer_of(bias=False, dtype=torch.bfloat16)
    with torch.no_grad():
        layer.lora_B.mul_(1e-4)
    x = torch.randn(ROWS, INPUTS, dtype=torch.bfloat16).requires_grad_()
    y = layer(x)
    low = x.float() @ layer.lora_A.T
    expected = layer.base(x) + (2 * (low @ layer.lora_B.T)).bfloat16()
    assert torch.equal(y, expected)
    y.float().sum().backward()
    assert layer.lora_A.grad is not None and layer.lora_A.grad.abs().max() > 0
