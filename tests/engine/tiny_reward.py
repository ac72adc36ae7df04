"""Tiny random reward models: `...ForSequenceClassification` folders with one label, as they are published."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import (
    LlamaConfig,
    LlamaForSequenceClassification,
    MistralConfig,
    MistralForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForSequenceClassification,
    Qwen3Config,
    Qwen3ForSequenceClassification,
)

from judgestream.core.prompt import Prompt
from judgestream.core.templates import REWARD
from tests.engine import tiny

CHAT = (
    "{{ bos_token }}{% for m in messages %}{{ '<' + m['role'] + '>\n' + m['content'] + eos_token + '\n' }}"
    "{% endfor %}"
)
SIZE: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 1024,
    "initializer_range": 0.4,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
MODELS: dict[str, Callable[..., PreTrainedModel]] = {
    "llama": lambda **size: LlamaForSequenceClassification(LlamaConfig(**SIZE, **size)),
    "llama, tied": lambda **size: LlamaForSequenceClassification(
        LlamaConfig(**SIZE, **size, tie_word_embeddings=True, attention_bias=True)
    ),
    "mistral": lambda **size: MistralForSequenceClassification(
        MistralConfig(**SIZE, **size, sliding_window=None)
    ),
    "qwen2": lambda **size: Qwen2ForSequenceClassification(Qwen2Config(**SIZE, **size)),
    "qwen3": lambda **size: Qwen3ForSequenceClassification(
        Qwen3Config(**SIZE, **size, head_dim=16)
    ),
}
VALUE = REWARD.forms["value"].grammar
QUESTION = "What is 2 + 2? Think of four apples, of two hands, and of all that you have learned."
ANSWERS = ("4", "It is five, of course.", "ok " * 40, "", "很好 \U0001f600")


def make(folder: Path, name: str = "llama", *, labels: int = 1, chat: str = CHAT) -> Path:
    """Write one checkpoint (without a manifest) and return its folder."""
    tiny.make(folder, "merged")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    tokenizer.chat_template = chat or None
    for file in folder.iterdir():
        file.unlink()
    tokenizer.save_pretrained(folder)
    torch.manual_seed(3)
    model = MODELS[name](vocab_size=len(tokenizer), num_labels=labels)
    model.save_pretrained(folder)
    return folder


def prompts(
    question: str = QUESTION, answers: tuple[str, ...] = ANSWERS, reference: str | None = None
) -> list[Prompt]:
    form = REWARD.forms["value"]
    return [
        Prompt(text=form.render(question, (answer,), reference), grammar=form.grammar)
        for answer in answers
    ]
