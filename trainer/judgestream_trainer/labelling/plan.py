"""The settings of a build."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from judgestream.core.errors import ConfigurationError
from judgestream_trainer.data.split import Shares


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Inputs, output directory and options of a build.

    pairs           maximum number of pairs per question
    max_characters  limit on question, both answers and reference together
    max_tokens      limit on an explanation
    shares          shares of the questions that are held out
    partial         write the files even if judgements are missing; the manifest counts those as unasked
    ask_again       send prompts again whose reply in the journal is not a usable judgement
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
            raise ConfigurationError(f"--pairs is {self.pairs}: use at least 1 pair per question")
