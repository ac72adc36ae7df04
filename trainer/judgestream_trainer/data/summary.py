"""Statistics of a set of examples: balance, lengths, duplicates, sides of the split."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from judgestream.core.preference import Preference
from judgestream.core.templates import JUDGELM
from judgestream_trainer.data.example import Example, Judgement
from judgestream_trainer.data.split import Shares, Side, deduplicated, prompt_key, split
from judgestream_trainer.data.teacher import judgement_text


@dataclass(frozen=True, kw_only=True, slots=True)
class Balance:
    """How often the first answer is better, neither, or the second."""

    first: int
    tie: int
    second: int

    @classmethod
    def of(cls, judgements: Iterator[Judgement]) -> "Balance":
        signs = Counter(Preference.between(*judgement.scores) for judgement in judgements)
        return cls(
            first=signs[Preference.FIRST],
            tie=signs[Preference.TIE],
            second=signs[Preference.SECOND],
        )

    def __str__(self) -> str:
        total = self.first + self.tie + self.second
        shares = (
            f"{name} {count} ({count / total:.1%})"
            for name, count in (("first", self.first), ("tie", self.tie), ("second", self.second))
        )
        return f"{total} judgements: {', '.join(shares)}" if total else "none"


@dataclass(frozen=True, kw_only=True, slots=True)
class Lengths:
    """Lengths of prompt and completion together. `above` counts those over `limit`, if there is one."""

    unit: str
    median: int
    p95: int
    longest: int
    limit: int | None
    above: int

    @classmethod
    def of(cls, sizes: Sequence[int], *, unit: str, limit: int | None) -> "Lengths":
        ordered = sorted(sizes) or [0]
        return cls(
            unit=unit,
            median=ordered[(len(ordered) - 1) // 2],
            p95=ordered[(len(ordered) - 1) * 95 // 100],
            longest=ordered[-1],
            limit=limit,
            above=sum(size > limit for size in sizes) if limit is not None else 0,
        )

    def __str__(self) -> str:
        above = f", {self.above} above {self.limit}" if self.limit is not None else ""
        return f"{self.unit}: median {self.median}, 95 % within {self.p95}, longest {self.longest}{above}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """`sides` holds, per side of the split, the number of unique examples and of distinct questions."""

    blind: Balance
    informed: Balance
    lengths: tuple[Lengths, ...]
    duplicates: int
    contradictory: int
    sides: Mapping[Side, tuple[int, int]]

    def lines(self) -> Iterator[str]:
        """The summary as text, one fact per line."""
        yield f"without reference: {self.blind}"
        yield f"with reference: {self.informed}"
        for lengths in self.lengths:
            yield f"length in {lengths}"
        yield f"duplicates: {self.duplicates}, {self.contradictory} of them with another winner"
        for side, (count, questions) in self.sides.items():
            yield f"{side}: {count} examples of {questions} questions"


def summary(
    examples: Sequence[Example],
    shares: Shares,
    *,
    tokens: Callable[[str], int] | None = None,
    max_tokens: int | None = None,
) -> Summary:
    """Measure the examples.

    tokens      counts the tokens of a text; without it, lengths are in characters only
    max_tokens  the longest sequence to train on
    """
    characters: list[int] = []
    counted: list[int] = []
    for example in examples:
        # one at a time: together they are larger than the examples
        for text in sequences(example):
            characters.append(len(text))
            if tokens is not None:
                counted.append(tokens(text))
    lengths = [Lengths.of(characters, unit="characters", limit=None)]
    if tokens is not None:
        lengths.append(Lengths.of(counted, unit="tokens", limit=max_tokens))
    unique = deduplicated(examples)
    return Summary(
        blind=Balance.of(e.blind for e in examples if e.blind is not None),
        informed=Balance.of(e.informed for e in examples if e.informed is not None),
        lengths=tuple(lengths),
        duplicates=unique.duplicates,
        contradictory=unique.contradictory,
        sides={
            side: (len(members), len({prompt_key(example.question) for example in members}))
            for side, members in split(unique.examples, shares).items()
        },
    )


def sequences(example: Example) -> Iterator[str]:
    """The training sequences: prompt and completion in JudgeLM's pair form, one per judgement."""
    for judgement, reference in (
        (example.blind, None),
        (example.informed, example.reference),
    ):
        if judgement is not None:
            prompt = JUDGELM.forms["pair"].render(example.question, example.answers, reference)
            yield prompt + judgement_text(judgement)
