"""`judgestream data check|convert|publish`: look at training data, rewrite it, stream it."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from rich.console import Console

from judgestream.adapters.kafka.publishing import RecordPublisher
from judgestream.contracts.topics import TRAINING
from judgestream.core.errors import BrokerUnavailable, ConfigurationError, OversizeRecord
from judgestream.core.formats.mapping import parsed
from judgestream.settings import load
from judgestream_trainer.data import ExampleCollector, read_files
from judgestream_trainer.data.example import Example
from judgestream_trainer.data.questions import read_questions
from judgestream_trainer.data.split import Shares, Side, deduplicated, side, without_prompts
from judgestream_trainer.data.stream import publish, read_topic
from judgestream_trainer.data.summary import summary
from judgestream_trainer.data.topic import json_line
from judgestream_trainer.files import whole_file

if TYPE_CHECKING:  # they need torch, which takes seconds to load
    from judgestream.engine.tokens import Tokens
    from judgestream_trainer.training.fitness import Fitness

DONE, NO, NO_SERVER = 0, 1, 3
MAX_TOKENS = 2048
ALL = "all"


def arguments(parser: ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, verb in _VERBS.items():
        one = verbs.add_parser(name, help=verb.summary, description=verb.summary)
        one.add_argument(
            "files", nargs="*", type=Path, metavar="FILE", help="any that submit reads"
        )
        one.add_argument(
            "--map",
            nargs="+",
            action="extend",
            default=[],
            metavar="FIELD=COLUMN",
            help="read the columns under other names: question=prompt answer_a=response1 ...",
        )
        one.add_argument(
            "--join",
            metavar="FIELD",
            help="make pairs of single answers with the same question (or the same value of a field)",
        )
        one.add_argument("--topic", action="store_true", help=f"also what is on {TRAINING.name}")
        one.add_argument(
            "--exclude",
            action="append",
            default=[],
            type=Path,
            metavar="FILE",
            help="leave out this file's questions, such as a benchmark's; may come often",
        )
        one.add_argument("--validation", type=float, default=0.05, help="share of the questions")
        one.add_argument("--test", type=float, default=0.05, help="share of the questions")
        one.add_argument("--salt", default="", help="another one gives another split")
        verb.arguments(one)


def run(args: Namespace, console: Console) -> int:
    """0: done; 1: no example is left, or one is too large; 3: the broker does not answer."""
    try:
        return _VERBS[args.verb].run(args, _gathered(args, console), console)
    except (BrokerUnavailable, OversizeRecord) as error:
        console.print(f"error: {error}", style="red", markup=False)
        return NO_SERVER if isinstance(error, BrokerUnavailable) else NO


def check(args: Namespace, examples: list[Example], console: Console) -> int:
    """Print what the examples are like."""
    tokens: Callable[[str], int] | None = None
    if args.tokenizer is not None:
        tokens = _token_counter(args.tokenizer)
    with console.status("measuring ..."):
        found = summary(examples, _shares(args), tokens=tokens, max_tokens=args.max_tokens)
    for line in found.lines():
        _say(console, line)
    if args.recipe is None or not examples:
        return DONE if examples else NO
    fit = _fitness(args, examples, console)
    for line in fit.lines():
        _say(console, line)
    return DONE if fit.trainable else NO


def _fitness(args: Namespace, examples: list[Example], console: Console) -> "Fitness":
    """What `train` with this recipe and base would make of the examples."""
    if args.tokenizer is None:
        raise ConfigurationError(
            "--recipe needs the base that it fine-tunes: name it with --tokenizer"
        )
    from judgestream_trainer.recipe import load_recipe  # noqa: PLC0415
    from judgestream_trainer.training.fitness import fitness  # noqa: PLC0415 - torch takes seconds

    with console.status("encoding ..."):
        return fitness(examples, load_recipe(args.recipe), _tokens(args.tokenizer))


def convert(args: Namespace, examples: list[Example], console: Console) -> int:
    """Write the examples, each comparison once, as our own JSON lines."""
    chosen = _chosen(args, examples, console)
    now = datetime.now(UTC)
    try:
        with whole_file(args.out) as file:
            file.writelines(json_line(example, labelled_at=now) for example in chosen)
    except OSError as exc:
        raise ConfigurationError(f"{args.out} cannot be written: {exc.strerror or exc}") from exc
    _say(console, f"{len(chosen)} examples are in {args.out}")
    return DONE if chosen else NO


def send(args: Namespace, examples: list[Example], console: Console) -> int:
    """Publish the examples, each comparison once."""
    chosen = _chosen(args, examples, console)
    with RecordPublisher(load().kafka, client_id="judgestream-trainer") as publisher:
        publish(publisher, chosen, at=datetime.now(UTC))
        confirmed = publisher.flush()
    _say(console, f"{confirmed} examples are on {TRAINING.name}")
    return DONE if chosen else NO


def _gathered(args: Namespace, console: Console) -> list[Example]:
    if not args.files and not args.topic:
        raise ConfigurationError("nothing to read: name files, or --topic")
    tally = ExampleCollector()
    with console.status("reading ..."):
        read_files(args.files, tally, mapping=parsed(args.map), join=args.join)
        if args.topic:
            read_topic(load().kafka, tally)
    examples, counts = tally.result()
    _say(console, str(counts))
    if not args.exclude:
        return examples
    kept = without_prompts(examples, read_questions(args.exclude))
    _say(console, f"{len(examples) - len(kept)} left out for their questions (--exclude)")
    return kept


def _chosen(args: Namespace, examples: list[Example], console: Console) -> list[Example]:
    """One side of the split, or all, without duplicates."""
    unique = deduplicated(examples)
    if unique.duplicates:
        _say(
            console,
            f"{unique.duplicates} duplicates left out,"
            f" {unique.contradictory} of them with another winner",
        )
    if args.side == ALL:
        return list(unique.examples)
    shares = _shares(args)
    return [one for one in unique.examples if side(one.question, shares) == args.side]


def _shares(args: Namespace) -> Shares:
    return Shares(validation=args.validation, test=args.test, salt=args.salt)


def _token_counter(folder: Path) -> Callable[[str], int]:
    tokens = _tokens(folder)
    return lambda text: len(tokens.prompt(text))


def _tokens(folder: Path) -> "Tokens":
    from judgestream.engine.checkpoint import load_tokens  # noqa: PLC0415 - torch takes seconds

    try:
        tokens = load_tokens(folder)
    except (OSError, ValueError) as exc:
        raise ConfigurationError(f"no tokenizer can be read from {folder}: {exc}") from exc
    tokens.tokenizer.model_max_length = sys.maxsize  # long texts are counted, not warned of
    return tokens


def _say(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def _check_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--tokenizer", type=Path, metavar="FOLDER", help="count its tokens, too (a checkpoint)"
    )
    parser.add_argument(
        "--recipe",
        type=Path,
        metavar="FILE",
        help="what `train` with this recipe would leave out; --tokenizer names its base",
    )
    parser.add_argument(
        "--max-tokens", type=int, default=MAX_TOKENS, help="count the sequences above this"
    )


def _side_argument(parser: ArgumentParser) -> None:
    parser.add_argument("--side", choices=[ALL, *Side], default=ALL, help="of the split")


def _convert_arguments(parser: ArgumentParser) -> None:
    _side_argument(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Verb:
    summary: str
    arguments: Callable[[ArgumentParser], None]
    run: Callable[[Namespace, list[Example], Console], int]


_VERBS: Mapping[str, _Verb] = MappingProxyType(
    {
        "check": _Verb(
            summary="counts by reason, balance, lengths, duplicates and the split",
            arguments=_check_arguments,
            run=check,
        ),
        "convert": _Verb(
            summary="write our own JSON lines, each comparison once",
            arguments=_convert_arguments,
            run=convert,
        ),
        "publish": _Verb(
            summary=f"publish on {TRAINING.name}, each comparison once",
            arguments=_side_argument,
            run=send,
        ),
    }
)
