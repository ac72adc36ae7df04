"""Training data: checked, converted, or published on Kafka."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from judgestream.adapters.kafka.publishing import RecordPublisher
from judgestream.contracts.topics import TRAINING
from judgestream.core.errors import ConfigurationError, OversizeRecord
from judgestream.core.formats.mapping import parsed
from judgestream.settings import load
from judgestream.terminal.exit_codes import ExitCode
from judgestream_trainer.data import ExampleCollector, read_files
from judgestream_trainer.data.example import Example
from judgestream_trainer.data.questions import read_questions
from judgestream_trainer.data.split import Shares, Side, deduplicated, without_prompts
from judgestream_trainer.data.split import side as side_of
from judgestream_trainer.data.stream import publish, read_topic
from judgestream_trainer.data.summary import summary
from judgestream_trainer.data.topic import json_line
from judgestream_trainer.files import whole_file

if TYPE_CHECKING:  # torch takes seconds to load, and most jobs here do not need it
    from judgestream.engine.tokens import Tokens
    from judgestream_trainer.training.fitness import Fitness


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """Which examples to read.

    files     paths of any format that submit reads
    columns   entries of `--map`: FIELD=COLUMN
    join      field whose equal values make pairs of single answers; None: no joining
    topic     also read the training topic
    exclude   files whose questions are left out
    """

    files: Sequence[Path]
    columns: Sequence[str]
    join: str | None
    topic: bool
    exclude: Sequence[Path]
    shares: Shares


def check(
    selection: Selection,
    *,
    tokenizer: Path | None,
    recipe_file: Path | None,
    max_tokens: int,
    console: Console,
) -> ExitCode:
    """Print statistics of the examples. NO when there are none, or none can be trained on."""
    if recipe_file is not None and tokenizer is None:
        raise ConfigurationError("--recipe needs the base that it fine-tunes: add --tokenizer")
    examples = _read(selection, console)
    counter = None if tokenizer is None else _token_counter(tokenizer)
    with console.status("measuring ..."):
        statistics = summary(examples, selection.shares, tokens=counter, max_tokens=max_tokens)
    for line in statistics.lines():
        _say(console, line)
    if recipe_file is None or tokenizer is None or not examples:
        return ExitCode.OK if examples else ExitCode.NO
    fit = _fitness(examples, recipe_file, tokenizer, console)
    for line in fit.lines():
        _say(console, line)
    return ExitCode.OK if fit.trainable else ExitCode.NO


def _fitness(examples: list[Example], recipe_file: Path, base: Path, console: Console) -> "Fitness":
    """What `train` with this recipe and base would make of the examples."""
    from judgestream_trainer.recipe import load_recipe
    from judgestream_trainer.training.fitness import fitness

    with console.status("encoding ..."):
        return fitness(examples, load_recipe(recipe_file), _tokens(base))


def convert(selection: Selection, *, side: Side | None, out: Path, console: Console) -> ExitCode:
    """Write the examples as JSON lines of our format, each comparison once. NO when there are none."""
    chosen = _chosen(selection, side, console)
    now = datetime.now(UTC)
    try:
        with whole_file(out) as file:
            file.writelines(json_line(example, labelled_at=now) for example in chosen)
    except OSError as exc:
        raise ConfigurationError(f"{out} cannot be written: {exc.strerror or exc}") from exc
    _say(console, f"{len(chosen)} examples are in {out}")
    return ExitCode.OK if chosen else ExitCode.NO


def send(selection: Selection, *, side: Side | None, console: Console) -> ExitCode:
    """Publish the examples, each comparison once. NO when there are none, or one is too large."""
    chosen = _chosen(selection, side, console)
    try:
        with RecordPublisher(load().kafka, client_id="judgestream-trainer") as publisher:
            publish(publisher, chosen, at=datetime.now(UTC))
            confirmed = publisher.flush()
    except OversizeRecord as error:
        console.print(f"error: {error}", style="red", markup=False)
        return ExitCode.NO
    _say(console, f"{confirmed} examples are on {TRAINING.name}")
    return ExitCode.OK if chosen else ExitCode.NO


def _read(selection: Selection, console: Console) -> list[Example]:
    if not selection.files and not selection.topic:
        raise ConfigurationError("nothing to read: name files, or --topic")
    collector = ExampleCollector()
    with console.status("reading ..."):
        columns = parsed(selection.columns)
        read_files(selection.files, collector, mapping=columns, join=selection.join)
        if selection.topic:
            read_topic(load().kafka, collector)
    examples, counts = collector.result()
    _say(console, str(counts))
    if not selection.exclude:
        return examples
    kept = without_prompts(examples, read_questions(selection.exclude))
    _say(console, f"{len(examples) - len(kept)} left out for their questions (--exclude)")
    return kept


def _chosen(selection: Selection, side: Side | None, console: Console) -> list[Example]:
    """One side of the split, or all, without duplicates."""
    unique = deduplicated(_read(selection, console))
    if unique.duplicates:
        _say(
            console,
            f"{unique.duplicates} duplicates left out,"
            f" {unique.contradictory} of them with a different winner",
        )
    if side is None:
        return list(unique.examples)
    shares = selection.shares
    return [example for example in unique.examples if side_of(example.question, shares) is side]


def _token_counter(folder: Path) -> Callable[[str], int]:
    tokens = _tokens(folder)
    return lambda text: len(tokens.prompt(text))


def _tokens(folder: Path) -> "Tokens":
    from judgestream.engine.checkpoint import load_tokens

    try:
        tokens = load_tokens(folder)
    except (OSError, ValueError) as exc:
        raise ConfigurationError(f"no tokenizer can be read from {folder}: {exc}") from exc
    # long texts are counted without a warning
    tokens.tokenizer.model_max_length = sys.maxsize
    return tokens


def _say(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)
