"""Installation of a checkpoint for Triton's vLLM backend: two models per release.

`<family>_vllm-<digest8>-engine` is the checkpoint with vLLM's engine arguments. `<family>_vllm-<digest8>` has
the interface of all judges and calls the engine. Both names contain the checkpoint's digest: the arithmetic
differs, the weights do not.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from judgestream.adapters.releases.model_config import (
    bundled_models,
    model_config,
    model_files,
    package_root,
    write_file,
)
from judgestream.adapters.releases.model_folder import CHECKPOINT, place
from judgestream.adapters.releases.model_repository import inspected, release_of
from judgestream.adapters.releases.parameters import CONFIG, kept_terms, with_terms
from judgestream.adapters.releases.template_file import with_template
from judgestream.adapters.releases.tuning import Tuning
from judgestream.checkpoints.control_tokens import control_tokens
from judgestream.checkpoints.dtypes import QUANTISED, Dtype
from judgestream.checkpoints.families import TEMPLATE
from judgestream.checkpoints.temperature import read_temperature
from judgestream.core.costs import Terms
from judgestream.core.errors import ConfigurationError
from judgestream.core.release_parameters import written
from judgestream.core.types import Release

SUFFIX = "-engine"
MODEL_ARGUMENT = "model"


@dataclass(frozen=True, kw_only=True, slots=True)
class VllmServing:
    """How vLLM runs a checkpoint, and how it is called.

    dtype                "auto": as stored
    tensor_parallel      GPUs that share the weights
    max_model_len        prompt and answer together, in tokens; 0: the model's context
    served_from          the repository's path in Triton's process, if it differs (a container)
    arguments            further engine arguments of vLLM, such as {"gpu_memory_utilization": 0.8}, which take
                         precedence
    concurrency, top_logprobs, deadline_s   see `backends.vllm`
    start                text before every prompt, in addition to the tokenizer's
    """

    dtype: Dtype = Dtype.AUTO
    tensor_parallel: int = 1
    max_model_len: int = 0
    served_from: Path | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    concurrency: int = 64
    top_logprobs: int = 20
    deadline_s: float = 25.0
    start: str = ""


def install_vllm(
    checkpoint: Path,
    repository: Path,
    *,
    serving: VllmServing | None = None,
    instances: int = 1,
    tuning: Tuning | None = None,
    template: Path | None = None,
    link: bool = False,
    terms: Terms | None = None,
) -> Release:
    """Write both models. Installing again keeps the weights and rewrites the files that differ.

    The engine is complete before the calling model appears. The release has the latter's name. Load both,
    the engine first.

    terms      prices and budget; default: those of an earlier installation
    template   a template file, which becomes a part of the release and of its digest
    instances  processes of the calling model (no weights): one collects requests while another waits

    Raises:
        ConfigurationError: as `model_repository.install`, or an engine argument is reserved.
    """
    serving = serving or VllmServing()
    judged_by = with_template(checkpoint, inspected(checkpoint, engine=False), template)
    manifest = judged_by.manifest
    family = f"{manifest.family}_vllm"
    name = f"{family}-{manifest.short}"
    source = bundled_models() / family
    if not source.is_dir():
        raise ConfigurationError(f"no vLLM models for the family {manifest.family!r} ({source})")
    release = release_of(name, judged_by, control_tokens(checkpoint))
    values = {
        **asdict(tuning or Tuning()),
        **written(release),
        **{key: getattr(serving, key) for key in _ASKING},
        "start": serving.start,
        "name": name,
        "engine": name + SUFFIX,
        "instances": instances,
        "kind": "KIND_CPU",
        "family": family,
        "temperature": read_temperature(checkpoint),
        "python_path": package_root(),
    }
    engine = repository / (name + SUFFIX)
    engine_files = {
        "config.pbtxt": model_config(source / "engine", {"name": engine.name}),
        "1/model.json": _engine_arguments(serving, repository, engine.name),
    }
    if template is not None:
        engine_files[f"{CHECKPOINT}/{TEMPLATE}"] = judged_by.text
    place(checkpoint, engine, manifest, engine_files, link=link)
    files = model_files(source, values)
    files[CONFIG] = with_terms(files[CONFIG], terms or kept_terms(repository / name))
    for path, text in files.items():
        write_file(repository / name / path, text)
    return release


_ASKING = ("concurrency", "top_logprobs", "deadline_s")


def _engine_arguments(serving: VllmServing, repository: Path, name: str) -> str:
    """The text of model.json.

    `model` is an absolute path: vLLM looks for a relative one where Triton was started, then on the Internet.
    Prefix caching helps both orders of a request, and the explanation after the scores.
    """
    if serving.dtype in QUANTISED:
        raise ConfigurationError(
            f"vLLM has no dtype {serving.dtype}: name a quantization in the engine arguments, such as"
            ' \'{"quantization": "fp8"}\''
        )
    if MODEL_ARGUMENT in serving.arguments:
        raise ConfigurationError(
            f"reserved engine argument {MODEL_ARGUMENT!r}: leave it out, it is the release's checkpoint"
        )
    arguments: dict[str, Any] = {
        MODEL_ARGUMENT: str((serving.served_from or repository.resolve()) / name / CHECKPOINT),
        "dtype": serving.dtype,
        "tensor_parallel_size": serving.tensor_parallel,
        "enable_prefix_caching": True,
        "max_logprobs": serving.top_logprobs,
    }
    if serving.max_model_len:
        arguments["max_model_len"] = serving.max_model_len
    return json.dumps({**arguments, **serving.arguments}, indent=2) + "\n"
