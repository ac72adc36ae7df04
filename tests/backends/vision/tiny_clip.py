"""A tiny random CLIP checkpoint with CLIP's own kind of tokenizer, written as transformers writes them."""

from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from tokenizers import pre_tokenizers
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPProcessor,
    CLIPTextConfig,
    CLIPTokenizer,
    CLIPVisionConfig,
)

from judgestream.core.prompt import Prompt
from judgestream.core.templates.image_scorer import FORM, SCORER

SIDE, PATCH, POSITIONS = 32, 8, 16
MERGES = (("r", "e"), ("re", "d</w>"), ("a", "r"), ("s", "q"), ("sq", "u"))
LONG = "a red square beside a very long blue line"
"""A caption of more than `POSITIONS` tokens."""
LEGACY = 2
"""The eos_token_id of the config.json files of 2021 to 2023."""


def prompt(caption: str, *images: bytes) -> Prompt:
    form = SCORER.forms[FORM]
    return Prompt(text=form.render(caption, (), None), grammar=form.grammar, images=images)


def make(folder: Path, *, seed: int = 0, eos: int | None = None) -> Path:
    """Write a checkpoint with random weights (without a manifest) and return its folder.

    eos   the eos_token_id of config.json; None: the tokenizer's own
    """
    tokenizer = _tokenizer()
    torch.manual_seed(seed)
    text = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=POSITIONS,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id if eos is None else eos,
        initializer_factor=8.0,
    )
    vision = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_size=SIDE,
        patch_size=PATCH,
        initializer_factor=8.0,
    )
    config = CLIPConfig(
        text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=24
    )
    model: Any = CLIPModel(config)
    model.save_pretrained(folder)
    processor(tokenizer).save_pretrained(folder)
    return folder


def processor(tokenizer: CLIPTokenizer) -> CLIPProcessor:
    """transformers' own processor of this model."""
    images = CLIPImageProcessorPil(
        size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}
    )
    return CLIPProcessor(image_processor=images, tokenizer=tokenizer)


def own_values(folder: Path, caption: str, *images: bytes) -> list[float]:
    """What transformers makes of a caption and images: its processor, its forward, its logits."""
    processor: Any = CLIPProcessor.from_pretrained(folder, local_files_only=True)
    model: Any = CLIPModel.from_pretrained(folder, local_files_only=True)
    inputs = processor(
        text=[caption],
        images=[Image.open(BytesIO(image)).convert("RGB") for image in images],
        return_tensors="pt",
        padding=True,
        truncation=True,
        max_length=POSITIONS,
    )
    with torch.inference_mode():
        logits: list[float] = model(**inputs).logits_per_image[:, 0].tolist()
    return logits


@cache
def _tokenizer() -> CLIPTokenizer:
    """Every byte, alone and at the end of a word, a few merges, and the two control tokens behind them."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    texts = [
        *letters,
        *(f"{letter}</w>" for letter in letters),
        *(left + right for left, right in MERGES),
        "<|startoftext|>",
        "<|endoftext|>",
    ]
    merges: Any = list(MERGES)
    return CLIPTokenizer(
        vocab={text: number for number, text in enumerate(texts)},
        merges=merges,
        model_max_length=POSITIONS,
    )
