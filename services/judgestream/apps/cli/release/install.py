"""`judgestream release install|vllm|endpoint`: install a judge into a Triton model repository."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from judgestream.adapters.releases.tuning import Tuning
from judgestream.apps.cli.release import control as release_control
from judgestream.apps.cli.release import move
from judgestream.apps.cli.release.diff import diff_command
from judgestream.apps.cli.release.endpoint import endpoint_command
from judgestream.apps.cli.release.jury import jury_command
from judgestream.apps.cli.release.place import Repository, print_installed, repository_of
from judgestream.apps.cli.release.recorded import recorded_command
from judgestream.apps.cli.release.show import show_command
from judgestream.apps.cli.release.terms import (
    PerDay,
    PriceIn,
    PriceOut,
    Total,
    budget_command,
    given,
)
from judgestream.checkpoints.dtypes import Dtype
from judgestream.core.errors import ConfigurationError
from judgestream.terminal import options
from judgestream.terminal.output import OutputFormat

app = typer.Typer(
    no_args_is_help=True,
    help="Install judges as Triton models, and roll them out: stage, shadow, canary, promote, roll back.",
)


class Device(StrEnum):
    CPU = "cpu"
    GPU = "gpu"


Template = Annotated[
    Path | None,
    typer.Option(
        help="template file that the judge is asked with; `judgestream template check` tests it"
    ),
]


@app.command("install")
def install_command(
    checkpoint: Annotated[
        str,
        typer.Argument(
            help="checkpoint folder (judgestream's or JudgeLM's), or the URL of a published checkpoint"
        ),
    ],
    repository: Repository = None,
    device: Annotated[Device, typer.Option(help="where the judge runs")] = Device.CPU,
    instances: Annotated[
        int, typer.Option(min=1, help="processes, each with its own weights; on GPUs: per GPU")
    ] = 1,
    dtype: Annotated[
        Dtype,
        typer.Option(
            help="arithmetic; float8 (GPUs) and int8 (CPUs) are refused where they change verdicts"
        ),
    ] = Dtype.AUTO,
    tensor_parallel: Annotated[
        int, typer.Option(min=1, help="GPUs that share one copy of the weights")
    ] = 1,
    gpus: Annotated[str, typer.Option(help="GPUs to use, such as 0,1,2,3; default: all")] = "",
    compile_: Annotated[
        bool, typer.Option("--compile", help="torch.compile: slower to load, faster on GPUs")
    ] = False,
    row_tokens: Annotated[
        int, typer.Option(min=0, help="tokens per forward pass; 0: the device's default")
    ] = 0,
    peak_tflops: Annotated[
        float,
        typer.Option(min=0, help="peak of one device, for the MFU gauge; 0: by the GPU's name"),
    ] = 0.0,
    trial_prompts: Annotated[
        Path | None,
        typer.Option(help="JSON lines of questions and answers that check float8 or int8"),
    ] = None,
    price_in: PriceIn = None,
    price_out: PriceOut = None,
    budget_per_day: PerDay = None,
    budget_total: Total = None,
    template: Template = None,
    link: Annotated[
        bool, typer.Option(help="use hard links instead of copies, to save disk")
    ] = False,
    decoupled: Annotated[
        bool,
        typer.Option(
            help="send scores first, then explanations as they are generated; all clients must stream"
        ),
    ] = False,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Install a checkpoint into a model repository as `<family>-<digest8>`.

    The model appears complete or not at all, and other models are not changed. `release use` puts it into
    service on the local stack; elsewhere load it with Triton's API.
    """
    from judgestream.adapters.releases.model_repository import install

    place = repository_of(repository)
    with _checkpoint(checkpoint) as folder:
        release = install(
            folder,
            place,
            instances=instances,
            device=device.value,
            gpus=_numbers(gpus),
            tuning=Tuning(
                dtype=dtype,
                row_tokens=row_tokens,
                tensor_parallel=tensor_parallel,
                compile=compile_,
                peak_tflops=peak_tflops,
                decoupled=decoupled,
            ),
            trial_prompts=trial_prompts,
            template=template,
            link=link,
            terms=given(price_in, price_out, budget_per_day, budget_total),
        )
    print_installed(release, place, form)


@app.command("vllm")
def vllm_command(
    checkpoint: Annotated[
        Path, typer.Argument(help="checkpoint folder (judgestream's or JudgeLM's)")
    ],
    repository: Repository = None,
    tensor_parallel: Annotated[int, typer.Option(min=1, help="GPUs that share the weights")] = 1,
    dtype: Annotated[
        Dtype, typer.Option(help="of weights and arithmetic; float8 and int8 are not available")
    ] = Dtype.AUTO,
    served_from: Annotated[
        Path | None, typer.Option(help="the repository's path in Triton's container, if it differs")
    ] = None,
    arguments: Annotated[
        str, typer.Option(help="further vLLM engine arguments, as a JSON object")
    ] = "{}",
    template: Template = None,
    link: Annotated[
        bool, typer.Option(help="use hard links instead of copies, to save disk")
    ] = False,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Install a checkpoint for Triton's vLLM backend: the engine, and the model that calls it."""
    from judgestream.adapters.releases.vllm import VllmServing, install_vllm

    if not checkpoint.is_dir():
        raise ConfigurationError(f"{checkpoint} is not a checkpoint folder")
    place = repository_of(repository)
    serving = VllmServing(
        dtype=dtype,
        tensor_parallel=tensor_parallel,
        served_from=served_from,
        arguments=_object(arguments),
    )
    release = install_vllm(checkpoint, place, serving=serving, template=template, link=link)
    print_installed(release, place, form)


app.command("endpoint")(endpoint_command)
app.command("jury")(jury_command)
app.command("recorded")(recorded_command)
app.command("budget")(budget_command)
app.command("list")(release_control.list_command)
app.command("show")(show_command)
app.command("diff")(diff_command)
app.command("load")(release_control.load_command)
app.command("stage")(move.stage_command)
app.command("shadow")(move.shadow_command)
app.command("canary")(move.canary_command)
app.command("promote")(move.promote_command)
app.command("rollback")(move.rollback_command)
app.command("retire")(move.retire_command)
app.command("use")(move.use_command)
app.command("unload")(release_control.unload_command)


@contextmanager
def _checkpoint(given: str) -> Iterator[Path]:
    """The folder of a checkpoint, downloaded first if it is a URL."""
    if "://" in given:
        from judgestream.adapters.releases.published_checkpoint import fetched

        with fetched(given) as folder:
            yield folder
        return
    folder = Path(given).expanduser()
    if not folder.is_dir():
        raise ConfigurationError(f"{given} is not a checkpoint folder")
    yield folder


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(number) for number in text.split(",") if number.strip())
    except ValueError:
        raise ConfigurationError(
            f"invalid --gpus {text!r}: give numbers separated by commas, such as 0,1,2,3"
        ) from None


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ConfigurationError(f"--arguments is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ConfigurationError(f"--arguments must be a JSON object, not {text}")
    return value
