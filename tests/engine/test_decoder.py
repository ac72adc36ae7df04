"""Our forward equals transformers' own, for every supported model family."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from judgestream.engine.attention import AttentionStep, attend
from judgestream.engine.decoder import AttentionFn, Decoder
from judgestream.engine.linear import dense

SIZE: dict[str, Any] = {
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "initializer_range": 0.3,
}
LLAMA3: dict[str, Any] = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 4.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
FAMILIES: dict[str, Callable[[], PreTrainedModel]] = {
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**SIZE)),
    "llama, tied, biased": lambda: LlamaForCausalLM(
        LlamaConfig(**SIZE, tie_word_embeddings=True, attention_bias=True, mlp_bias=True)
    ),
    "llama 3": lambda: LlamaForCausalLM(LlamaConfig(**SIZE, rope_parameters=LLAMA3)),
    "mistral": lambda: MistralForCausalLM(MistralConfig(**SIZE, sliding_window=None)),
    "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**SIZE)),
    "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**SIZE, head_dim=16)),
}


def alone(
    decoder: Decoder, length: int, queries: tuple[tuple[int, int], ...] | None = None
) -> AttentionFn:
    whole = ((0, length),)
    every = AttentionStep(queries=whole, keys=whole, causal=True)

    def attention(n: int, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        last = AttentionStep(queries=((0, 1),), keys=whole)
        rounds = (last,) if len(q) == 1 and length > 1 else (every,)
        return attend(decoder.kernel, q, k, v, rounds, decoder.scale)[0]

    return attention


@pytest.mark.parametrize("name", FAMILIES)
@torch.inference_mode()
def test_logits_equal_those_of_transformers(name: str) -> None:
    torch.manual_seed(2)
    model = FAMILIES[name]()
    for parameter in model.parameters():  # biases and norms too, which start as zeros and ones
        parameter.add_(torch.randn_like(parameter) * 0.1)
    model.eval()
    ids = torch.randint(97, (150,))
    expected = model(ids[None], use_cache=False).logits[0]
    decoder = Decoder.from_model(model)
    found = decoder.logits(decoder.forward(ids, torch.arange(150), alone(decoder, 150)))
    torch.testing.assert_close(found, expected, atol=2e-4, rtol=1e-4)
    after = model(ids[None], use_cache=False).logits[0]  # the model lives on over the fused weights
    torch.testing.assert_close(after, expected, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_reading_one_column_equals_reading_all() -> None:
    torch.manual_seed(2)
    decoder = Decoder.from_model(FAMILIES["qwen3"]().eval())
    ids, positions = torch.randint(97, (40,)), torch.arange(40)
    every = decoder.forward(ids, positions, alone(decoder, 40))
    last = decoder.forward(ids, positions, alone(decoder, 40), read=torch.tensor([39]))
    torch.testing.assert_close(last[0], every[39], atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_transformers_modules_are_views_of_the_fused_weights() -> None:
    model = FAMILIES["llama"]().eval()
    decoder = Decoder.from_model(model)
    fused = dense(decoder.layers[0].qkv)
    assert isinstance(fused, Tensor)
    attn = model.model.layers[0].self_attn
    assert attn.q_proj.weight.data_ptr() == fused.data_ptr()
    attn.v_proj.weight.fill_(3.0)
    assert bool((fused[-attn.v_proj.weight.shape[0] :] == 3.0).all())


def test_another_architecture_is_refused() -> None:
    tiny = GPT2Config(n_layer=1, n_head=1, n_embd=8, vocab_size=11)
    with pytest.raises(ValueError, match="'gpt2'; supported: llama"):
        Decoder.from_model(GPT2LMHeadModel(tiny))
