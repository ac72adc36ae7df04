"""The training loop: one core, one seed, the same weights every time on the same machine."""

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedTokenizerFast

from trainer.augment import visitor
from trainer.batches import Batch, Row, chunks, collate, encode
from trainer.model import Llama, Shape
from trainer.randomness import derived
from trainer.recipe import Optimisation, Recipe
from trainer.tasks import FAMILIES, items
from trainer.tasks.base import Item
from trainer.tokenizer import train_tokenizer

CORPUS_ITEMS = 1500
"""Items per family whose text the tokenizer's merges are learned from."""

CHUNK_TOKENS = 4096
"""Padded tokens per forward: long rows run alone, short ones together."""

HIGHEST_SCORE = 10

Report = Callable[[int, int, float], None]
"""Called with the step, the number of steps and the smoothed loss."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trained:
    """What training leaves behind; the guiding heads are thrown away. `seconds` is wall time."""

    model: Llama
    tokenizer: PreTrainedTokenizerFast
    loss: float
    seconds: float
    tokens: int
    pairs: int


def train(recipe: Recipe, report: Report = lambda step, steps, loss: None) -> Trained:
    """Train the recipe's judge from nothing.

    Deterministic: one thread, derived seeds, deterministic kernels. Another CPU may round differently,
    so elsewhere expect the same card, not the same bytes.
    """
    started = time.perf_counter()
    threads = torch.get_num_threads()
    was_deterministic = torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    try:
        tokenizer = build_tokenizer(recipe)
        model = Llama(shape_of(recipe, len(tokenizer)), seed=recipe.seed)
        loss, tokens = _loop(recipe, model, tokenizer, report)
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(was_deterministic)
    return Trained(
        model=model,
        tokenizer=tokenizer,
        loss=loss,
        seconds=time.perf_counter() - started,
        tokens=tokens,
        pairs=recipe.optimisation.steps * recipe.optimisation.batch,
    )


def shape_of(recipe: Recipe, vocab: int) -> Shape:
    size = recipe.size
    return Shape(
        vocab=vocab,
        hidden=size.hidden,
        layers=size.layers,
        heads=size.heads,
        intermediate=size.intermediate,
        context=size.context,
    )


def build_tokenizer(recipe: Recipe) -> PreTrainedTokenizerFast:
    """The recipe's tokenizer, its merges learned from training items only."""
    texts = (
        text
        for family in FAMILIES.values()
        for item in islice(items(family, seed=recipe.seed, held_out=False), CORPUS_ITEMS)
        for text in (
            item.question,
            item.reference,
            item.explanation,
            *(a.text for a in item.answers),
        )
    )
    return train_tokenizer(texts, vocab_size=recipe.size.vocab, max_tokens=recipe.size.max_input)


def training_items(recipe: Recipe) -> Iterator[Item]:
    """The endless training stream: families by their shares, every item new."""
    streams = {
        name: items(FAMILIES[name], seed=recipe.seed, held_out=False) for name in recipe.families
    }
    rng = derived("mixture", recipe.seed)
    names, shares = list(recipe.families), list(recipe.families.values())
    while True:
        yield next(streams[rng.choices(names, shares)[0]])


def training_rows(
    recipe: Recipe, stream: Iterator[Item], tokenizer: PreTrainedTokenizerFast
) -> Iterator[Row]:
    """Encoded visits; a sample whose prompt is longer than the judge takes is left out."""
    rng = derived("explain", recipe.seed)
    show = visitor(recipe.augmentation, seed=recipe.seed)
    for item in stream:
        shown = show(item.example, 0)
        explain = rng.random() < recipe.optimisation.explanation_probability
        row = encode(shown, tokenizer, explain=explain)
        if row.prompt <= recipe.size.max_input:
            yield row


def _loop(
    recipe: Recipe, model: Llama, tokenizer: PreTrainedTokenizerFast, report: Report
) -> tuple[float, int]:
    how = recipe.optimisation
    rows = training_rows(recipe, training_items(recipe), tokenizer)
    heads = Heads(recipe.size.hidden, recipe.size.layers)
    optimizers = _optimizers(how, model, heads)
    smoothed, tokens = math.nan, 0
    for step in range(how.steps):
        group = list(islice(rows, how.batch))
        factor = schedule(step, how.steps, how.warmup)
        for optimizer, rate in optimizers:
            for parameters in optimizer.param_groups:
                parameters["lr"] = rate * factor
            optimizer.zero_grad(set_to_none=True)
        value = _gradients(how, model, heads, group, pad=int(tokenizer.pad_token_id))
        for optimizer, _ in optimizers:
            optimizer.step()
        smoothed = value if math.isnan(smoothed) else 0.98 * smoothed + 0.02 * value
        tokens += sum(len(row.ids) for row in group)
        report(step + 1, how.steps, smoothed)
    return smoothed, tokens


def _gradients(
    how: Optimisation, model: Llama, heads: "Heads", group: Sequence[Row], *, pad: int
) -> float:
    """Add up the gradients of one step; returns its completion loss.

    Every term is weighed over the whole step, never per chunk: chunks differ in size.
    """
    batches = [
        collate(rows, pad=pad, explanation_weight=how.explanation_weight)
        for rows in chunks(group, tokens=CHUNK_TOKENS)
    ]
    weight = sum(float(batch.weights.sum()) for batch in batches)
    marked = max(1, sum(len(batch.flags) for batch in batches))
    total = 0.0
    for batch in batches:
        completion, flagged, ended = losses(model, heads, batch)
        total += float(completion.detach()) / weight
        guided = flagged / marked + ended / (2 * len(group))
        torch.autograd.backward(completion / weight + how.flag_weight * guided)
    return total


class Heads(nn.Module):
    """The throw-away heads that lead the judge to its reading, one layer after the other: half way up,
    which answer tokens are wrong; one layer below the top, each answer's score at its end marker.
    """

    def __init__(self, hidden: int, layers: int) -> None:
        super().__init__()
        self.flag_layer, self.end_layer = layers // 2, layers - 1
        self.flag = nn.Linear(hidden, 1)
        self.end = nn.Linear(hidden, HIGHEST_SCORE + 1)
        for head in (self.flag, self.end):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)


def losses(model: Llama, heads: Heads, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Weighted sum of the completion's cross-entropies, sum of the wrong-token losses, and sum of the
    cross-entropies of the answers' scores at their end markers; in nats."""
    last, states = model.hidden_states(batch.ids)
    logits = model.logits(last[batch.at[:, 0], batch.at[:, 1]])
    each = functional.cross_entropy(logits, batch.targets, reduction="none")
    width = (last.shape[-1],)
    marked = states[heads.flag_layer][batch.flag_at[:, 0], batch.flag_at[:, 1]]
    guesses = heads.flag(functional.rms_norm(marked, width)).squeeze(-1)
    flagged = functional.binary_cross_entropy_with_logits(guesses, batch.flags, reduction="sum")
    ends = states[heads.end_layer][batch.end_at[:, 0], batch.end_at[:, 1]]
    scored = heads.end(functional.rms_norm(ends, width))
    ended = functional.cross_entropy(scored, batch.end_scores, reduction="sum")
    return (each * batch.weights).sum(), flagged, ended


def schedule(step: int, steps: int, warmup: float) -> float:
    """The learning rate's factor: a straight rise, then a cosine down to a twentieth."""
    rising = max(1, round(steps * warmup))
    if step < rising:
        return (step + 1) / rising
    progress = (step - rising) / max(1, steps - rising)
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * progress))


def _optimizers(
    how: Optimisation, model: Llama, heads: nn.Module
) -> Sequence[tuple[torch.optim.Optimizer, float]]:
    matrices = [p for p in model.model.layers.parameters() if p.dim() == 2]
    inside = {id(p) for p in matrices}
    rest = [p for p in model.parameters() if id(p) not in inside]
    return (
        (torch.optim.Muon(matrices, lr=how.matrix_lr, weight_decay=0.0), how.matrix_lr),
        (
            torch.optim.AdamW(
                [*rest, *heads.parameters()],
                lr=how.other_lr,
                betas=(0.9, 0.95),
                weight_decay=0.0,
            ),
            how.other_lr,
        ),
    )


def seed_everything(seed: int) -> None:
    """Seed the generators of libraries that draw behind our back; our own draws are all derived."""
    random.seed(seed)
    torch.manual_seed(seed)
