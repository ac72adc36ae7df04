"""A tiny LLaVA checkpoint, made on the spot: CLIP with 16 patches, LLaMA with two layers.

`teach` fits it to a few prompts, so that its verdicts depend on its images.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch.nn.functional import cross_entropy
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

from judgestream.backends.vision.checkpoint import VisionCheckpoint, load
from judgestream.backends.vision.judge import Job, VisionJudge
from judgestream.core.prompt import Prompt
from judgestream.core.templates.base import ImageCounts
from judgestream.core.templates.vision import LLAVA
from tests.images.files import image_file

SIDE, PATCH = 32, 8
IMAGE_TOKENS = (SIDE // PATCH) ** 2
RED, BLUE = image_file("PNG", (40, 40), "red"), image_file("JPEG", (48, 32), "blue")


def pair(
    question: str,
    texts: tuple[str, str] = ("", ""),
    images: Sequence[bytes] = (RED, BLUE),
    *,
    max_tokens: int = 0,
) -> Prompt:
    """Two answers with one image each."""
    form = LLAVA.forms["pair"]
    assert form.image_layout is not None
    text = form.image_layout(question, texts, None, ImageCounts(answers=(1, 1))).text
    return Prompt(text=text, grammar=form.grammar, images=tuple(images), max_tokens=max_tokens)


def single(question: str, answer: str, image: bytes) -> Prompt:
    """One answer about an image of the question."""
    form = LLAVA.forms["plain"]
    assert form.image_layout is not None
    text = form.image_layout(question, (answer,), None, ImageCounts(question=1)).text
    return Prompt(text=text, grammar=form.grammar, images=(image,))


LESSONS = (
    (pair("A red square.", images=(RED, BLUE)), " 9 2\nThe first is red."),
    (pair("A red square.", images=(BLUE, RED)), " 2 9\nThe second is red."),
    (single("Which colour?", "red", RED), " 10\nRight."),
    (single("Which colour?", "red", BLUE), " 1\nIt is blue."),
)
"""Prompts that differ in their images only, and what `taught` writes."""


def agreement(alternative: str, answer: str) -> Prompt:
    """An answer about an image that is not shown, and what is right about it."""
    form = LLAVA.forms["multimodal"]
    return Prompt(text=form.render("What is x?", (alternative, answer), ""), grammar=form.grammar)


TEXT_LESSONS = (
    (agreement("17", "It shows minus one."), " 2\nNo."),
    (agreement("minus and one", "It shows minus one."), " 9\nYes."),
)
"""Prompts of texts that differ in the reference only."""


def make(folder: Path, seed: int = 0) -> Path:
    """Write a checkpoint with random weights (without a manifest) and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer()
    torch.manual_seed(seed)
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            image_size=SIDE,
            patch_size=PATCH,
            projection_dim=32,
        ),
        text_config=LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=1024,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=0,
            initializer_range=0.2,
        ),
        image_token_index=tokenizer.get_vocab()["<image>"],
    )
    model: Any = LlavaForConditionalGeneration(config)
    model.save_pretrained(folder)
    processor(tokenizer).save_pretrained(folder)
    return folder


def make_taught(folder: Path) -> Path:
    """Write a checkpoint that answers `LESSONS` and `TEXT_LESSONS`."""
    checkpoint = load(make(folder))
    teach(checkpoint, (*LESSONS, *TEXT_LESSONS))
    checkpoint.model.save_pretrained(folder)
    return folder


def processor(tokenizer: PreTrainedTokenizerFast) -> LlavaProcessor:
    """transformers' own processor of this model."""
    images = CLIPImageProcessorPil(
        size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}
    )
    return LlavaProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
    )


@cache
def _tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE with BOS in front, and a token for an image."""
    tokenizer = Tokenizer(models.BPE(unk_token=None, byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = [AddedToken(text, special=True) for text in ("<unk>", "<s>", "</s>", "<image>")]
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = [prompt.text.replace("<image>", "") for prompt, _ in LESSONS]
    tokenizer.train_from_iterator(
        [*texts, *(reply for _, reply in (*LESSONS, *TEXT_LESSONS))], trainer
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


def teach(
    checkpoint: VisionCheckpoint,
    lessons: Sequence[tuple[Prompt, str]] = LESSONS,
    steps: int = 300,
) -> None:
    """Fit a loaded checkpoint, in place, until it answers these lessons."""
    model, tokens = checkpoint.model, checkpoint.tokens
    judge = VisionJudge(checkpoint)
    samples = []
    for prompt, reply in lessons:
        job = judge.admitted(0, prompt)
        assert isinstance(job, Job)
        target = [*tokens.continuation(prompt.text, reply), min(tokens.eos)]
        samples.append((job.ids, target, job.pixels))
    optimizer = torch.optim.Adam(model.parameters(), lr=6e-3)
    for _ in range(steps):
        losses = []
        for ids, target, pixels in samples:
            logits = model(input_ids=torch.tensor([[*ids, *target[:-1]]]), pixel_values=pixels)
            behind = logits.logits[0][len(ids) - 1 :]
            losses.append(cross_entropy(behind, torch.tensor(target)))
        loss = torch.stack(losses).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss.item() < 0.02:
            return
    raise AssertionError(f"the tiny judge has not learned its lessons: loss {loss.item():.3f}")
