"""Training sequences: token ids with what is supervised and which answer tokens are wrong."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from judgestream.core.templates import JUDGELM, template
from judgestream.core.templates.base import Layout
from judgestream.core.templates.judgelm import ANSWER
from judgestream.engine.tokens import Tokens
from judgestream_trainer.data.augment import Visit
from judgestream_trainer.recipe import Recipe, Size
from judgestream_trainer.training.grid import on_grid

IGNORED = -1.0
_END = ANSWER.partition("{answer}")[2].index("[")
"""Characters between the end of an answer and its end marker."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingSequence:
    """One training sequence.

    ids            prompt, then completion
    prompt         how many of the ids belong to the prompt
    score_tokens   how many completion tokens make up the score line, its newline included
    wrong          per prompt id: 1 wrong answer token, 0 right answer token, `IGNORED` not an answer token
    ends           the index of each answer's end marker
    scores         the two answers' scores, in shown order
    """

    ids: tuple[int, ...]
    prompt: int
    score_tokens: int
    wrong: tuple[float, ...]
    ends: tuple[int, int]
    scores: tuple[int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """A visit, encoded for training.

    sequence         None when the visit is left out
    notes            what was changed, or why it is left out; empty when it fits unchanged
    prompt, length   tokens of the prompt and of the whole; 0 when it could not be encoded
    """

    sequence: TrainingSequence | None
    notes: tuple[str, ...] = ()
    prompt: int = 0
    length: int = 0


UNNAMED = "explanations left out: unclear which answer they refer to after the exchange"
OFF_GRID = "scores that the template cannot express without changing the winner, left out"
ROUNDED = "scores moved to the template's labels"
MERGED = "tokenizer merges prompt and score line, left out"


def prepared(visit: Visit, tokens: Tokens, recipe: Recipe, *, explain: bool) -> Prepared:
    """Encode a visit by a recipe: scores rounded to the template's labels, tokens within the recipe's
    size."""
    labels = template(recipe.template).forms[visit.form].grammar.values
    scores = on_grid(visit.judgement.scores, labels)
    if scores is None:
        return Prepared(sequence=None, notes=(OFF_GRID,))
    notes: tuple[str, ...] = () if scores == visit.judgement.scores else (ROUNDED,)
    if visit.unnamed:
        notes = (*notes, UNNAMED)
    visit = replace(visit, judgement=replace(visit.judgement, scores=scores))
    try:
        sequence = encode(visit, tokens, explain=explain)
    except ValueError:
        return Prepared(sequence=None, notes=(MERGED,))
    fitted, trouble = fit(sequence, recipe.size, recipe.optimisation.over_long)
    if trouble:
        notes = (*notes, trouble) if fitted else (trouble,)
    return Prepared(sequence=fitted, notes=notes, prompt=sequence.prompt, length=len(sequence.ids))


def encode(visit: Visit, tokens: Tokens, *, explain: bool) -> TrainingSequence:
    """A visit's token sequence. Without `explain` the completion ends with the score line.

    Prompt and completion are tokenised as one text, as JudgeLM does and as the engine reads: a
    SentencePiece tokenizer would put a space before a completion that stands alone.

    Raises:
        ValueError: the tokenizer merges the prompt's end with the completion's start.
    """
    layout, line, explanation = written(visit)
    prompt = layout.text
    below = explanation if explain else ""
    alone = tokens.prompt(prompt)
    encoded, spans = tokens.encoded(prompt + line + below)
    ids = [*tokens.start, *encoded]
    if ids[: len(alone)] != alone:
        raise ValueError(f"the tokenizer merges the prompt's end {prompt[-16:]!r} with {line!r}")
    offsets = [*[(0, 0)] * len(tokens.start), *spans]
    ended = len(prompt) + len(line)
    first, second = visit.judgement.scores
    return TrainingSequence(
        ids=(*ids, min(tokens.eos)) if below else tuple(ids),
        prompt=len(alone),
        score_tokens=sum(left < ended for left, _ in offsets[len(alone) :]),
        wrong=tuple(_flags(offsets[: len(alone)], layout, visit)),
        ends=_ends(offsets[: len(alone)], layout),
        scores=(10 if visit.form == "single" else round(first), round(second)),
    )


def written(visit: Visit) -> tuple[Layout, str, str]:
    """The prompt, the score line, and the explanation below it."""
    example, judgement = visit.example, visit.judgement
    first, second = (f"{score:g}" for score in judgement.scores)
    if visit.form == "single":
        single = JUDGELM.forms["single"].layout
        layout = single(example.question, example.answers[1:], example.reference)
        # the explanation refers to an answer that is not shown
        return layout, f" {second}\n", ""
    reference = example.reference if visit.with_reference else None
    layout = JUDGELM.forms["pair"].layout(example.question, example.answers, reference)
    return layout, f"{first} {second}\n", judgement.explanation


def fit(
    sequence: TrainingSequence, size: Size, over_long: str
) -> tuple[TrainingSequence | None, str]:
    """The sequence within the size limits, or None, and what was wrong with it ("" when it fits unchanged).

    A sequence without a supervised token has no loss, so it is always left out.
    """
    if len(sequence.ids) <= size.context and sequence.prompt <= size.max_input:
        return sequence, ""
    if over_long == "drop":
        long = "prompt" if sequence.prompt > size.max_input else "completion"
        return None, f"{long} too long, left out"
    if sequence.prompt >= size.context:
        return None, "prompt fills the context, left out"
    left = size.context - sequence.prompt
    if len(sequence.ids) <= size.context:
        return sequence, ""
    cut = replace(
        sequence, ids=sequence.ids[: size.context], score_tokens=min(sequence.score_tokens, left)
    )
    return cut, "target cut on the right"


def _ends(offsets: Sequence[tuple[int, int]], layout: Layout) -> tuple[int, int]:
    """The tokens that begin the two slots' end markers."""
    first, second = (
        next(k for k, (left, right) in enumerate(offsets) if left <= stop + _END < right)
        for _, stop in layout.slots
    )
    return first, second


def _flags(offsets: Sequence[tuple[int, int]], layout: Layout, visit: Visit) -> list[float]:
    """Per prompt token: 1 wrong, 0 right, `IGNORED` outside the answers."""
    flags = [IGNORED] * len(offsets)
    for k, (start, stop) in enumerate(layout.slots):
        # in the single form the first slot holds the reference
        if visit.form == "single" and k == 0:
            continue
        shown = layout.text[start:stop]
        moved = places(visit.example.answers[k], shown)
        marks = [
            (start + moved[low], start + moved[high], float(wrong))
            for low, high, wrong in visit.example.marks[k]
        ]
        _mark(flags, offsets, marks)
    return flags


def places(text: str, shown: str) -> list[int]:
    """The index in the rendered text of every character of a text, and of its end.

    Rendering only inserts characters (to escape markers), so the text's characters are found in order.
    """
    indices: list[int] = []
    index = 0
    for character in text:
        index = shown.index(character, index)
        indices.append(index)
        index += 1
    return [*indices, len(shown)]


def _mark(
    flags: list[float],
    offsets: Sequence[tuple[int, int]],
    marks: Sequence[tuple[int, int, float]],
) -> None:
    """Flag the tokens whose last character lies within a mark."""
    for k, (left, right) in enumerate(offsets):
        for low, high, flag in marks:
            if left < right and low <= right - 1 < high:
                flags[k] = flag
