"""Checkpoints -> Triton's model repository: one immutable model per checkpoint digest."""

import logging
import os
import shutil
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from string import Template
from typing import Literal

import judgestream
from judgestream.adapters.releases.placing import Placing
from judgestream.checkpoints.files import opened
from judgestream.checkpoints.inspection import inspect
from judgestream.checkpoints.manifest import (
    NAME,
    Manifest,
    describe,
    read_manifest,
    sliding_window_of,
    unlisted,
    verify,
    write_manifest,
)
from judgestream.checkpoints.temperature import read_temperature
from judgestream.core.errors import ConfigurationError
from judgestream.core.types import Release

log = logging.getLogger(__name__)

CHECKPOINT = "1/checkpoint"
"""Where the weights stand inside the model's folder: beside model.py, since Triton warns of any folder
that is no version."""

_MOST_NAMED = 5
_BLOCK = 1 << 20

TRIAL_PROMPTS = "1/trial_prompts.jsonl"
"""Where a release keeps the prompts that float8 is measured on, if it has some of its own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tuning:
    """How Triton runs a release, beyond where and how often.

    threads           torch threads per process; 0: torch's own choice (OMP_NUM_THREADS)
    dtype             "auto" (as stored; fp32 on a CPU), "float32", "bfloat16", "float16", or "float8":
                      loaded in bfloat16, and refused at load unless 99 % of verdicts stay the same
    row_tokens        tokens per forward; 0: what suits the device
    queue_delay_us    how long a lone request waits for company, microseconds; while the judge is busy
                      requests gather by themselves
    queue_timeout_us  longest wait in the queue, microseconds; a request may ask for less
    max_queue_size    waiting requests; one more is refused at once
    tensor_parallel   GPUs that share one copy of the weights
    compile           torch.compile for what lies between attentions: minutes at load, for speed on GPUs
    peak_tflops       of one device in the judge's arithmetic, for the MFU gauge; 0: by the GPU's name
    decoupled         scores in a first response, explanations in others as they grow; Triton then takes
                      streaming calls only
    """

    threads: int = 0
    dtype: Literal["auto", "float32", "bfloat16", "float16", "float8"] = "auto"
    row_tokens: int = 0
    queue_delay_us: int = 0
    queue_timeout_us: int = 30_000_000
    max_queue_size: int = 256
    tensor_parallel: int = 1
    compile: bool = False
    peak_tflops: float = 0.0
    decoupled: bool = False


def install(
    checkpoint: Path,
    repository: Path,
    *,
    model_source: Path | None = None,
    instances: int = 1,
    device: Literal["cpu", "gpu"] = "cpu",
    gpus: Sequence[int] = (),
    tuning: Tuning | None = None,
    trial_prompts: Path | None = None,
    link: bool = False,
) -> Release:
    """Put a checkpoint into a model repository as `<family>-<digest8>`. Triton is not told.

    The folder appears complete or not at all. Installing the same checkpoint again leaves the weights
    alone and rewrites configuration and model code, file by file, if they differ. A foreign
    checkpoint (no manifest) is described first; its own folder is never written to.

    model_source  folder with config.pbtxt and 1/model.py; default: the bundled one of the family
    instances     processes, each with its own copy of the weights; on GPUs: per GPU, or per group of
                  `Tuning.tensor_parallel` GPUs
    gpus          the GPUs to use, by number; default: all, or the first group
    trial_prompts JSON lines to measure float8 on (see `engine.agreement`); default: bundled ones
    link          hard links instead of copies where possible: saves disk, but whoever changes a
                  weight file in place then changes the release

    Raises:
        ConfigurationError: the checkpoint cannot be used (everything that is wrong with it, see
            `engine.inspection`), the model source is not a template, the GPUs do not make up whole
            groups, or another checkpoint has the same name here. Nothing is left behind then.
    """
    manifest = inspected(checkpoint)
    name = f"{manifest.family}-{manifest.short}"
    source = model_source or bundled_models() / manifest.family
    tuning = tuning or Tuning()
    placing = Placing(
        instances=instances, device=device, gpus=tuple(gpus), group=tuning.tensor_parallel
    )
    values = {"name": name, "instance_groups": placing.groups, "gpus": placing.gpu_list}
    files = model_files(source, {**values, **_values(manifest), **asdict(tuning)})
    if trial_prompts is not None:
        files[TRIAL_PROMPTS] = trial_prompts.read_text(encoding="utf-8")
    place(checkpoint, repository / name, manifest, files, link=link)
    return Release(
        name=name,
        checkpoint_digest=manifest.digest,
        template_id=manifest.template_id,
        max_input_tokens=manifest.max_input_tokens,
    )


def inspected(checkpoint: Path, *, engine: bool = True) -> Manifest:
    """The checkpoint's manifest, its own or the one that it would have, once all that can be known of it is
    found good. What does not belong to the judge is named in the log: it is not copied.

    Args:
        engine: whether our own engine is to load it.

    Raises:
        ConfigurationError: everything that is wrong with it.
    """
    if os.path.lexists(checkpoint / NAME):
        manifest = read_manifest(checkpoint)
        verify(checkpoint, manifest)
    else:
        manifest = describe(checkpoint)
    inspect(checkpoint, manifest, engine=engine)
    read_temperature(checkpoint)
    window, positions = sliding_window_of(checkpoint)
    if window is not None and window < positions:
        log.warning(
            "checkpoint %s: prompts are limited by its sliding window of %d tokens, not by its %d positions",
            checkpoint,
            window,
            positions,
        )
    others = unlisted(checkpoint, manifest)
    if others:
        more = f" and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
        log.warning(
            "checkpoint %s: not part of the judge, so not copied: %s%s",
            checkpoint,
            ", ".join(map(ascii, others[:_MOST_NAMED])),
            more,
        )
    return manifest


def place(
    checkpoint: Path, target: Path, manifest: Manifest, files: Mapping[str, str], *, link: bool
) -> None:
    """Make the model's folder, complete or not at all; where it is there, verify the weights and write
    what differs of `files` (relative path -> text).

    Raises:
        ConfigurationError: the weights there are damaged, or another checkpoint's.
    """
    if target.is_symlink():
        raise ConfigurationError(f"{target} is a link; remove it, then install again")
    if not target.exists():
        _build(checkpoint, target, manifest, files, link=link)
    installed = read_manifest(target / CHECKPOINT)
    if installed.digest != manifest.digest:
        raise ConfigurationError(
            f"{target} holds another checkpoint ({installed.digest}); remove it or choose another"
            " repository"
        )
    for name in ("template_id", "max_input_tokens"):
        stands, wanted = getattr(installed, name), getattr(manifest, name)
        if stands != wanted:
            raise ConfigurationError(
                f"{target} holds the same weights with {name} {stands}, and this checkpoint's manifest says"
                f" {wanted}: under one name they would be two judges. Remove that release first"
            )
    verify(target / CHECKPOINT, installed)
    for path, text in files.items():
        write_file(target / path, text)


def changed(folder: Path) -> list[str]:
    """What of an installed release is not as `install` left it; reads every file of its checkpoint.

    Settings of config.pbtxt may be changed by hand; what says which judge it is may not. `model.py` is this
    version's own, so after an upgrade it says to install again.
    """
    found: list[str] = []
    family = folder.name.rpartition("-")[0]
    source = bundled_models() / family / "1" / "model.py"
    model = folder / "1" / "model.py"
    if source.is_file() and (not model.is_file() or model.read_bytes() != source.read_bytes()):
        found.append(
            "1/model.py is not this version's own: changed by hand, or installed by another version"
        )
    if not os.path.lexists(folder / CHECKPOINT):
        return found
    try:
        manifest = read_manifest(folder / CHECKPOINT)
        verify(folder / CHECKPOINT, manifest)
        config = (folder / "config.pbtxt").read_text(encoding="utf-8")
    except (ConfigurationError, OSError, ValueError) as error:
        return [*found, str(error)]
    if model.is_file():
        found += [
            f"config.pbtxt does not name the checkpoint's {name}"
            for name in ("checkpoint_digest", "template_id", "max_input_tokens")
            if f'"{name}" value: {{ string_value: "{_values(manifest)[name]}" }}' not in config
        ]
    return found


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
        key: str(value).lower() if isinstance(value, bool) else pbtxt_quoted(str(value))
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


def pbtxt_quoted(text: str) -> str:
    """The inside of a string in protobuf's text format: quotes, backslashes and control signs escaped, so
    that no value ends its string and begins another setting."""
    return "".join(
        f"\\{ord(sign):03o}" if ord(sign) < 0x20 or ord(sign) == 0x7F else _ESCAPED.get(sign, sign)
        for sign in text
    )


_ESCAPED = {"\\": "\\\\", '"': '\\"', "'": "\\'"}


def _build(
    checkpoint: Path, target: Path, manifest: Manifest, files: Mapping[str, str], *, link: bool
) -> None:
    """Everything under a hidden name first, then one rename."""
    existed = target.parent.exists()
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        for path in manifest.files:
            copy = draft / CHECKPOINT / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            _copy(checkpoint, path, copy, link=link)
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
        if not existed:
            with suppress(OSError):  # it holds something, so it stays
                target.parent.rmdir()


def _copy(checkpoint: Path, path: str, target: Path, *, link: bool) -> None:
    """A copy that nobody may read who may not read the original, which is never a link."""
    if link and path.endswith((".safetensors", ".bin")):
        try:
            os.link(checkpoint / path, target, follow_symlinks=False)
            return
        except OSError:
            pass  # another file system, or one without links
    try:
        with opened(checkpoint, path) as source, target.open("xb") as copy:
            os.fchmod(
                copy.fileno(), stat.S_IMODE(os.fstat(source.fileno()).st_mode) & 0o644 | 0o600
            )
            shutil.copyfileobj(source, copy, _BLOCK)
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"checkpoint file {checkpoint / path} is missing; publish the checkpoint again"
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"checkpoint file {checkpoint / path} cannot be copied to {target}: {error}"
        ) from error


def write_file(path: Path, text: str) -> None:
    """Write a file in one step, and only if it differs: Triton reloads what has a new time stamp."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
