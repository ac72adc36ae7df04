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
from judgestream.checkpoints.dtypes import Dtype
from judgestream.core.errors import ConfigurationError
from judgestream.core.types import Release
from judgestream.settings import load
from judgestream.terminal import options
from judgestream.terminal.output import OutputFormat, json_line, line

app = typer.Typer(
    no_args_is_help=True, help="Install judges as Triton models, and choose the one in use."
)


class Device(StrEnum):
    CPU = "cpu"
    GPU = "gpu"


Repository = Annotated[
    Path | None,
    typer.Option(help="Triton's model repository; default: the one of the local stack"),
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
        typer.Option(help="arithmetic; float8 is refused where it changes the verdicts"),
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
        typer.Option(help="JSON lines of questions and answers that check float8"),
    ] = None,
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

    place = _repository(repository)
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
            link=link,
        )
    _print(release, place, form)


@app.command("vllm")
def vllm_command(
    checkpoint: Annotated[
        Path, typer.Argument(help="checkpoint folder (judgestream's or JudgeLM's)")
    ],
    repository: Repository = None,
    tensor_parallel: Annotated[int, typer.Option(min=1, help="GPUs that share the weights")] = 1,
    dtype: Annotated[
        Dtype, typer.Option(help="of weights and arithmetic; float8 is not available")
    ] = Dtype.AUTO,
    served_from: Annotated[
        Path | None, typer.Option(help="the repository's path in Triton's container, if it differs")
    ] = None,
    arguments: Annotated[
        str, typer.Option(help="further vLLM engine arguments, as a JSON object")
    ] = "{}",
    link: Annotated[
        bool, typer.Option(help="use hard links instead of copies, to save disk")
    ] = False,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Install a checkpoint for Triton's vLLM backend: the engine, and the model that calls it."""
    from judgestream.adapters.releases.vllm import VllmServing, install_vllm

    if not checkpoint.is_dir():
        raise ConfigurationError(f"{checkpoint} is not a checkpoint folder")
    place = _repository(repository)
    serving = VllmServing(
        dtype=dtype,
        tensor_parallel=tensor_parallel,
        served_from=served_from,
        arguments=_object(arguments),
    )
    _print(install_vllm(checkpoint, place, serving=serving, link=link), place, form)


@app.command("endpoint")
def endpoint_command(
    url: Annotated[str, typer.Argument(help="base URL of the endpoint, up to and including /v1")],
    model: Annotated[str, typer.Argument(help="name of the model at the endpoint")],
    repository: Repository = None,
    key_variable: Annotated[
        str, typer.Option(help="environment variable of Triton's process that contains the key")
    ] = "",
    template: Annotated[str, typer.Option(help="prompt template")] = "chat-v1",
    concurrency: Annotated[int, typer.Option(min=1, help="concurrent requests")] = 16,
    top_logprobs: Annotated[
        int,
        typer.Option(min=0, max=20, help="alternatives per token; 0: the endpoint returns none"),
    ] = 20,
    thinking_tokens: Annotated[
        int, typer.Option(min=0, help="extra tokens for a model that thinks before it answers")
    ] = 0,
    price_in: Annotated[float, typer.Option(min=0, help="per million prompt tokens")] = 0.0,
    price_out: Annotated[float, typer.Option(min=0, help="per million output tokens")] = 0.0,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Install a judge behind an OpenAI-compatible endpoint (vLLM, SGLang, hosted)."""
    from judgestream.adapters.releases.endpoint import RemoteJudge, install_endpoint

    judge = RemoteJudge(
        endpoint=url,
        endpoint_model=model,
        template_id=template,
        key_variable=key_variable,
        concurrency=concurrency,
        top_logprobs=top_logprobs,
        thinking_tokens=thinking_tokens,
        price_in=price_in,
        price_out=price_out,
    )
    place = _repository(repository)
    _print(install_endpoint(judge, place), place, form)


app.command("list")(release_control.list_command)
app.command("load")(release_control.load_command)
app.command("use")(release_control.use_command)
app.command("unload")(release_control.unload_command)


def _repository(given: Path | None) -> Path:
    """The repository to install into."""
    from judgestream.local.folder import data_folder, make_folder

    if given is not None:
        return given.expanduser()
    folder = data_folder(load(find_stack=False).local.data)
    make_folder(folder)
    return folder / "models"


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


def _print(release: Release, repository: Path, form: OutputFormat) -> None:
    if form is OutputFormat.JSON:
        json_line(
            {
                "release": release.name,
                "checkpoint_digest": release.checkpoint_digest,
                "template_id": release.template_id,
                "max_input_tokens": release.max_input_tokens,
            }
        )
    else:
        line(f"installed {release.name} in {repository}")
