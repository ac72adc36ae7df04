"""Visits -> token rows: what is read, which rows are supervised, and which answer tokens are wrong."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from judgestream.core.templates import JUDGELM
from trainer.augment import Visit
from trainer.examples import Mark

IGNORED = -1.0
END_MARKER = "[The End of Assistant"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One training sequence.

    ids            prompt, then completion
    prompt         how many of the ids belong to the prompt
    score_tokens   how many completion tokens make up the score line, its newline included
    wrong          per id: 1 wrong answer token, 0 right answer token, `IGNORED` no answer token
    ends           where each answer's end marker stands
    scores         the two answers' scores, in shown order
    """

    ids: tuple[int, ...]
    prompt: int
    score_tokens: int
    wrong: tuple[float, ...]
    ends: tuple[int, int]
    scores: tuple[int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Right-padded rows as tensors.

    ids            (batch, length) token ids
    at             (n, 2) batch and column of every row that predicts a completion token
    targets        (n,) the tokens to predict there
    weights        (n,) 1 on the score line, `explanation_weight` below it
    flag_at        (m, 2) where the answer tokens are
    flags          (m,) 1 where they are wrong
    end_at         (2 * batch, 2) where the answers' end markers stand
    end_scores     (2 * batch,) the score of the answer that ends there
    """

    ids: Tensor
    at: Tensor
    targets: Tensor
    weights: Tensor
    flag_at: Tensor
    flags: Tensor
    end_at: Tensor
    end_scores: Tensor


def encode(visit: Visit, tokenizer: PreTrainedTokenizerFast, *, explain: bool) -> Row:
    """A visit's token row. Without `explain` the completion ends with the score line."""
    example, judgement = visit.example, visit.judgement
    first, second = (f"{score:g}" for score in judgement.scores)
    explanation = judgement.explanation
    shown = example.answers
    if visit.form == "single":
        if example.reference is None:
            raise ValueError(f"example {example.id!r}: the single form needs a reference")
        shown = (example.reference, example.answers[1])
        prompt = JUDGELM.forms["single"].render(example.question, shown[1:], shown[0])
        scores = f" {second}\n"
        explanation = ""  # it speaks of an answer that is not shown
    else:
        prompt = JUDGELM.forms["pair"].render(
            example.question, shown, example.reference if visit.with_reference else None
        )
        scores = f"{first} {second}\n"
    encoded = tokenizer(prompt, return_offsets_mapping=True)
    ids: list[int] = list(encoded["input_ids"])
    wrong = _flags(encoded["offset_mapping"], prompt, shown, visit)
    line = _plain(tokenizer, scores)
    rest = (
        [*_plain(tokenizer, explanation), tokenizer.eos_token_id] if explain and explanation else []
    )
    return Row(
        ids=(*ids, *line, *rest),
        prompt=len(ids),
        score_tokens=len(line),
        wrong=(*wrong, *[IGNORED] * (len(line) + len(rest))),
        ends=_ends(encoded["offset_mapping"], prompt),
        scores=(
            10 if visit.form == "single" else round(judgement.scores[0]),
            round(judgement.scores[1]),
        ),
    )


def _ends(offsets: Sequence[tuple[int, int]], prompt: str) -> tuple[int, int]:
    """The tokens that begin the last two end markers of the prompt."""
    second = prompt.rindex(END_MARKER)
    first = prompt.rindex(END_MARKER, 0, second)
    at = [
        k for k, (left, right) in enumerate(offsets) for s in (first, second) if left <= s < right
    ]
    return at[0], at[1]


def _plain(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _flags(
    offsets: Sequence[tuple[int, int]], prompt: str, shown: Sequence[str], visit: Visit
) -> list[float]:
    """Per prompt token: whether it is part of an answer, and wrong there."""
    flags = [IGNORED] * len(offsets)
    end = len(prompt)
    starts: list[int] = []
    for text in reversed(shown):
        end = prompt.rindex(text + "\n\n[The End", 0, end + len(text)) if text else end
        starts.append(end)
    for k, start in enumerate(reversed(starts)):
        if visit.form == "single" and k == 0:
            continue  # the reference stands there
        _mark(flags, offsets, visit.example.marks[k], start)
    return flags


def _mark(
    flags: list[float], offsets: Sequence[tuple[int, int]], marks: Sequence[Mark], start: int
) -> None:
    bounds = [(start + low, start + high, float(wrong)) for low, high, wrong in marks]
    for k, (left, right) in enumerate(offsets):
        for low, high, flag in bounds:
            if left < right and low <= right - 1 < high:
                flags[k] = flag


def collate(rows: Sequence[Row], *, pad: int, explanation_weight: float) -> Batch:
    """Rows of similar length, padded on the right to the longest."""
    length = max(len(row.ids) for row in rows)
    ids = torch.full((len(rows), length), pad, dtype=torch.long)
    at: list[tuple[int, int]] = []
    targets: list[int] = []
    weights: list[float] = []
    flag_at: list[tuple[int, int]] = []
    flags: list[float] = []
    for b, row in enumerate(rows):
        ids[b, : len(row.ids)] = torch.tensor(row.ids)
        for k in range(row.prompt, len(row.ids)):
            at.append((b, k - 1))
            targets.append(row.ids[k])
            weights.append(1.0 if k < row.prompt + row.score_tokens else explanation_weight)
        marked = [(b, k) for k, flag in enumerate(row.wrong) if flag != IGNORED]
        flag_at += marked
        flags += [row.wrong[k] for _, k in marked]
    return Batch(
        ids=ids,
        at=torch.tensor(at),
        targets=torch.tensor(targets),
        weights=torch.tensor(weights),
        flag_at=torch.tensor(flag_at, dtype=torch.long).view(-1, 2),
        flags=torch.tensor(flags),
        end_at=torch.tensor([(b, end) for b, row in enumerate(rows) for end in row.ends]),
        end_scores=torch.tensor([score for row in rows for score in row.scores]),
    )


def chunks(rows: Sequence[Row], *, tokens: int) -> Iterator[list[Row]]:
    """One step's rows, shortest first, cut so that a padded chunk has at most `tokens` and little padding.

    A step keeps the composition that the stream gave it: batches sorted by length across steps would
    hold one task family each, and the judge would sway from one to the next.
    """
    chunk: list[Row] = []
    for row in sorted(rows, key=lambda row: len(row.ids)):
        length = len(row.ids)
        if chunk and (length * (len(chunk) + 1) > tokens or length > 1.6 * len(chunk[0].ids)):
            yield chunk
            chunk = []
        chunk.append(row)
    if chunk:
        yield chunk
