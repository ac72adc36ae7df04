"""Manifests of checkpoint folders that have none: our own before they are published, and foreign ones."""

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from judgestream.checkpoints.context import LINE_RESERVE, MAX_INPUT_TOKENS, context_tokens
from judgestream.checkpoints.families import (
    SCORER,
    TEMPLATE,
    TEMPLATE_IDS,
    family_of,
    is_model_file,
)
from judgestream.checkpoints.files import name_problem, opened, sha256, walk
from judgestream.checkpoints.manifest import (
    FILE_NAME,
    Manifest,
    digest_of,
    is_name,
    read_manifest,
)
from judgestream.core.errors import ConfigurationError
from judgestream.template_files.building import LoadedTemplate, loaded
from judgestream.template_files.yaml_text import MAX_BYTES as MAX_TEMPLATE_BYTES

_OTHER_WEIGHTS = frozenset(
    (
        ".bin",
        ".pt",
        ".ckpt",
        ".gguf",
        ".ggml",
        ".h5",
        ".msgpack",
        ".onnx",
        ".npz",
        ".pkl",
        ".safetensors",
    )
)


def describe(
    folder: Path,
    *,
    name: str = "",
    family: str = "",
    template_id: str = "",
    max_input_tokens: int | None = None,
    recipe: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    evaluation: Mapping[str, Any] | None = None,
    calibration: Mapping[str, Any] | None = None,
    created_at: str = "",
) -> Manifest:
    """The manifest for this folder. Reads every file once, writes nothing.

    Used for our own checkpoints before `write_manifest`, and for foreign ones (JudgeLM-7B as published),
    which get an identity without a change to their folder. The default `max_input_tokens` is the
    model's context less `LINE_RESERVE`, of an image scorer all of it; family and template follow from the
    model's class.

    Raises:
        ConfigurationError: no config.json, no weights or no tokenizer in the folder, or a link.
    """
    names, problems = walk(folder)
    if problems:
        raise ConfigurationError(f"checkpoint {folder}:\n  " + "\n  ".join(problems))
    try:
        files = {path: sha256(folder, path) for path in names if _belongs(path)}
    except OSError as error:
        raise ConfigurationError(f"checkpoint {folder} cannot be read: {error}") from error
    family = family or family_of(folder)
    if TEMPLATE in files and not template_id:
        template_id = folder_template(folder).template.id
    model_files = {path: digest for path, digest in files.items() if is_model_file(path, family)}
    for what, wanted in (
        ("config.json", ("config.json",)),
        ("weights (*.safetensors or pytorch_model*.bin)", (".safetensors", ".bin")),
        ("tokenizer (tokenizer.json or tokenizer.model)", ("tokenizer.json", "tokenizer.model")),
    ):
        if not any(path.endswith(wanted) for path in model_files):
            raise ConfigurationError(
                f"checkpoint {folder}: no {what}; give a complete Hugging Face LLaMA folder"
            )
    if max_input_tokens is None:
        # an invalid context is reported by the inspection, with all other problems
        reserve = 0 if family == SCORER else LINE_RESERVE
        max_input_tokens = min(max(1, context_tokens(folder) - reserve), MAX_INPUT_TOKENS)
    return Manifest(
        name=name or _valid_name(folder.resolve().name),
        family=family,
        template_id=template_id or TEMPLATE_IDS[family],
        digest=digest_of(model_files, family),
        files=files,
        max_input_tokens=max_input_tokens,
        recipe=recipe or {},
        data=data or {},
        evaluation=evaluation or {},
        calibration=calibration,
        created_at=created_at,
    )


def manifest_of(folder: Path) -> Manifest:
    """The folder's manifest; without one that of `describe`, which reads every file."""
    return read_manifest(folder) if (folder / FILE_NAME).exists() else describe(folder)


def folder_template(folder: Path) -> LoadedTemplate:
    """The template in the folder's `TEMPLATE` file.

    Raises:
        ConfigurationError: no such file, or it is not a valid template.
    """
    try:
        with opened(folder, TEMPLATE) as file:
            text = file.read(MAX_TEMPLATE_BYTES + 1).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{folder / TEMPLATE} cannot be read: {error}") from error
    return loaded(text, str(folder / TEMPLATE))


def _belongs(path: str) -> bool:
    """Whether a file of a folder without a manifest belongs to the judge.

    Model files and documents do; code and weights in unsupported formats (also optimizer states) do not.
    """
    if is_model_file(path):
        return True
    return not name_problem(path) and Path(path).suffix.lower() not in _OTHER_WEIGHTS


def _valid_name(name: str) -> str:
    """A folder's name, turned into a valid name of a judge."""
    plain = re.sub(r"[^\w.+=@()-]+", "-", unicodedata.normalize("NFC", name)).strip("-._")
    plain = re.sub(r"\.{2,}", ".", plain)[:128]
    return plain if is_name(plain) else "checkpoint"
