"""What a build was asked to do."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from judgestream.core.errors import ConfigurationError
from judgestream_trainer.data.split import Shares


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What to build.

    pairs           of each question, at most
    max_characters  of question, both answers and reference together
    max_tokens      of an explanation
    shares          of the questions that are held out
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
    shares: Shares = field(default_factory=Shares)
    partial: bool = False
    ask_again: bool = False

    def __post_init__(self) -> None:
        if self.pairs < 1:
            raise ConfigurationError(f"--pairs {self.pairs}: give at least 1 pair per question")
