"""Visits -> token sequences: what is read, what is supervised, and which answer tokens are wrong."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from judgestream.core.templates import JUDGELM
from judgestream.engine.tokens import Tokens
from trainer.augment import Visit
from trainer.examples import Mark
from trainer.recipe import Size

IGNORED = -1.0
END_MARKER = "[The End of Assistant"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One training sequence.

    ids            prompt, then completion
    prompt         how many of the ids belong to the prompt
    score_tokens   how many completion tokens make up the score line, its newline included
    wrong          per prompt id: 1 wrong answer token, 0 right answer token, `IGNORED` no answer token
    ends           where each answer's end marker stands
    scores         the two answers' scores, in shown order
    """

    ids: tuple[int, ...]
    prompt: int
    score_tokens: int
    wrong: tuple[float, ...]
    ends: tuple[int, int]
    scores: tuple[int, int]


def encode(visit: Visit, tokens: Tokens, *, explain: bool) -> Row:
    """A visit's token row. Without `explain` the completion ends with the score line.

    Prompt and completion are tokenised as one text, as JudgeLM does and as the engine reads: a
    SentencePiece tokenizer would put a space before a completion that stands alone.

    Raises:
        ValueError: the tokenizer merges the prompt's end with the completion's start.
    """
    prompt, shown, line, explanation = written(visit)
    below = explanation if explain else ""
    alone = tokens.prompt(prompt)
    encoded = tokens.tokenizer(
        prompt + line + below, add_special_tokens=False, return_offsets_mapping=True
    )
    ids: list[int] = [tokens.bos, *encoded["input_ids"]]
    if ids[: len(alone)] != alone:
        raise ValueError(f"the tokenizer merges the prompt's end {prompt[-16:]!r} with {line!r}")
    offsets = [(0, 0), *encoded["offset_mapping"]]
    ended = len(prompt) + len(line)
    first, second = visit.judgement.scores
    return Row(
        ids=(*ids, min(tokens.eos)) if below else tuple(ids),
        prompt=len(alone),
        score_tokens=sum(left < ended for left, _ in offsets[len(alone) :]),
        wrong=tuple(_flags(offsets[: len(alone)], prompt, shown, visit)),
        ends=_ends(offsets[: len(alone)], prompt),
        scores=(10 if visit.form == "single" else round(first), round(second)),
    )


def written(visit: Visit) -> tuple[str, tuple[str, str], str, str]:
    """Prompt, answers as shown, score line, and the explanation that goes below it."""
    example, judgement = visit.example, visit.judgement
    first, second = (f"{score:g}" for score in judgement.scores)
    if visit.form == "single":
        if example.reference is None:
            raise ValueError(f"example {example.id!r}: the single form needs a reference")
        shown = (example.reference, example.answers[1])
        prompt = JUDGELM.forms["single"].render(example.question, shown[1:], shown[0])
        return prompt, shown, f" {second}\n", ""  # it speaks of an answer that is not shown
    reference = example.reference if visit.with_reference else None
    prompt = JUDGELM.forms["pair"].render(example.question, example.answers, reference)
    return prompt, example.answers, f"{first} {second}\n", judgement.explanation


def fit(row: Row, size: Size, over_long: str) -> tuple[Row | None, str]:
    """The row as it may be trained on, and what was wrong with it ("" when it fits as it is).

    A row without a supervised token has no loss, so it is always left out.
    """
    if len(row.ids) <= size.context and row.prompt <= size.max_input:
        return row, ""
    if over_long == "drop":
        long = "prompt" if row.prompt > size.max_input else "completion"
        return None, f"{long} too long, left out"
    if row.prompt >= size.context:
        return None, "prompt fills the context, left out"
    left = size.context - row.prompt
    if len(row.ids) <= size.context:
        return row, ""
    cut = replace(row, ids=row.ids[: size.context], score_tokens=min(row.score_tokens, left))
    return cut, "target cut on the right"


def _ends(offsets: Sequence[tuple[int, int]], prompt: str) -> tuple[int, int]:
    """The tokens that begin the last two end markers of the prompt."""
    second = prompt.rindex(END_MARKER)
    first = prompt.rindex(END_MARKER, 0, second)
    at = [
        k for k, (left, right) in enumerate(offsets) for s in (first, second) if left <= s < right
    ]
    return at[0], at[1]


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
