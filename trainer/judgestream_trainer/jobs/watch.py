"""Continuous training: examples in from Kafka; trained, measured and published judges out."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from rich.console import Console

from judgestream.adapters.kafka.group import GroupReader
from judgestream.contracts.topics import TRAINING
from judgestream.core.errors import ConfigurationError
from judgestream.metrics_endpoint import serve
from judgestream.process_health import Check, Health
from judgestream.process_tracing import tracing
from judgestream.settings import Kafka, load
from judgestream.telemetry import logs
from judgestream.terminal.exit_codes import ExitCode
from judgestream.v1.training_pb2 import TrainingExample
from judgestream_trainer.continuous.cycle import CycleSettings
from judgestream_trainer.continuous.limits import Limits
from judgestream_trainer.continuous.service import Service, Signals
from judgestream_trainer.continuous.training import fine_tuning
from judgestream_trainer.data.split import Shares
from judgestream_trainer.publishing.announce import announce
from judgestream_trainer.publishing.upload import upload
from judgestream_trainer.recipe import load_recipe


@dataclass(frozen=True, kw_only=True, slots=True)
class Watch:
    """What to watch and what to make of it: the options of `judgestream watch`."""

    recipe_file: Path
    base: Path
    url: str
    name: str
    min_examples: int
    now: bool
    once: bool
    data_dir: Path
    group: str
    device: str
    shares: Shares
    limits: Limits
    metrics_port: int


def watch(options: Watch, console: Console) -> ExitCode:
    """NO when the last cycle's judge was not published.

    Raises:
        BrokerUnavailable: Kafka does not answer (only with `once`; otherwise it is retried).
    """
    if not 0 < options.limits.most_loss < 1:
        raise ConfigurationError(
            f"--most-loss {options.limits.most_loss}: use a share above 0 and below 1; no finite sample shows"
            " a loss of 0"
        )
    settings = load()
    kafka = settings.kafka
    if settings.worker.log_format == "json":  # as text, the console is what a person sees
        logs.configure(settings.worker, kind="trainer")
    signals = Signals()
    serve(
        settings.worker.metrics_host,
        options.metrics_port,
        settings="--metrics-port or JUDGESTREAM_WORKER__METRICS_HOST",
        health=_health(signals),
    )
    if options.now:
        signals.train.set()
    service = Service(
        settings=_cycle_settings(options, kafka, signals, console),
        reader=partial(GroupReader, kafka, TRAINING, TrainingExample, group=options.group),
        data=options.data_dir,
        min_examples=options.min_examples,
        console=console,
    )
    with tracing(settings.telemetry, kind="trainer", slot=0), signals.listening():
        published = service.run(signals, once=options.once)
    return ExitCode.OK if published else ExitCode.NO


def _health(signals: Signals) -> Health:
    """Live while the process answers, ready until it is asked to stop. A cycle may take days without a word,
    and Kafka may be away: neither is a failure of this process."""

    def stopping() -> Check:
        asked = signals.stop.is_set()
        return Check(name="stop", ok=not asked, detail="asked to stop" if asked else "not asked")

    health = Health()
    health.ready_while(stopping)
    health.started()
    return health


def _cycle_settings(
    options: Watch, kafka: Kafka, signals: Signals, console: Console
) -> CycleSettings:
    recipe = load_recipe(options.recipe_file)
    if recipe.from_nothing:
        raise ConfigurationError(
            f"{options.recipe_file} trains a judge from nothing, watch fine-tunes --base: remove size.hidden"
            " and the other dimensions of the model"
        )
    name = options.name or recipe.name

    def publish(candidate: Path) -> str:
        release = upload(candidate, options.url, name=name)
        announce(release, kafka, now=datetime.now(UTC))
        return release.location

    return CycleSettings(
        name=name,
        base=options.base,
        recipe=asdict(recipe),
        fine_tune=fine_tuning(recipe, signals, console),
        publish=publish,
        shares=options.shares,
        limits=options.limits,
        device=options.device,
    )
