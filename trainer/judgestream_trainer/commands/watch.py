"""`judgestream watch`: options."""

from pathlib import Path
from typing import Annotated

import typer

from judgestream_trainer.commands.libraries import trainer_libraries
from judgestream_trainer.commands.options import console
from judgestream_trainer.continuous.limits import Limits
from judgestream_trainer.data.split import Shares

DATA = Path("~/.local/share/judgestream/trainer")
LIMITS, SHARES = Limits(), Shares()


def watch(
    recipe: Annotated[Path, typer.Option(metavar="FILE", help="how to fine-tune (YAML)")],
    base: Annotated[
        Path, typer.Option(metavar="FOLDER", help="the checkpoint that every cycle starts from")
    ],
    publish: Annotated[
        str, typer.Option(metavar="URL", help="where to upload releases, as for publish")
    ],
    name: Annotated[str, typer.Option(help="name of the releases (default: the recipe's)")] = "",
    min_examples: Annotated[
        int, typer.Option(min=1, help="start a training cycle at this many new examples")
    ] = 1000,
    now: Annotated[
        bool,
        typer.Option("--now", help="read the topic to its end, then train on any new examples"),
    ] = False,
    once: Annotated[
        bool, typer.Option("--once", help="read the topic to its end, run one cycle, exit")
    ] = False,
    data_dir: Annotated[
        Path, typer.Option(metavar="FOLDER", help="examples, cycles and decisions")
    ] = DATA,
    group: Annotated[str, typer.Option(help="consumer group")] = "judgestream-trainer",
    device: Annotated[str, typer.Option(help="evaluate on cpu or cuda")] = "cpu",
    test_share: Annotated[
        float, typer.Option(help="share of the questions for testing, 0 to 1")
    ] = SHARES.test,
    validation_share: Annotated[
        float, typer.Option(help="share of the questions for validation, 0 to 1")
    ] = SHARES.validation,
    least_held_out: Annotated[
        int, typer.Option(help="readable held-out examples that a format needs")
    ] = LIMITS.least_examples,
    most_unscored: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="largest share of unreadable replies, 0 to 1")
    ] = LIMITS.most_unscored,
    most_loss: Annotated[
        float,
        typer.Option(
            help="accepted loss of accuracy and of consistency, above 0, below 1: a judge that is worse by"
            " this much is published in at most one of 20 cycles"
        ),
    ] = LIMITS.most_loss,
    metrics_port: Annotated[
        int, typer.Option(min=0, max=65535, help="serve Prometheus metrics here; 0 = none")
    ] = 0,
) -> None:
    """Train, measure and publish a judge whenever enough new examples are on judge.training.v1.

    SIGUSR1 starts a cycle at once; SIGTERM and SIGINT stop, and the next start continues. Exits 1 when the
    last cycle's judge was not published; 3 when Kafka does not answer (with --once).
    """
    with trainer_libraries():
        from judgestream_trainer.jobs.watch import Watch
        from judgestream_trainer.jobs.watch import watch as job
    code = job(
        Watch(
            recipe_file=recipe,
            base=base,
            url=publish,
            name=name,
            min_examples=min_examples,
            now=now,
            once=once,
            data_dir=data_dir.expanduser(),
            group=group,
            device=device,
            shares=Shares(test=test_share, validation=validation_share),
            limits=Limits(
                least_examples=least_held_out,
                most_unscored=most_unscored,
                most_loss=most_loss,
            ),
            metrics_port=metrics_port,
        ),
        console(),
    )
    raise typer.Exit(code)
