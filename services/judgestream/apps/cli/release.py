"""`judgestream release install|vllm|endpoint`: a judge into a Triton model repository."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from judgestream.apps.cli import options
from judgestream.apps.cli.output import OutputFormat, json_line, line
from judgestream.core.errors import ConfigurationError
from judgestream.core.types import Release

app = typer.Typer(no_args_is_help=True, help="Judges as Triton models.")


class Device(StrEnum):
    CPU = "cpu"
    GPU = "gpu"


class Dtype(StrEnum):
    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


class JudgeDtype(StrEnum):
    """What our own engine takes."""

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"
    FLOAT8 = "float8"


@app.command("install")
def install_command(
    checkpoint: Annotated[Path, typer.Argument(help="checkpoint folder, ours or JudgeLM's")],
    repository: Annotated[Path, typer.Option(help="Triton's model repository")],
    device: Annotated[Device, typer.Option(help="where the judge runs")] = Device.CPU,
    instances: Annotated[
        int, typer.Option(min=1, help="processes, each with its own weights; on GPUs: per GPU")
    ] = 1,
    dtype: Annotated[
        JudgeDtype,
        typer.Option(help="of the weights; float8 only where the verdicts stay the same"),
    ] = JudgeDtype.AUTO,
    tensor_parallel: Annotated[
        int, typer.Option(min=1, help="GPUs that share one copy of the weights")
    ] = 1,
    gpus: Annotated[str, typer.Option(help="GPUs to use, such as 0,1,2,3; default: all")] = "",
    compile_: Annotated[
        bool, typer.Option("--compile", help="torch.compile: slower to load, faster on GPUs")
    ] = False,
    trial_prompts: Annotated[
        Path | None,
        typer.Option(help="JSON lines with question and answers, to measure float8 on"),
    ] = None,
    link: Annotated[bool, typer.Option(help="hard links instead of copies, to save disk")] = False,
    decoupled: Annotated[
        bool,
        typer.Option(
            help="scores first, explanations as they grow; other clients must stream then"
        ),
    ] = False,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Put a checkpoint into a model repository as `<family>-<digest8>`.

    The model appears whole or not at all; nothing that is there is changed. Load it with Triton's own
    `load_model`, or have Triton poll the repository.
    """
    from judgestream.adapters.model_repository import Tuning, install

    if not checkpoint.is_dir():
        raise ConfigurationError(f"{checkpoint} is no checkpoint folder")
    release = install(
        checkpoint,
        repository,
        instances=instances,
        device=device.value,
        gpus=_numbers(gpus),
        tuning=Tuning(
            dtype=dtype.value,
            tensor_parallel=tensor_parallel,
            compile=compile_,
            decoupled=decoupled,
        ),
        trial_prompts=trial_prompts,
        link=link,
    )
    _tell(release, repository, form)


@app.command("vllm")
def vllm_command(
    checkpoint: Annotated[Path, typer.Argument(help="checkpoint folder, ours or JudgeLM's")],
    repository: Annotated[Path, typer.Option(help="Triton's model repository")],
    tensor_parallel: Annotated[int, typer.Option(min=1, help="GPUs that share the weights")] = 1,
    dtype: Annotated[Dtype, typer.Option(help="of weights and arithmetic")] = Dtype.AUTO,
    served_from: Annotated[
        Path | None, typer.Option(help="the repository as Triton sees it, if that is another path")
    ] = None,
    arguments: Annotated[
        str, typer.Option(help="further engine arguments of vLLM, as a JSON object")
    ] = "{}",
    link: Annotated[bool, typer.Option(help="hard links instead of copies, to save disk")] = False,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Put a checkpoint into a model repository for Triton's vLLM backend: the engine and what asks it."""
    from judgestream.adapters.vllm_release import VllmServing, install_vllm

    if not checkpoint.is_dir():
        raise ConfigurationError(f"{checkpoint} is no checkpoint folder")
    serving = VllmServing(
        dtype=dtype.value,
        tensor_parallel=tensor_parallel,
        served_from=served_from,
        arguments=_object(arguments),
    )
    _tell(install_vllm(checkpoint, repository, serving=serving, link=link), repository, form)


@app.command("endpoint")
def endpoint_command(
    url: Annotated[str, typer.Argument(help="base URL of the endpoint, up to and with /v1")],
    model: Annotated[str, typer.Argument(help="the model, as the endpoint calls it")],
    repository: Annotated[Path, typer.Option(help="Triton's model repository")],
    key_variable: Annotated[
        str, typer.Option(help="environment variable of Triton's process that holds the key")
    ] = "",
    template: Annotated[str, typer.Option(help="prompt template")] = "chat-v1",
    concurrency: Annotated[int, typer.Option(min=1, help="requests under way at once")] = 16,
    top_logprobs: Annotated[
        int, typer.Option(min=0, max=20, help="alternatives per token; 0: it gives none")
    ] = 20,
    thinking_tokens: Annotated[
        int, typer.Option(min=0, help="for a model that thinks first, on top of its reply's tokens")
    ] = 0,
    price_in: Annotated[float, typer.Option(min=0, help="per million prompt tokens")] = 0.0,
    price_out: Annotated[float, typer.Option(min=0, help="per million written tokens")] = 0.0,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Put a judge behind an OpenAI-compatible endpoint (vLLM, SGLang, hosted) into a model repository."""
    from judgestream.adapters.endpoint_release import RemoteJudge, install_endpoint

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
    _tell(install_endpoint(judge, repository), repository, form)


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(number) for number in text.split(",") if number.strip())
    except ValueError:
        raise ConfigurationError(
            f"--gpus {text!r}: give numbers with commas between, such as 0,1,2,3"
        ) from None


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ConfigurationError(f"--arguments is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise ConfigurationError(f"--arguments must be a JSON object, not {text}")
    return found


def _tell(release: Release, repository: Path, form: OutputFormat) -> None:
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
        line(f"{release.name} is in {repository}")
