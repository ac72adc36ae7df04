"""Quantisation of a judge, checked by its verdicts on the device that will serve it.

The judge is compared with itself in the arithmetic that it was loaded in: same weights, same prompts, verdict
by verdict.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from math import fsum
from pathlib import Path

from judgestream.backends.trial_pairs import PAIRS
from judgestream.checkpoints.dtypes import Dtype
from judgestream.core.errors import ConfigurationError
from judgestream.core.modes.valued import FORM
from judgestream.core.parsing import read
from judgestream.core.prompt import Prompt
from judgestream.core.reconcile import preference
from judgestream.core.rewards import outcomes
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


Record = tuple[str, tuple[str, str], str | None]
"""A question, two answers, and perhaps a reference."""


@dataclass(frozen=True, kw_only=True, slots=True)
class QuantisationCheck:
    """Agreement of a judge with itself before quantisation.

    prompts     judged twice; of a reward model: pairs of prompts, one for each answer
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
        """Compare two results per prompt, in the order of `trial_prompts`.

        Raises:
            ValueError: no prompts.
        """
        if not prompts:
            raise ValueError("no prompts: agreement is undefined")
        old, new = _readings(prompts, before), _readings(prompts, after)
        gaps = [
            abs(x - y)
            for a, b in zip(old, new, strict=True)
            if isinstance(a, Reading) and isinstance(b, Reading)
            for x, y in zip(a.means, b.means, strict=True)
        ]
        together = _together(prompts)
        pairs = list(zip(_verdicts(old, together), _verdicts(new, together), strict=True))
        return cls(
            prompts=len(pairs),
            same=sum(a == b for a, b in pairs),
            difference=fsum(gaps) / max(1, len(gaps)),
        )


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
    readings, together = _readings(prompts, replies), _together(prompts)
    readable = [
        (prompts[k], replies[k])
        for first in range(0, len(prompts), together)
        if all(isinstance(one, Reading) for one in readings[first : first + together])
        for k in range(first, first + together)
    ]
    if len(readable) < MIN_PROMPTS * together:
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

    For a reward model every pair is two prompts, one after the other.

    file  JSON lines with `question`, `answers` (two) and optionally `reference`

    Raises:
        ConfigurationError: invalid line; the message has its number.
    """
    if value := template.forms.get(FORM):
        return [
            Prompt(text=value.render(question, (answer,), reference), grammar=value.grammar)
            for question, answers, reference in (_valued() if file is None else _read_file(file))
            for answer in answers
        ]
    pair = template.forms["pair"]
    return [
        Prompt(text=pair.render(question, answers, reference), grammar=pair.grammar)
        for question, answers, reference in (_ordered() if file is None else _read_file(file))
    ]


def _ordered() -> list[Record]:
    """All ordered pairs of the bundled answers."""
    return [
        (question, pair, None) for question, answers in PAIRS for pair in permutations(answers, 2)
    ]


def _valued() -> list[Record]:
    """All pairs in one order, since a value does not depend on it, without and with the best answer shown."""
    return [
        (question, pair, reference)
        for question, answers in PAIRS
        for reference in (None, answers[0])
        for pair in combinations(answers, 2)
    ]


def _read_file(file: Path) -> list[Record]:
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


def _readings(
    prompts: Sequence[Prompt], results: Sequence[Result]
) -> list[Reading | Unreadable | None]:
    return [
        read(result, prompt.grammar) if isinstance(result, Reply) else None
        for prompt, result in zip(prompts, results, strict=True)
    ]


def _together(prompts: Sequence[Prompt]) -> int:
    """Prompts of one verdict, one after the other: two values make one."""
    return 2 if prompts and prompts[0].grammar.reward else 1


def _verdicts(readings: Sequence[Reading | Unreadable | None], together: int) -> list[object]:
    """What the readings decide, `together` of them at a time."""
    if together == 1:
        return [_verdict(reading) for reading in readings]
    return [
        _side(first, second) for first, second in zip(readings[::2], readings[1::2], strict=True)
    ]


def _side(first: Reading | Unreadable | None, second: Reading | Unreadable | None) -> object:
    """The preference by two values; if one is unreadable, what is known of both."""
    if not isinstance(first, Reading) or not isinstance(second, Reading):
        return _verdict(first), _verdict(second)
    return preference(*outcomes(first.values[0] - second.values[0], first.values[1]))


def _verdict(reading: Reading | Unreadable | None) -> object:
    """The most probable of win, tie and lose; for a single score, the score; if unreadable, the reason."""
    if not isinstance(reading, Reading):
        return None if reading is None else reading.reason
    if reading.win is None or reading.tie is None or reading.lose is None:
        return reading.greedy
    chances = {"win": reading.win, "tie": reading.tie, "lose": reading.lose}
    return max(chances, key=chances.__getitem__)
