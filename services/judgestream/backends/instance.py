"""One instance of a judge in Triton: its parameters parsed, and the judge loaded from them."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from judgestream.backends.quantisation_check import QuantisationCheck, quantise, trial_prompts
from judgestream.checkpoints.describing import folder_template
from judgestream.checkpoints.dtypes import QUANTISED, Dtype, check_place
from judgestream.checkpoints.families import TEMPLATE
from judgestream.checkpoints.manifest import FILE_NAME, read_manifest, verify
from judgestream.core.errors import ConfigurationError
from judgestream.core.templates import template
from judgestream.engine import prepacked
from judgestream.engine.checkpoint import load
from judgestream.engine.judge import Judge
from judgestream.engine.work import Work


def loaded_as(dtype: str) -> torch.dtype | None:
    """The dtype that weights are loaded in, and quantised from if it is a quantised one; None: as stored."""
    match dtype:
        case Dtype.AUTO:
            return None
        case Dtype.FLOAT8:
            return torch.bfloat16
        case Dtype.INT8:
            return torch.bfloat16 if prepacked.works(torch.bfloat16) else torch.float32
    loaded = getattr(torch, dtype)
    return loaded if isinstance(loaded, torch.dtype) else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """Devices and arithmetic of an instance.

    devices  the first one, and those that share its layers
    """

    devices: tuple[str, ...]
    dtype: str
    row_tokens: int
    compiled: bool

    @classmethod
    def of(cls, parameters: Mapping[str, str], *, kind: str, device_id: int) -> "Setting":
        """
        parameters       of the model, from its config.pbtxt
        kind, device_id  "GPU" or "CPU", and the GPU that Triton assigned to this instance

        Raises:
            ConfigurationError: unsupported dtype, one that this device or torch.compile does not have, or a
                GPU that is not the first of a group.
        """
        dtype = parameters["dtype"]
        if dtype not in set(Dtype):
            raise ConfigurationError(f"unsupported dtype {dtype!r}; supported: {', '.join(Dtype)}")
        check_place(dtype, gpu=kind == "GPU", compiled=parameters["compile"] == "true")
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


def start(folder: Path, setting: Setting) -> tuple[Judge, QuantisationCheck | None]:
    """Load the judge; for a quantised one, also its measured agreement with itself before.

    Raises:
        ConfigurationError: a file does not match the manifest, because the release was changed after its
            installation; also see `checkpoint.load` and `quantisation_check.quantise`.
    """
    manifest = None
    if os.path.lexists(folder / FILE_NAME):
        manifest = read_manifest(folder)
        verify(folder, manifest)
    first, *others = setting.devices
    checkpoint = load(
        folder,
        device=first,
        dtype=loaded_as(setting.dtype),
        manifest=manifest,
        others=others,
        compiled=setting.compiled,
    )
    judge = Judge(checkpoint, row_tokens=setting.row_tokens)
    if setting.dtype not in QUANTISED:
        return judge, None
    file = folder.parent / "trial_prompts.jsonl"
    template_id = checkpoint.manifest.template_id
    own = (folder / TEMPLATE).exists()
    judged_by = folder_template(folder).template if own else template(template_id)
    prompts = trial_prompts(judged_by, file if file.exists() else None)
    check = quantise(judge, prompts, setting.dtype)
    judge.work = Work()  # trial prompts do not count as requests
    return judge, check


def _group(gpus: str, size: int, first: int) -> tuple[int, ...]:
    """The GPUs of the group that starts with GPU `first`."""
    if size == 1:
        return (first,)
    listed = [int(gpu) for gpu in gpus.split(",")]
    if first not in listed[::size]:
        raise ConfigurationError(
            f"GPU {first} is not the first of a group of {size} among GPUs {gpus}: install the release again"
        )
    start_at = listed.index(first)
    return tuple(listed[start_at : start_at + size])
