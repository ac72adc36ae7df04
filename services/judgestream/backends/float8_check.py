"""Does a judge in a cheaper arithmetic still give the same verdicts? Measured, on the device that will judge.

Held against itself in the arithmetic that it was loaded in: same weights, same prompts, verdict by verdict.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum
from pathlib import Path

from judgestream.backends.float8_prompts import PAIRS
from judgestream.core.errors import ConfigurationError
from judgestream.core.parsing import read
from judgestream.core.prompt import Prompt
from judgestream.core.templates.base import Template
from judgestream.core.types import Reading, Reply, Unreadable
from judgestream.engine.float8 import free_weights
from judgestream.engine.judge import Judge, Result

LEAST = 0.99
"""Share of verdicts that must be the same: the project's performance notes, section 2.6."""

FEWEST = 100
"""With fewer readable replies, one verdict alone would be more than the share that may differ."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """prompts: how many were judged twice; same: verdicts alike; difference: mean |difference| of a score."""

    prompts: int
    same: int
    difference: float

    @property
    def share(self) -> float:
        return self.same / self.prompts

    @classmethod
    def of(
        cls, prompts: Sequence[Prompt], before: Sequence[Result], after: Sequence[Result]
    ) -> "Agreement":
        """
        Raises:
            ValueError: no prompts.
        """
        if not prompts:
            raise ValueError("agreement over no prompts says nothing")
        same, gaps = 0, list[float]()
        for prompt, one, other in zip(prompts, before, after, strict=True):
            a, b = _reading(prompt, one), _reading(prompt, other)
            same += _verdict(a) == _verdict(b)
            if isinstance(a, Reading) and isinstance(b, Reading):
                gaps.extend(abs(x - y) for x, y in zip(a.means, b.means, strict=True))
        return cls(prompts=len(prompts), same=same, difference=fsum(gaps) / max(1, len(gaps)))


def quantise(judge: Judge, prompts: Sequence[Prompt], *, least: float = LEAST) -> Agreement:
    """Put the judge's linear layers into float8, for good, and say how well it agrees with itself before.

    Raises:
        ConfigurationError: the judge reads too few of the prompts (two unreadable replies would agree,
            whatever the arithmetic), or too few verdicts stayed the same; the message has the measured
            agreement.
    """
    name = judge.checkpoint.manifest.name
    given, replies = prompts, judge.read(prompts)
    kept = [
        at
        for at, (prompt, reply) in enumerate(zip(given, replies, strict=True))
        if isinstance(_reading(prompt, reply), Reading)
    ]
    if len(kept) < FEWEST:
        raise ConfigurationError(
            f"float8: {name} gives readable scores for {len(kept)} of {len(given)} prompts, too few to"
            f" measure agreement; give {FEWEST} or more prompts of the kind that it judges, or install"
            " it with dtype bfloat16"
        )
    prompts, before = [given[at] for at in kept], [replies[at] for at in kept]
    judge.checkpoint.decoder.quantise()
    free_weights(judge.checkpoint.model)
    found = Agreement.of(prompts, before, judge.read(prompts))
    if found.share < least:
        raise ConfigurationError(
            f"float8: {name} gives the same verdict in float8 for {found.same} of {found.prompts} prompts"
            f" only ({found.share:.1%}, mean difference of a score {found.difference:.3f}), and"
            f" {least:.0%} are required; install it with dtype bfloat16"
        )
    return found


def trial_prompts(form: Template, file: Path | None = None) -> list[Prompt]:
    """Pair prompts to measure agreement on: the file's, or all ordered pairs of the bundled answers.

    file  JSON lines with `question`, `answers` (two of them) and perhaps `reference`

    Raises:
        ConfigurationError: a line of the file is none of these; the message has its number.
    """
    pair = form.forms["pair"]
    asked = [
        (question, (a, b), None)
        for question, given in PAIRS
        for a in given
        for b in given
        if a != b
    ]
    return [
        Prompt(text=pair.render(question, answers, reference), grammar=pair.grammar)
        for question, answers, reference in (asked if file is None else _read_file(file))
    ]


def _read_file(file: Path) -> list[tuple[str, tuple[str, str], str | None]]:
    found = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            record = json.loads(line)
            first, second = map(str, record["answers"])
            reference = record.get("reference")
            found.append(
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
    return found


def _reading(prompt: Prompt, result: Result) -> Reading | Unreadable | None:
    return read(result, prompt.grammar) if isinstance(result, Reply) else None


def _verdict(reading: Reading | Unreadable | None) -> object:
    """Win, tie or lose, the likeliest; of a single score that score; of what cannot be read, that."""
    if not isinstance(reading, Reading):
        return None if reading is None else reading.reason
    if reading.win is None or reading.tie is None or reading.lose is None:
        return reading.greedy
    outcomes = {"win": reading.win, "tie": reading.tie, "lose": reading.lose}
    return max(outcomes, key=outcomes.__getitem__)
