"""`judgestream serve`: examples in from Kafka; trained, measured and published judges out."""

from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from rich.console import Console

from judgestream.adapters.kafka.group import GroupReader
from judgestream.contracts.topics import TRAINING
from judgestream.core.errors import BrokerUnavailable, ConfigurationError
from judgestream.evaluation.gates import Limits
from judgestream.settings import Kafka
from judgestream.v1.training_pb2 import TrainingExample
from judgestream_trainer.commands.publish import kafka_settings
from judgestream_trainer.continuous.cycle import Making
from judgestream_trainer.continuous.service import Asked, Service
from judgestream_trainer.continuous.training import fine_tuning
from judgestream_trainer.data.split import Shares
from judgestream_trainer.publishing.announce import announce
from judgestream_trainer.publishing.upload import upload
from judgestream_trainer.recipe import load_recipe

DATA = Path("~/.local/share/judgestream/trainer")


def arguments(parser: ArgumentParser) -> None:
    limits, shares = Limits(), Shares()
    parser.add_argument("--recipe", type=Path, required=True, help="how to fine-tune (YAML)")
    parser.add_argument(
        "--base", type=Path, required=True, help="the folder that every round starts from"
    )
    parser.add_argument(
        "--publish", required=True, metavar="URL", help="where releases go, as for publish"
    )
    parser.add_argument("--name", default="", help="what releases are called; else as the recipe")
    parser.add_argument(
        "--min-examples", type=int, default=1000, help="new examples that start a round"
    )
    parser.add_argument(
        "--now",
        action="store_true",
        help="train at the topic's end on whatever is new (or: SIGUSR1)",
    )
    parser.add_argument("--once", action="store_true", help="take what is there, one round, end")
    parser.add_argument(
        "--data-dir", type=Path, default=DATA, help="examples, rounds and decisions, kept"
    )
    parser.add_argument("--group", default="judgestream-trainer", help="consumer group")
    parser.add_argument("--bootstrap", help="brokers; else kafka.bootstrap of the settings")
    parser.add_argument("--device", default="cpu", help="for evaluation: cpu, cuda")
    parser.add_argument("--test-share", type=float, default=shares.test)
    parser.add_argument("--validation-share", type=float, default=shares.validation)
    parser.add_argument("--least-held-out", type=int, default=limits.least_examples)
    parser.add_argument("--most-unscored", type=float, default=limits.most_unscored)
    parser.add_argument(
        "--most-loss",
        type=float,
        default=limits.most_loss,
        help="a judge that is worse by this much (share, 0 to 1) is published in at most one of 20 rounds",
    )


def run(args: Namespace, console: Console) -> int:
    """1: the last round's judge was refused. 3: Kafka does not answer (with --once)."""
    if args.min_examples < 1:
        raise ConfigurationError(f"--min-examples is {args.min_examples}; give 1 or more")
    if not 0 < args.most_loss < 1 or not 0 <= args.most_unscored <= 1:
        raise ConfigurationError(
            f"--most-loss is {args.most_loss} and --most-unscored {args.most_unscored}: both are shares, and"
            " no judge is surely as good as another, so --most-loss must be above 0"
        )
    kafka = kafka_settings(args.bootstrap)
    asked = Asked()
    if args.now:
        asked.train.set()
    service = Service(
        making=_making(args, kafka, asked, console),
        reader=partial(GroupReader, kafka, TRAINING, TrainingExample, group=args.group),
        data=args.data_dir.expanduser(),
        least=args.min_examples,
        console=console,
    )
    try:
        with asked.listening():
            return 0 if service.run(asked, once=args.once) else 1
    except BrokerUnavailable as error:
        console.print(f"error: {error}", style="red", markup=False)
        return 3


def _making(args: Namespace, kafka: Kafka, asked: Asked, console: Console) -> Making:
    recipe = load_recipe(args.recipe)
    if recipe.from_nothing:
        raise ConfigurationError(
            f"{args.recipe} trains a judge from nothing; serve fine-tunes --base: leave out size.hidden and"
            " the other sizes of the model"
        )
    name = args.name or recipe.name

    def publish(candidate: Path) -> str:
        release = upload(candidate, args.publish, name=name)
        announce(release, kafka, now=datetime.now(UTC))
        return release.location

    return Making(
        name=name,
        base=args.base,
        recipe=asdict(recipe),
        fine_tune=fine_tuning(recipe, asked, console),
        publish=publish,
        shares=Shares(test=args.test_share, validation=args.validation_share),
        limits=Limits(
            least_examples=args.least_held_out,
            most_unscored=args.most_unscored,
            most_loss=args.most_loss,
        ),
        device=args.device,
    )
