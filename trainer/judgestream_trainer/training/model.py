"""The model to train: a new one of the recipe's size, or a base. Both are transformers models.

On packed batches transformers' LLaMA is as fast, even at the smallest size, as a plain module on padded ones,
so both kinds of recipe share one model.
"""

from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import rms_norm
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel, PreTrainedTokenizerBase
from transformers.models.llama.modeling_llama import LlamaRMSNorm
from transformers.models.mistral.modeling_mistral import MistralRMSNorm
from transformers.models.qwen2.modeling_qwen2 import Qwen2RMSNorm
from transformers.models.qwen3.modeling_qwen3 import Qwen3RMSNorm

from judgestream.core.errors import ConfigurationError
from judgestream.engine import training_attention
from judgestream.engine.checkpoint import load_model, load_tokens
from judgestream.engine.tokens import Tokens
from judgestream_trainer.recipe import Recipe

_NORMS = (LlamaRMSNorm, MistralRMSNorm, Qwen2RMSNorm, Qwen3RMSNorm)
"""The norms of the families that the engine supports. Each is x / rms(x) times a weight, as `_norm` computes
it. A norm that adds 1 to its weight, or has a bias, must not be listed here."""


def fresh(recipe: Recipe, tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    """An untrained LLaMA of the recipe's size, initialised from the recipe's seed. Embedding and output head
    share one matrix."""
    size = recipe.size
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=size.hidden,
        intermediate_size=size.intermediate,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.heads,
        max_position_embeddings=size.context,
        rms_norm_eps=1e-6,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        model = LlamaForCausalLM(config)
    return ready(model)


def based_on(recipe: Recipe, base: Path) -> tuple[PreTrainedModel, Tokens]:
    """The base's model and tokenizer. With LoRA, and in pure bf16, its weights are loaded in bf16.

    Raises:
        ConfigurationError: the engine cannot load the folder, it is a reward model, or its context is shorter
            than the recipe's.
    """
    how = recipe.optimisation
    frozen = recipe.lora.rank > 0 and how.precision == "bfloat16"
    small = frozen or how.precision == "pure-bfloat16"
    model = load_model(base, torch.bfloat16 if small else torch.float32)
    if not hasattr(model, "lm_head"):
        raise ConfigurationError(
            f"{base} is a reward model, which cannot write score lines: use the language model that it was"
            " made from"
        )
    context = int(model.config.max_position_embeddings)
    if recipe.size.context > context:
        raise ConfigurationError(
            f"recipe {recipe.name}: size.context {recipe.size.context} exceeds the {context} of {base}"
        )
    return ready(model), load_tokens(base)


def ready(model: PreTrainedModel) -> PreTrainedModel:
    """The model with packed attention and fused norms, in training mode; changed in place."""
    training_attention.prepare(model)
    for module in model.modules():
        if isinstance(module, _NORMS):
            norm: Any = module
            norm.forward = partial(_norm, module)
    model.train(True)
    return model


def _norm(module: Any, x: Tensor) -> Tensor:
    """RMSNorm in one kernel and in the dtype of its input: transformers uses seven kernels and returns
    fp32."""
    weight = module.weight.to(x.dtype)
    return rms_norm(x, (x.shape[-1],), weight, module.variance_epsilon)


def recompute(model: PreTrainedModel, share: float) -> None:
    """Use gradient checkpointing in the first layers, this share of all. They take a third more arithmetic
    and about a tenth of the activation memory."""
    if share <= 0:
        return
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    layers: Any = model.base_model.layers
    for layer in list(layers)[round(share * len(layers)) :]:
        layer.gradient_checkpointing = False


def parameter_count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def flops_per_token(model: PreTrainedModel, mean_length: float) -> float:
    """Model FLOPs of training on one token: 6 per weight of the linear layers (4 for a frozen weight, which
    has no gradient), plus 6 * length * width * layers for causal attention. The head is left out, since it
    reads few columns, and so is recomputation."""
    body: Any = model.base_model
    config: Any = model.config
    weights = sum(
        p.numel() * (1.0 if p.requires_grad else 2 / 3)
        for p in body.layers.parameters()
        if p.dim() == 2
    )
    heads = int(config.num_attention_heads)
    width = heads * int(getattr(config, "head_dim", None) or config.hidden_size // heads)
    attention = mean_length * width * int(config.num_hidden_layers)
    return 6.0 * float(weights + attention)
