"""`judgestream label`: options."""

from pathlib import Path
from typing import Annotated

import typer

from judgestream.core.templates import CHAT
from judgestream_trainer.commands.libraries import trainer_libraries
from judgestream_trainer.commands.options import Test, Validation, console
from judgestream_trainer.data.split import Shares

SHARES = Shares()


def label(
    seeds: Annotated[
        Path,
        typer.Option(metavar="FILE", help="question_id, question_body"),
    ],
    answers: Annotated[
        list[Path],
        typer.Option(
            metavar="FILE",
            help="one file per model, given repeatedly: question_id, text",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(metavar="FOLDER", help="the folder to write, or to continue in"),
    ],
    references: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="question_id, reference"),
    ] = None,
    pairs: Annotated[int, typer.Option(help="pairs per question")] = 1,
    seed: Annotated[int, typer.Option(help="of the pairs and their order")] = 0,
    max_characters: Annotated[int, typer.Option(help="largest size of a pair")] = 20_000,
    validation: Validation = SHARES.validation,
    test: Test = SHARES.test,
    partial: Annotated[
        bool, typer.Option("--partial", help="write the files even if judgements are missing")
    ] = False,
    teacher: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="URL MODEL", help="an OpenAI-compatible endpoint"),
    ] = None,
    judge: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="a judgestream checkpoint instead"),
    ] = None,
    device: Annotated[str, typer.Option(help="of --judge: cpu or cuda")] = "cpu",
    key_variable: Annotated[
        str,
        typer.Option(help="environment variable with the API key"),
    ] = "",
    template: Annotated[
        str | None,
        typer.Option(help=f"of an endpoint's prompts (default: {CHAT.id})"),
    ] = None,
    max_tokens: Annotated[int, typer.Option(help="of an explanation; 0: none")] = 512,
    concurrency: Annotated[int, typer.Option(help="prompts in flight")] = 16,
    deadline: Annotated[float, typer.Option(help="seconds for one judgement")] = 120.0,
    price_in: Annotated[float, typer.Option(help="per million prompt tokens")] = 0.0,
    price_out: Annotated[float, typer.Option(help="per million generated tokens")] = 0.0,
    budget: Annotated[
        float | None,
        typer.Option(help="stop before --out has cost more than this"),
    ] = None,
    ask_again: Annotated[
        bool,
        typer.Option("--ask-again", help="ask again where a reply held no judgement"),
    ] = False,
) -> None:
    """Judge pairs of several models' answers with a teacher, and split them for training.

    Exits 1 when judgements are missing, 130 when Ctrl-C stopped it. SIGTERM stops it with 0. The same
    command again continues.
    """
    with trainer_libraries():
        from judgestream_trainer.jobs.label import TeacherOptions
        from judgestream_trainer.jobs.label import label as job
        from judgestream_trainer.labelling.plan import Plan
    plan = Plan(
        seeds=seeds,
        answers=answers,
        references=references,
        out=out,
        pairs=pairs,
        seed=seed,
        max_characters=max_characters,
        max_tokens=max_tokens,
        shares=Shares(validation=validation, test=test),
        partial=partial,
        ask_again=ask_again,
    )
    options = TeacherOptions(
        endpoint=teacher,
        judge=judge,
        device=device,
        key_variable=key_variable,
        template=template,
        max_tokens=max_tokens,
        concurrency=concurrency,
        deadline_s=deadline,
        price_in=price_in,
        price_out=price_out,
        budget=budget,
    )
    raise typer.Exit(job(plan, options, console()))
