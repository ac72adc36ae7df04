"""What a build was asked to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from judgestream.core.errors import ConfigurationError


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What to build.

    pairs           of each question, at most
    max_characters  of question, both answers and reference together
    max_tokens      of an explanation
    validation, test   shares of the questions; training has the rest
    partial         write the files even when judgements are missing; the manifest counts those as unasked
    ask_again       what the journal has that is no judgement is asked again
    """

    seeds: Path
    answers: Sequence[Path]
    references: Path | None
    out: Path
    pairs: int = 1
    seed: int = 0
    max_characters: int = 20_000
    max_tokens: int = 512
    validation: float = 0.05
    test: float = 0.05
    partial: bool = False
    ask_again: bool = False

    def __post_init__(self) -> None:
        if self.pairs < 1:
            raise ConfigurationError(f"--pairs {self.pairs}: give at least 1 pair per question")
        if min(self.validation, self.test) < 0 or self.validation + self.test >= 1:
            raise ConfigurationError(
                f"--validation {self.validation:g} and --test {self.test:g} are shares of the questions: none"
                " below 0, and less than 1 together"
            )

    @property
    def shares(self) -> Mapping[str, float]:
        rest = 1.0 - self.validation - self.test
        return {"train": rest, "validation": self.validation, "test": self.test}
