"""Int8 linear layers for CPUs: rounding, exact integer products, and independence of neighbours."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import silu

from judgestream.core.errors import ConfigurationError
from judgestream.engine import int8
from judgestream.engine.int8 import BLOCK, Int8
from judgestream.engine.linear import added, dense, gated, linear, quantised
from judgestream.engine.prepacked import Prepacked

needs_int8 = pytest.mark.skipif(not int8.works(), reason="this CPU or torch has no int8 products")


def random(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def rounded(x: Tensor) -> Tensor:
    """Each row in 127 steps of its largest value, in float64."""
    steps = x.double().abs().amax(1, keepdim=True) / 127
    return (x.double() / steps).round() * steps


def restored(weight: Int8) -> Tensor:
    return weight.values.double() * weight.scales.double()[:, None]


@pytest.mark.parametrize("narrow", [False, True])
def test_each_output_has_its_own_scale_and_is_rounded_to_half_a_step(narrow: bool) -> None:
    weight = random(32, 48) * torch.logspace(-3, 3, 32)[:, None]
    found = Int8.rounded(weight, narrow=narrow)
    assert found.values.dtype == torch.int8 and found.scales.shape == (32,)
    errors = (restored(found) - weight.double()).abs()
    assert bool((errors <= found.scales.double()[:, None] * 0.501).all())
    coarsest = weight.abs().amax(1) / (127 if not narrow else 63)
    assert bool((found.scales <= coarsest).all())


def test_one_large_weight_coarsens_its_own_output_only() -> None:
    weight = random(4, 16)
    before = Int8.rounded(weight, narrow=True).scales
    weight[2, 5] = 1000.0
    after = Int8.rounded(weight, narrow=True).scales
    assert torch.equal(before[[0, 1, 3]], after[[0, 1, 3]])
    assert float(after[2]) == pytest.approx(1000 / 127, rel=0.01)


def test_neighbours_of_one_sign_fit_sixteen_bits_where_the_cpu_needs_it() -> None:
    """255 (a + b) <= 32,767 for tokens that are shifted to 1..255, so a + b may be 128."""
    for width in (64, 63):
        values = Int8.rounded(random(200, width, seed=width), narrow=True).values.int()
        pairs = torch.nn.functional.pad(values, (0, width % 2)).unflatten(1, (-1, 2))
        for sign in (1, -1):
            assert int((sign * pairs).clamp(min=0).sum(2).max()) <= 128


@needs_int8
@pytest.mark.parametrize("tokens", [1, 5, BLOCK + 3])
@pytest.mark.parametrize("biased", [False, True])
def test_products_are_those_of_the_rounded_matrices(tokens: int, biased: bool) -> None:
    x, states, weight = random(tokens, 40, seed=2), random(tokens, 96, seed=3), random(96, 40)
    bias = random(96, seed=4) if biased else None
    eight = Int8.of(weight)
    product = rounded(x) @ restored(eight).T
    if bias is not None:
        product += bias.double()
    torch.testing.assert_close(linear(x, eight, bias).double(), product, atol=1e-4, rtol=1e-5)
    total = added(states, x, eight, bias).double()
    torch.testing.assert_close(total, states.double() + product, atol=1e-4, rtol=1e-5)
    gate, up = product.chunk(2, dim=-1)
    torch.testing.assert_close(
        gated(x, eight, bias).double(), silu(gate) * up, atol=1e-3, rtol=1e-5
    )


@needs_int8
def test_the_error_of_a_product_is_that_of_two_roundings() -> None:
    """Half a step of each side, uniform: variance step^2 / 12 per factor; four standard errors here."""
    x, weight = random(64, 512, seed=5), random(128, 512, seed=6)
    error = (linear(x, Int8.of(weight)).double() - x.double() @ weight.double().T).std()
    steps_x = x.abs().amax(1).mean() / 127
    steps_w = Int8.of(weight).scales.mean()
    expected = float(((steps_x**2 + steps_w**2) * 512 / 12) ** 0.5)
    assert float(error) == pytest.approx(expected, rel=0.1)


@needs_int8
def test_extreme_products_are_exact() -> None:
    """Every token and weight at its limit, where a 16-bit sum would overflow first."""
    weight = torch.ones(32, 64)
    weight[1::2] = -1
    x = torch.ones(3, 64)
    x[1] = -1
    eight = Int8.of(weight)
    torch.testing.assert_close(linear(x, eight).double(), x.double() @ restored(eight).T)


@needs_int8
def test_a_token_does_not_depend_on_its_neighbours() -> None:
    """Bit for bit: alone, in another place, beside a token a thousand times as large."""
    x, weight = random(2 * BLOCK + 9, 40), Int8.of(random(32, 40, seed=9))
    x[7] *= 1000
    together = linear(x, weight)
    for at in (0, 6, 7, 8, BLOCK - 1, BLOCK, 2 * BLOCK + 8):
        assert torch.equal(linear(x[at : at + 1], weight)[0], together[at])
    assert torch.equal(linear(x.flip(0), weight).flip(0), together)


@needs_int8
def test_zeros_stay_zeros() -> None:
    weight = random(8, 16)
    weight[3] = 0
    x = random(4, 16, seed=2)
    x[1] = 0
    found = linear(x, Int8.of(weight))
    assert not found[1].any() and not found[:, 3].any()
    assert bool(found[0, :3].all())
    assert not linear(torch.zeros(2, 16), Int8.of(torch.zeros(8, 16))).any()


@needs_int8
def test_results_have_the_dtype_of_the_tokens() -> None:
    x, weight = random(5, 32).bfloat16(), random(48, 32).bfloat16()
    states = random(5, 48).bfloat16()
    eight = Int8.of(weight)
    expected = rounded(x) @ restored(eight).T
    for found, right in (
        (linear(x, eight), expected),
        (added(states, x, eight), states.double() + expected),
    ):
        assert found.dtype == torch.bfloat16
        torch.testing.assert_close(found.double(), right, atol=5e-2, rtol=1e-2)
    assert gated(x, eight).dtype == torch.bfloat16


@needs_int8
def test_slices_are_the_outputs_of_the_whole() -> None:
    x, eight = random(5, 40), Int8.of(random(96, 40))
    whole = linear(x, eight)
    assert torch.equal(linear(x, eight[16:48]), whole[:, 16:48])
    assert torch.equal(linear(x, eight[16:48][8:]), whole[:, 24:48])
    assert eight[16:48].numel() == 32 * 40


@needs_int8
def test_quantising_twice_changes_nothing_and_layouts_are_undone_first() -> None:
    weight = random(32, 40)
    eight = quantised(weight, Int8.of)
    assert quantised(eight, Int8.of) is eight
    packed = quantised(Prepacked.of(weight), Int8.of)
    assert isinstance(packed, Int8) and isinstance(eight, Int8)
    assert torch.equal(packed.values, eight.values) and dense(packed) is packed


def test_other_devices_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="int8 does not work on this meta: use dtype"):
        Int8.of(torch.zeros(4, 4, device="meta"))
