"""One instance of a judge inside Triton: from its parameters to devices and arithmetic, and to a judge."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from judgestream.backends.float8_check import Agreement, quantise, trial_prompts
from judgestream.checkpoints.manifest import NAME, read_manifest, verify
from judgestream.core.errors import ConfigurationError
from judgestream.core.templates import template
from judgestream.engine.checkpoint import load
from judgestream.engine.judge import Judge
from judgestream.engine.work import Work

DTYPES: Mapping[str, torch.dtype | None] = {
    "auto": None,
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "float8": torch.bfloat16,
}
"""What the weights are loaded as; float8 is made of bfloat16 afterwards."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """How an instance runs. `devices`: the first, and those that share its layers."""

    devices: tuple[str, ...]
    dtype: str
    row_tokens: int
    compiled: bool

    @classmethod
    def of(cls, parameters: Mapping[str, str], *, kind: str, device_id: int) -> "Setting":
        """
        parameters  the model's, from its config.pbtxt
        kind        "GPU" or "CPU", and device_id: what Triton gave this instance

        Raises:
            ConfigurationError: an unknown dtype, or a GPU that is none of those that the model may use.
        """
        dtype = parameters["dtype"]
        if dtype not in DTYPES:
            raise ConfigurationError(f"dtype {dtype!r}; known: {', '.join(DTYPES)}")
        devices: tuple[str, ...] = ("cpu",)
        if kind == "GPU":
            group = _group(parameters["gpus"], int(parameters["tensor_parallel"]), device_id)
            devices = tuple(f"cuda:{gpu}" for gpu in group)
        return cls(
            devices=devices,
            dtype=dtype,
            row_tokens=int(parameters["row_tokens"]),
            compiled=parameters["compile"] == "true",
        )


def start(folder: Path, setting: Setting) -> tuple[Judge, Agreement | None]:
    """Load the judge, and for float8 the measured agreement with itself in bfloat16.

    Raises:
        ConfigurationError: a file is not as the manifest says, that is, the release was changed after it
            was installed; else see `checkpoint.load` and `agreement.quantise`.
    """
    manifest = None
    if os.path.lexists(folder / NAME):
        manifest = read_manifest(folder)
        verify(folder, manifest)
    first, *others = setting.devices
    checkpoint = load(
        folder,
        device=first,
        dtype=DTYPES[setting.dtype],
        manifest=manifest,
        others=others,
        compiled=setting.compiled,
    )
    judge = Judge(checkpoint, row_tokens=setting.row_tokens)
    if setting.dtype != "float8":
        return judge, None
    own = folder.parent / "trial_prompts.jsonl"
    form = template(checkpoint.manifest.template_id)
    agreed = quantise(judge, trial_prompts(form, own if own.exists() else None))
    judge.work = Work()  # what was asked for the trial was no one's request
    return judge, agreed


def _group(gpus: str, size: int, first: int) -> tuple[int, ...]:
    """The GPUs of the group that begins with this one."""
    if size == 1:
        return (first,)
    listed = [int(gpu) for gpu in gpus.split(",")]
    if first not in listed[::size]:
        raise ConfigurationError(
            f"GPU {first} begins no group of {size} among GPUs {gpus}; install the release again"
        )
    at = listed.index(first)
    return tuple(listed[at : at + size])
