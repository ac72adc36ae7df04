"""Differentiable packed attention: sequences never see each other, and kernels equal plain attention."""

from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import (
    DynamicCache,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
)

from judgestream.engine import training_attention
from judgestream.engine.training_attention import KERNELS, Plan, choose, plan, prepare, sequences

CPU = torch.device("cpu")
LENGTHS = (9, 1, 30, 7, 31, 8)


@pytest.fixture(scope="module")
def model() -> LlamaForCausalLM:
    torch.manual_seed(0)
    made = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=64,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
        )
    )
    prepare(made)
    return made


def run(model: LlamaForCausalLM, rows: list[torch.Tensor]) -> torch.Tensor:
    states: torch.Tensor = model.model(
        input_ids=torch.cat(rows)[None],
        position_ids=torch.cat([torch.arange(len(row)) for row in rows])[None],
        plan=plan(KERNELS["buckets"], [len(row) for row in rows], CPU),
        attention_mask=None,
        use_cache=False,
    ).last_hidden_state[0]
    return states


def parts_of(kv_heads: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    return [
        torch.randn(heads, sum(LENGTHS), 16, generator=generator)
        for heads in (4, kv_heads, kv_heads)
    ]


@pytest.mark.parametrize("kv_heads", [4, 2])
def test_output_and_gradients_in_buckets_are_those_of_plain_attention(kv_heads: int) -> None:
    parts = parts_of(kv_heads)
    found = training_attention._outcome(KERNELS["buckets"], parts, LENGTHS)
    expected = training_attention._outcome(sequences, parts, LENGTHS)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize("kv_heads", [4, 2])
def test_flex_attention_equals_plain_attention(kv_heads: int) -> None:
    """Its output only: torch has no gradient of it on CPUs."""
    parts = parts_of(kv_heads)
    how = plan(KERNELS["cuda-flex"], LENGTHS, CPU)
    found = how.kernel(parts[0], parts[1], parts[2], how, 0.25)
    expected = sequences(parts[0], parts[1], parts[2], how, 0.25)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_loss_and_gradient_of_a_sequence_do_not_change_with_its_neighbours(
    model: LlamaForCausalLM,
) -> None:
    generator = torch.Generator().manual_seed(3)
    rows = [torch.randint(64, (n,), generator=generator) for n in LENGTHS]
    other = [torch.randint(64, (n,), generator=generator) for n in LENGTHS]

    def gradient(company: list[torch.Tensor], at: int) -> list[torch.Tensor]:
        start = sum(len(row) for row in company[:at])
        states = run(model, company)[start : start + len(company[at])]
        return [
            states,
            *torch.autograd.grad(states.square().mean(), tuple(model.model.parameters())),
        ]

    alone = gradient([rows[2]], 0)
    among = gradient([other[0], other[1], rows[2], *other[3:]], 2)
    torch.testing.assert_close(among, alone, atol=1e-5, rtol=1e-4)


def test_a_packed_row_refuses_a_cache_a_mask_and_a_missing_plan(model: LlamaForCausalLM) -> None:
    ids = torch.arange(8)[None]
    how = plan(KERNELS["buckets"], (5, 3), CPU)
    wrong: tuple[dict[str, Any], ...] = (
        {"plan": how, "use_cache": True},
        {"plan": how, "past_key_values": DynamicCache()},
        {"plan": how, "attention_mask": torch.ones_like(ids)},
        {},
    )
    for options in wrong:
        with pytest.raises(ValueError, match="no cache and no mask"):
            model.model(ids, position_ids=ids, **options)
    with pytest.raises(ValueError, match="another row's plan"):
        model.model(ids[:, :4], position_ids=ids[:, :4], plan=how)


def test_a_sequence_beyond_a_sliding_window_is_refused() -> None:
    config = MistralConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=2,
        sliding_window=6,
    )
    mistral = MistralForCausalLM(config)
    prepare(mistral)
    ids = torch.arange(10)[None]
    with pytest.raises(ValueError, match="window of 6"):
        mistral.model(ids, position_ids=ids, plan=plan(KERNELS["buckets"], (7, 3), CPU))
    mistral.model(ids, position_ids=ids, plan=plan(KERNELS["buckets"], (5, 5), CPU))


def test_a_wrong_training_kernel_is_skipped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def without_gradient(q: Tensor, k: Tensor, v: Tensor, how: Plan, scale: float) -> Tensor:
        return sequences(q, k.detach(), v, how, scale) + 0 * k.sum()

    assert choose(CPU, torch.float32, 4, 2, 16) == "buckets"
    assert choose(CPU, torch.bfloat16, 4, 2, 16) == "buckets"
    monkeypatch.setattr(
        training_attention, "KERNELS", {"buckets": without_gradient, "sequences": sequences}
    )
    assert choose(CPU, torch.float32, 4, 2, 16) == "sequences"
