"""The manifest of a checkpoint folder: identity, digest, and verification of its files. No torch.

A checkpoint is a folder in Hugging Face's LLaMA layout (config, weights, tokenizer) plus `manifest.json`,
which is written last: a folder that has one is complete. The digest identifies the judge. It is the SHA-256
of the sorted lines `<sha256>  <path>\\n` of the model files (configuration, weights, tokenizer, calibration:
whatever changes a reply). All other files (evaluation card, notes) are listed with their sums and verified,
but are not part of the digest: a second evaluation of the same weights is the same judge.
"""

import hashlib
import json
import math
import os
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from judgestream.checkpoints.architecture import is_reward_model
from judgestream.checkpoints.files import (
    name_problem,
    name_problems,
    opened,
    read_json,
    sha256,
    walk,
)
from judgestream.checkpoints.image_scorer import is_image_scorer, text_part
from judgestream.checkpoints.vision import PROCESSOR_FILES, is_vision_model
from judgestream.core.errors import ConfigurationError
from judgestream.core.templates import JUDGELM as JUDGELM_TEMPLATE
from judgestream.core.templates import REWARD as REWARD_TEMPLATE
from judgestream.core.templates import TEMPLATES
from judgestream.core.templates.image_scorer import SCORER as SCORER_TEMPLATE
from judgestream.core.templates.vision import LLAVA as VISION_TEMPLATE
from judgestream.template_files.building import LoadedTemplate, loaded
from judgestream.template_files.yaml_text import MAX_BYTES as MAX_TEMPLATE_BYTES

FORMAT = "judgestream-checkpoint/1"
NAME = "manifest.json"
CALIBRATION = "calibration.json"
"""File of the fitted temperature, or of a reward model's scale, if there is one. It changes replies, so it is
part of the model."""

JUDGELM, REWARD, VISION, SCORER = "judgelm", "reward", "vision", "scorer"
FAMILIES: Mapping[str, str] = MappingProxyType(
    {JUDGELM: "judgelm", REWARD: "judgelm", VISION: "vision", SCORER: "vision"}
)
"""Families of judges, each with the folder of `triton_models/` that serves it. `judgelm` writes score lines,
`reward` gives one value per answer, `vision` writes score lines about texts and images, `scorer` gives one
value per image."""

VALUED = (REWARD, SCORER)
"""The families with values, which have a scale (`checkpoints.reward_scale`)."""

_TEMPLATE: Mapping[str, str] = MappingProxyType(
    {
        JUDGELM: JUDGELM_TEMPLATE.id,
        REWARD: REWARD_TEMPLATE.id,
        VISION: VISION_TEMPLATE.id,
        SCORER: SCORER_TEMPLATE.id,
    }
)

MAX_INPUT_TOKENS = 1 << 20
MAX_BYTES = 4 << 20
"""Limit of a manifest's size."""

LINE_RESERVE = 16
"""Tokens of the context reserved for the score line, where a folder does not limit its prompts."""

TEMPLATE = "template.yaml"
"""File of the judge's own template, if it has one. It changes prompts, so it is part of the model."""

_MODEL_FILES = (
    "config.json",
    TEMPLATE,
    CALIBRATION,
    "generation_config.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "*.safetensors",
    "*.safetensors.index.json",
    "pytorch_model*.bin",
    "pytorch_model.bin.index.json",
)
_MORE_FILES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        REWARD: ("chat_template.jinja", "chat_template.json"),
        VISION: PROCESSOR_FILES,
        SCORER: PROCESSOR_FILES,
    }
)
"""Further model files of a family. A reward model's own chat template renders its prompts; an image processor
makes a judge's pixels."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """One checkpoint's identity and history, as stored in `manifest.json`.

    digest            64 hex digits, see the module; `short` is part of model names
    files             relative path -> SHA-256, for every file but the manifest
    max_input_tokens  longest prompt in tokens, BOS included, that leaves room for a reply
    recipe, data      of its training; empty for a foreign checkpoint
    evaluation        headline numbers; the full card is a separate file
    calibration       fitted probability calibration, None if there is none
    created_at        ISO 8601, given by the caller

    Raises:
        ConfigurationError: invalid field, above all a file name that leads out of the folder. So the names
            and numbers of every manifest, read or created, are safe to use.
    """

    name: str
    family: str
    template_id: str
    digest: str
    files: Mapping[str, str]
    max_input_tokens: int
    recipe: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    calibration: Mapping[str, Any] | None = None
    created_at: str = ""

    def __post_init__(self) -> None:
        problems = [
            *_text_problems(self),
            *name_problems(self.files),
            *(
                f"the sum of {name!r} is not a SHA-256"
                for name, digest in self.files.items()
                if not isinstance(digest, str) or not _SHA256.fullmatch(digest)
            ),
        ]
        if problems:
            raise ConfigurationError(
                "invalid manifest:\n  " + "\n  ".join(problems[:_MAX_REPORTED])
            )

    @property
    def short(self) -> str:
        return self.digest[:8]


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
    family = family or _family_of(folder)
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
        template_id=template_id or _TEMPLATE[family],
        digest=digest_of(model_files, family),
        files=files,
        max_input_tokens=max_input_tokens,
        recipe=recipe or {},
        data=data or {},
        evaluation=evaluation or {},
        calibration=calibration,
        created_at=created_at,
    )


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


def unlisted(folder: Path, manifest: Manifest) -> list[str]:
    """Names of the folder's files that are not in the manifest: they are not copied with the judge."""
    return [name for name in walk(folder)[0] if name not in manifest.files]


def digest_of(files: Mapping[str, str], family: str = JUDGELM) -> str:
    """SHA-256 of the sorted lines `<sha256>  <path>` of the model files among `files`."""
    lines = sorted(
        f"{digest}  {path}\n" for path, digest in files.items() if is_model_file(path, family)
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def write_manifest(folder: Path, manifest: Manifest) -> Path:
    """Write `manifest.json` into the folder, atomically. Call it last: it marks the folder as complete."""
    target = folder / NAME
    draft = folder / f".{NAME}.{os.getpid()}"
    text = json.dumps({"format": FORMAT, **asdict(manifest)}, indent=2, sort_keys=True) + "\n"
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(target)
    return target


def read_manifest(folder: Path) -> Manifest:
    """The folder's manifest, its fields validated. `verify` checks the files.

    Raises:
        ConfigurationError: missing manifest, invalid JSON, unsupported format, or a missing or invalid
            field. The message names the folder, the field and how to fix it.
    """
    where = f"checkpoint {folder}"
    try:
        loaded = read_json(folder, NAME, max_bytes=MAX_BYTES)
    except FileNotFoundError:
        raise ConfigurationError(
            f"{where}: no {NAME}: training or copying did not finish, or this is a foreign folder"
            " (see judgestream.checkpoints.manifest.describe)"
        ) from None
    except ValueError as error:
        raise ConfigurationError(f"{where}: {NAME} cannot be read ({error}); restore it") from error
    if loaded.get("format") != FORMAT:
        raise ConfigurationError(
            f"{where}: unsupported format {_shown(loaded.get('format'))}; this version reads {FORMAT!r}"
        )
    values = {key: value for key, value in loaded.items() if key != "format"}
    for name, kinds in _KINDS.items():
        if name not in values:
            raise ConfigurationError(
                f"{where}: {NAME} has no {name!r}; publish the checkpoint again"
            )
        if not isinstance(values[name], kinds) or isinstance(values[name], bool):
            raise ConfigurationError(
                f"{where}: {NAME} field {name!r} is {_shown(values[name])}; publish the checkpoint again"
            )
    unknown = sorted(set(values) - {f.name for f in fields(Manifest)})
    if unknown:
        raise ConfigurationError(
            f"{where}: {NAME} has unknown fields {_shown(unknown)}; use a newer version"
        )
    try:
        manifest = Manifest(**values)
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {error}") from None
    if digest_of(manifest.files, manifest.family) != manifest.digest:
        raise ConfigurationError(
            f"{where}: {NAME} contradicts itself: its file sums do not give its digest"
            f" {manifest.short}; publish the checkpoint again"
        )
    return manifest


def manifest_of(folder: Path) -> Manifest:
    """The folder's manifest; without one that of `describe`, which reads every file."""
    return read_manifest(folder) if (folder / NAME).exists() else describe(folder)


def verify(folder: Path, manifest: Manifest) -> None:
    """Compare every file with its sum.

    Raises:
        ConfigurationError: the message names each missing, changed, or unlisted model file.
    """
    names, problems = walk(folder)
    for path, expected in sorted(manifest.files.items()):
        try:
            with opened(folder, path) as file:
                size = os.fstat(file.fileno()).st_size
                actual = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            problems.append(f"{path} is missing")
        except OSError as error:
            problems.append(f"{path} cannot be read ({error.strerror or error})")
        else:
            if actual != expected:
                problems.append(f"{path} has changed or is truncated ({size} bytes)")
    problems += [
        f"{path} is not in the manifest"
        for path in names
        if path not in manifest.files and is_model_file(path, manifest.family)
    ]
    if problems:
        raise ConfigurationError(
            f"checkpoint {folder} ({manifest.name}, {manifest.short}) is damaged:"
            f" {'; '.join(problems)}; copy or publish it again"
        )


_KINDS: Mapping[str, type | tuple[type, ...]] = {
    "name": str,
    "family": str,
    "template_id": str,
    "digest": str,
    "files": dict,
    "max_input_tokens": int,
    "recipe": dict,
    "data": dict,
    "evaluation": dict,
    "calibration": (dict, type(None)),
    "created_at": str,
}


def _belongs(path: str) -> bool:
    """Whether a file of a folder without a manifest belongs to the judge.

    Model files and documents do; code and weights in unsupported formats (also optimizer states) do not.
    """
    if is_model_file(path):
        return True
    return not name_problem(path) and Path(path).suffix.lower() not in _OTHER_WEIGHTS


def is_model_file(path: str, family: str = JUDGELM) -> bool:
    patterns = (*_MODEL_FILES, *_MORE_FILES.get(family, ()))
    return "/" not in path and any(Path(path).match(pattern) for pattern in patterns)


def _family_of(folder: Path) -> str:
    """The family that a folder without a manifest belongs to, by its config.json."""
    try:
        config = read_json(folder, "config.json")
    except (OSError, ValueError):  # reported below, or by the inspection
        return JUDGELM
    if is_vision_model(config):
        return VISION
    if is_image_scorer(config):
        return SCORER
    return REWARD if is_reward_model(config) else JUDGELM


def context_tokens(folder: Path) -> int:
    """Tokens that the model sees at once: its positions, or its sliding window if that is smaller.

    Raises:
        ConfigurationError: config.json has no such number.
    """
    try:
        config = text_part(read_json(folder, "config.json"))
        positions = config["max_position_embeddings"]
        window = sliding_window(config)
        context = min(positions, window) if window else positions
        if not isinstance(context, int) or isinstance(positions, bool):
            raise TypeError(f"it is {_shown(positions)}")
        return context
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"checkpoint {folder}: config.json has no valid max_position_embeddings ({error!r})"
        ) from error


def sliding_window_of(folder: Path) -> tuple[int | None, int]:
    """The folder's sliding window, None without one, and its positions, in tokens."""
    config = text_part(read_json(folder, "config.json"))
    return sliding_window(config), int(config["max_position_embeddings"])


def sliding_window(config: Mapping[str, Any]) -> int | None:
    """The window of attention in tokens, as transformers understands a config.json; None without one."""
    kind = config.get("model_type")
    if kind in ("qwen2", "qwen3"):
        window = config.get("sliding_window", 4096) if config.get("use_sliding_window") else None
    elif kind == "mistral":
        window = config.get("sliding_window", 4096)
    else:
        window = config.get("sliding_window")
    return (
        window if isinstance(window, int) and not isinstance(window, bool) and window > 0 else None
    )


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
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[^\W_][\w .+=@()-]{0,127}")
_MAX_REPORTED = 20


def _text_problems(manifest: Manifest) -> list[str]:
    problems = []
    name = manifest.name
    if (
        not isinstance(name, str)
        or not _NAME.fullmatch(name)
        or ".." in name
        or name != name.strip()
    ):
        problems.append(
            f"invalid name {_shown(name)}: use up to 128 letters, digits, spaces and .+=@()_-, with a"
            " letter or digit first"
        )
    if manifest.family not in FAMILIES:
        problems.append(f"family {_shown(manifest.family)} is not one of {', '.join(FAMILIES)}")
    elif not _fits(manifest.template_id, manifest.family):
        problems.append(
            f"template {_shown(manifest.template_id)} is not for family {manifest.family}"
        )
    if manifest.template_id not in TEMPLATES and TEMPLATE not in manifest.files:
        problems.append(
            f"unknown template {_shown(manifest.template_id)}; known: {', '.join(TEMPLATES)}"
        )
    if not isinstance(manifest.digest, str) or not _SHA256.fullmatch(manifest.digest):
        problems.append(f"digest {_shown(manifest.digest)} is not a SHA-256")
    limit = manifest.max_input_tokens
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= MAX_INPUT_TOKENS:
        problems.append(f"max_input_tokens {_shown(limit)} is not between 1 and {MAX_INPUT_TOKENS}")
    created = manifest.created_at
    if not isinstance(created, str) or len(created) > 64 or not (created.isprintable()):
        problems.append(f"created_at {_shown(created)} is not a time")
    return problems


def _fits(template_id: str, family: str) -> bool:
    """Whether judges of this family use the template. Those of two families need their own, and no other
    family has one of these."""
    own = {name: template for name, template in _TEMPLATE.items() if name != JUDGELM}
    return template_id == own[family] if family in own else template_id not in own.values()


def _valid_name(name: str) -> str:
    """A folder's name, turned into a valid name of a judge."""
    plain = re.sub(r"[^\w.+=@()-]+", "-", unicodedata.normalize("NFC", name)).strip("-._")
    plain = re.sub(r"\.{2,}", ".", plain)[:128]
    return plain if _NAME.fullmatch(plain) else "checkpoint"


def _shown(value: object) -> str:
    text = ascii(value) if not isinstance(value, float) or math.isfinite(value) else str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
