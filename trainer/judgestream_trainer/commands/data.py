"""`judgestream data check|convert|publish`: options."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from judgestream.contracts.topics import TRAINING
from judgestream.terminal.mapped_files import Join, Map, files_and_columns
from judgestream_trainer.commands.libraries import trainer_libraries
from judgestream_trainer.commands.options import Test, Validation, console
from judgestream_trainer.data.split import Shares, Side

if TYPE_CHECKING:
    from judgestream_trainer.jobs.data import Selection

SHARES = Shares()
MAX_TOKENS = 2048

app = typer.Typer(
    no_args_is_help=True, help="Check training data, convert it, or publish it on Kafka."
)

Files = Annotated[
    list[str] | None, typer.Argument(metavar="[FILE]...", help="any format that submit reads")
]
Topic = Annotated[bool, typer.Option("--topic", help=f"also read {TRAINING.name}")]
Exclude = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE",
        help="leave out this file's questions, such as a benchmark's; may be given repeatedly",
    ),
]
Salt = Annotated[str, typer.Option(help="a different salt gives a different split")]
OneSide = Annotated[
    Side | None, typer.Option("--side", help="only this side of the split (default: all)")
]


@app.command()
def check(
    files: Files = None,
    map_: Map = None,
    join: Join = None,
    topic: Topic = False,
    exclude: Exclude = None,
    validation: Validation = SHARES.validation,
    test: Test = SHARES.test,
    salt: Salt = "",
    tokenizer: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="a checkpoint: also count its tokens"),
    ] = None,
    recipe: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="show what train with this recipe would leave out; --tokenizer names its base",
        ),
    ] = None,
    max_tokens: Annotated[
        int, typer.Option(help="count the sequences above this length")
    ] = MAX_TOKENS,
) -> None:
    """Print counts by reason, balance, lengths, duplicates and the split.

    Exits 1 when no example is left, or none can be trained on.
    """
    with trainer_libraries():
        from judgestream_trainer.jobs.data import check as job
    selection = _selection(files, map_, join, topic, exclude, validation, test, salt)
    code = job(
        selection,
        tokenizer=tokenizer,
        recipe_file=recipe,
        max_tokens=max_tokens,
        console=console(),
    )
    raise typer.Exit(code)


@app.command()
def convert(
    out: Annotated[Path, typer.Option(metavar="FILE", help="the file to write")],
    files: Files = None,
    map_: Map = None,
    join: Join = None,
    topic: Topic = False,
    exclude: Exclude = None,
    validation: Validation = SHARES.validation,
    test: Test = SHARES.test,
    salt: Salt = "",
    side: OneSide = None,
) -> None:
    """Write JSON lines in judgestream's format, each comparison once. Exits 1 when no example is left."""
    with trainer_libraries():
        from judgestream_trainer.jobs.data import convert as job
    selection = _selection(files, map_, join, topic, exclude, validation, test, salt)
    raise typer.Exit(job(selection, side=side, out=out, console=console()))


@app.command()
def publish(
    files: Files = None,
    map_: Map = None,
    join: Join = None,
    topic: Topic = False,
    exclude: Exclude = None,
    validation: Validation = SHARES.validation,
    test: Test = SHARES.test,
    salt: Salt = "",
    side: OneSide = None,
) -> None:
    """Publish on judge.training.v1, each comparison once.

    Exits 1 when no example is left, or one is too large for the topic.
    """
    with trainer_libraries():
        from judgestream_trainer.jobs.data import send as job
    selection = _selection(files, map_, join, topic, exclude, validation, test, salt)
    raise typer.Exit(job(selection, side=side, console=console()))


def _selection(
    files: list[str] | None,
    columns: list[str] | None,
    join: str | None,
    topic: bool,
    exclude: list[Path] | None,
    validation: float,
    test: float,
    salt: str,
) -> "Selection":
    from judgestream_trainer.jobs.data import Selection

    paths, columns = files_and_columns(files or (), columns or ())
    return Selection(
        files=paths,
        columns=columns,
        join=join,
        topic=topic,
        exclude=exclude or [],
        shares=Shares(validation=validation, test=test, salt=salt),
    )


@app.command()
def preferences(
    sets: Annotated[Path, typer.Argument(metavar="FOLDER", help="the published sets")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="the file to write (.jsonl or .gz)")],
) -> None:
    """Write groups of graded answers for the training of reward models.

    FOLDER holds the sets alpaca_eval, autoj, gsm8k_pairs and judgement_bias, as far as there, and those
    whose questions are left out: pandalm, autoj, faireval, vicuna_bench, mt_bench.
    """
    with trainer_libraries():
        from judgestream_trainer.jobs.rewards import preferences as job
    raise typer.Exit(job(sets=sets, out=out, console=console()))
