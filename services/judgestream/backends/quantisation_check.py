"""Quantisation of a judge, checked by its verdicts on the device that will serve it.

The judge is compared with itself in the arithmetic that it was loaded in: same weights, same prompts, verdict
by verdict.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from pathlib import Path

from judgestream.backends.trial_pairs import PAIRS
from judgestream.checkpoints.dtypes import Dtype
from judgestream.core.errors import ConfigurationError
from judgestream.core.parsing import read
from judgestream.core.prompt import Prompt
from judgestream.core.templates.base import Template
from judgestream.core.types import Reading, Reply, Unreadable
from judgestream.engine.float8 import Float8
from judgestream.engine.int8 import Int8
from judgestream.engine.judge import Judge, Result
from judgestream.engine.linear import Quantisation, free_weights

QUANTISATIONS: Mapping[str, Quantisation] = {Dtype.FLOAT8: Float8.of, Dtype.INT8: Int8.of}
"""The arithmetic of linear layers by dtype. Everything else stays as loaded."""

MIN_SHARE = 0.99
"""Share of verdicts that must not change."""

MIN_PROMPTS = 100
"""With fewer readable replies, a single changed verdict would exceed the allowed share."""


@dataclass(frozen=True, kw_only=True, slots=True)
class QuantisationCheck:
    """Agreement of a judge with itself before quantisation.

    prompts     judged twice
    same        number of equal verdicts
    difference  mean absolute difference of a score
    """

    prompts: int
    same: int
    difference: float

    @property
    def share(self) -> float:
        return self.same / self.prompts

    def __str__(self) -> str:
        return (
            f"{self.same} of {self.prompts} verdicts are the same ({self.share:.1%}), mean difference of a"
            f" score {self.difference:.3f}"
        )

    @classmethod
    def of(
        cls, prompts: Sequence[Prompt], before: Sequence[Result], after: Sequence[Result]
    ) -> "QuantisationCheck":
        """Compare two results per prompt.

        Raises:
            ValueError: no prompts.
        """
        if not prompts:
            raise ValueError("no prompts: agreement is undefined")
        same, gaps = 0, list[float]()
        for prompt, old, new in zip(prompts, before, after, strict=True):
            a, b = _reading(prompt, old), _reading(prompt, new)
            same += _verdict(a) == _verdict(b)
            if isinstance(a, Reading) and isinstance(b, Reading):
                gaps.extend(abs(x - y) for x, y in zip(a.means, b.means, strict=True))
        return cls(prompts=len(prompts), same=same, difference=fsum(gaps) / max(1, len(gaps)))


def quantise(
    judge: Judge, prompts: Sequence[Prompt], dtype: str, *, min_share: float = MIN_SHARE
) -> QuantisationCheck:
    """Quantise the judge's linear layers, permanently, and measure its agreement with before.

    dtype  a key of `QUANTISATIONS`

    Raises:
        ConfigurationError: too few readable replies (two unreadable ones agree in any arithmetic), or too
            many changed verdicts. The message has the measured agreement.
    """
    name = judge.checkpoint.manifest.name
    decoder = judge.checkpoint.decoder
    before = str(decoder.dtype).removeprefix("torch.")
    replies = judge.read(prompts)
    readable = [
        (prompt, reply)
        for prompt, reply in zip(prompts, replies, strict=True)
        if isinstance(_reading(prompt, reply), Reading)
    ]
    if len(readable) < MIN_PROMPTS:
        raise ConfigurationError(
            f"{dtype}: {name} gives readable scores for {len(readable)} of {len(prompts)} prompts, too few to"
            f" measure agreement; pass {MIN_PROMPTS} or more prompts of the kind that it judges, or install"
            f" it with dtype {before}"
        )
    kept = [prompt for prompt, _ in readable]
    decoder.quantise(QUANTISATIONS[dtype])
    free_weights(judge.checkpoint.model)
    check = QuantisationCheck.of(kept, [reply for _, reply in readable], judge.read(kept))
    if check.share < min_share:
        raise ConfigurationError(
            f"{dtype}: {name} changes too many verdicts: {check} as in {before}, and {min_share:.0%} are"
            f" required; install it with dtype {before}"
        )
    return check


def trial_prompts(template: Template, file: Path | None = None) -> list[Prompt]:
    """Pair prompts to measure agreement on: those of the file, or all ordered pairs of bundled answers.

    file  JSON lines with `question`, `answers` (two) and optionally `reference`

    Raises:
        ConfigurationError: invalid line; the message has its number.
    """
    pair = template.forms["pair"]
    bundled = [
        (question, (a, b), None)
        for question, answers in PAIRS
        for a in answers
        for b in answers
        if a != b
    ]
    return [
        Prompt(text=pair.render(question, answers, reference), grammar=pair.grammar)
        for question, answers, reference in (bundled if file is None else _read_file(file))
    ]


def _read_file(file: Path) -> list[tuple[str, tuple[str, str], str | None]]:
    records = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            record = json.loads(line)
            first, second = map(str, record["answers"])
            reference = record.get("reference")
            records.append(
                (
                    str(record["question"]),
                    (first, second),
                    None if reference is None else str(reference),
                )
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigurationError(
                f"{file}, line {number}: not a record with question and two answers ({error!r})"
            ) from error
    return records


def _reading(prompt: Prompt, result: Result) -> Reading | Unreadable | None:
    return read(result, prompt.grammar) if isinstance(result, Reply) else None


def _verdict(reading: Reading | Unreadable | None) -> object:
    """The most probable of win, tie and lose; for a single score, the score; if unreadable, the reason."""
    if not isinstance(reading, Reading):
        return None if reading is None else reading.reason
    if reading.win is None or reading.tie is None or reading.lose is None:
        return reading.greedy
    outcomes = {"win": reading.win, "tie": reading.tie, "lose": reading.lose}
    return max(outcomes, key=outcomes.__getitem__)
