"""Checkpoints -> Triton's model repository: one immutable model per checkpoint digest."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from string import Template
from typing import Literal

import judgestream
from judgestream.core.errors import ConfigurationError
from judgestream.core.templates import template
from judgestream.core.types import Release
from judgestream.engine.manifest import (
    NAME,
    Manifest,
    describe,
    read_manifest,
    verify,
    write_manifest,
)

CHECKPOINT = "1/checkpoint"
"""Where the weights stand inside the model's folder: beside model.py, since Triton warns of any folder
that is no version."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tuning:
    """How Triton runs a release, beyond where and how often.

    threads           torch threads per process; 0: torch's own choice (OMP_NUM_THREADS)
    dtype             "auto" (as stored; fp32 on a CPU), "float32", "bfloat16" or "float16"
    row_tokens        tokens per forward; 0: what suits the device
    queue_delay_us    how long a lone request waits for company, microseconds; while the judge is busy
                      requests gather by themselves
    queue_timeout_us  longest wait in the queue, microseconds; a request may ask for less
    max_queue_size    waiting requests; one more is refused at once
    decoupled         scores in a first response, explanations in others as they grow; Triton then takes
                      streaming calls only
    """

    threads: int = 0
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    row_tokens: int = 0
    queue_delay_us: int = 0
    queue_timeout_us: int = 30_000_000
    max_queue_size: int = 256
    decoupled: bool = False


def install(
    checkpoint: Path,
    repository: Path,
    *,
    model_source: Path | None = None,
    instances: int = 1,
    device: Literal["cpu", "gpu"] = "cpu",
    tuning: Tuning | None = None,
    link: bool = False,
) -> Release:
    """Put a checkpoint into a model repository as `<family>-<digest8>`. Triton is not told.

    The folder appears complete or not at all. Installing the same checkpoint again leaves the weights
    alone and rewrites configuration and model code, file by file, if they differ. A foreign
    checkpoint (no manifest) is described first; its own folder is never written to.

    model_source  folder with config.pbtxt and 1/model.py; default: the bundled one of the family
    instances     processes, each with its own copy of the weights; on GPUs: per GPU
    link          hard links instead of copies where possible: saves disk, but whoever changes a
                  weight file in place then changes the release

    Raises:
        ConfigurationError: the checkpoint is incomplete or damaged, its template is unknown, the
            model source is no template, or another checkpoint has the same name here.
    """
    manifest = read_manifest(checkpoint) if (checkpoint / NAME).exists() else describe(checkpoint)
    template(manifest.template_id)  # an unknown one would fail at every request
    name = f"{manifest.family}-{manifest.short}"
    source = model_source or bundled_models() / manifest.family
    values = {"name": name, "instances": instances, "kind": f"KIND_{device.upper()}"}
    files = model_files(source, {**values, **_values(manifest), **asdict(tuning or Tuning())})
    place(checkpoint, repository / name, manifest, files, link=link)
    return Release(
        name=name,
        checkpoint_digest=manifest.digest,
        template_id=manifest.template_id,
        max_input_tokens=manifest.max_input_tokens,
    )


def place(
    checkpoint: Path, target: Path, manifest: Manifest, files: Mapping[str, str], *, link: bool
) -> None:
    """Make the model's folder, complete or not at all; where it is there, verify the weights and write
    what differs of `files` (relative path -> text).

    Raises:
        ConfigurationError: the weights there are damaged, or another checkpoint's.
    """
    if not target.exists():
        _build(checkpoint, target, manifest, files, link=link)
    installed = read_manifest(target / CHECKPOINT)
    if installed.digest != manifest.digest:
        raise ConfigurationError(
            f"{target} holds another checkpoint ({installed.digest}); remove it or choose another"
            " repository"
        )
    verify(target / CHECKPOINT, installed)
    for path, text in files.items():
        write_file(target / path, text)


def bundled_models() -> Path:
    """The folder `triton_models`: inside an installed wheel, or at the top of a checkout.

    Raises:
        ConfigurationError: neither is there.
    """
    package = Path(judgestream.__file__).resolve().parent
    for folder in (package / "_triton_models", package.parents[1] / "triton_models"):
        if folder.is_dir():
            return folder
    raise ConfigurationError(
        f"no Triton models beside {package}; install the judgestream wheel again"
    )


def package_root() -> Path:
    """Where Triton's Python finds this package if it is not installed beside it."""
    return Path(judgestream.__file__).resolve().parents[1]


def _values(manifest: Manifest) -> dict[str, object]:
    return {
        "checkpoint_digest": manifest.digest,
        "template_id": manifest.template_id,
        "family": manifest.family,
        "max_input_tokens": manifest.max_input_tokens,
        "python_path": package_root(),
    }


def model_files(source: Path, values: Mapping[str, object]) -> dict[str, str]:
    """The text of config.pbtxt, with its placeholders filled in, and of 1/model.py."""
    try:
        code = (source / "1" / "model.py").read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{source} is no Triton model: {error}") from error
    return {"config.pbtxt": model_config(source, values), "1/model.py": code}


def model_config(source: Path, values: Mapping[str, object]) -> str:
    """The text of config.pbtxt with its placeholders filled in, comments left out."""
    quoted = {
        key: (str(value).lower() if isinstance(value, bool) else str(value))
        .replace("\\", "\\\\")
        .replace('"', '\\"')
        for key, value in values.items()
    }
    try:
        config = (source / "config.pbtxt").read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{source} is no Triton model: {error}") from error
    settings = [line for line in config.splitlines() if not line.lstrip().startswith("#")]
    try:
        return Template("\n".join(settings) + "\n").substitute(quoted)
    except (KeyError, ValueError) as error:
        raise ConfigurationError(f"{source}/config.pbtxt: unknown placeholder {error}") from error


def _build(
    checkpoint: Path, target: Path, manifest: Manifest, files: Mapping[str, str], *, link: bool
) -> None:
    """Everything under a hidden name first, then one rename."""
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        for path in manifest.files:
            copy = draft / CHECKPOINT / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            _copy(checkpoint / path, copy, link=link)
        verify(draft / CHECKPOINT, manifest)
        write_manifest(draft / CHECKPOINT, manifest)
        for name, text in files.items():
            write_file(draft / name, text)
        try:
            draft.rename(target)
        except OSError:
            if not target.exists():  # else another process was faster: its folder is as good
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _copy(source: Path, target: Path, *, link: bool) -> None:
    if link:
        try:
            os.link(source.resolve(), target)
            return
        except OSError:
            pass  # another file system, or one without links
    try:
        shutil.copyfile(source, target)
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"checkpoint file {source} is missing; publish the checkpoint again"
        ) from error


def write_file(path: Path, text: str) -> None:
    """Write a file in one step, and only if it differs: Triton reloads what has a new time stamp."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
