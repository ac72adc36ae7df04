"""What a checkpoint folder is: its manifest, its digest, and whether its files still match.

A checkpoint is a folder in Hugging Face's LLaMA layout (config, weights, tokenizer) plus
`manifest.json`, which is written last: a folder that has one is complete. The digest names the judge:
SHA-256 over the sorted lines `<sha256>  <path>\\n` of its model files (configuration, weights, tokenizer,
temperature: whatever changes an answer). Everything else in the folder (evaluation card, notes) is listed
with its own sum and verified like the rest, but does not enter the digest: a second evaluation of the same
weights is the same judge. No torch is imported here, so adapters and apps may use it.
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
from typing import Any

from judgestream.checkpoints.files import (
    name_problem,
    name_problems,
    opened,
    read_json,
    sha256,
    walk,
)
from judgestream.core.errors import ConfigurationError
from judgestream.core.templates import TEMPLATES

FORMAT = "judgestream-checkpoint/1"
NAME = "manifest.json"
CALIBRATION = "calibration.json"
"""The fitted temperature, where there is one: it changes what a judge says, so it is part of the model."""

FAMILIES = ("judgelm",)
"""Kinds of judges, each with a Triton model of ours that serves it."""

MAX_INPUT_TOKENS = 1 << 20
MAX_BYTES = 4 << 20
"""Of a manifest."""

LINE_RESERVE = 16
"""Tokens of the context kept free for the score line, where a folder does not say how long prompts may be."""

_MODEL_FILES = (
    "config.json",
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """One checkpoint's identity and history, as stored in `manifest.json`.

    digest            64 hex digits, see the module; `short` is what model names carry
    files             relative path -> SHA-256, for every file but the manifest
    max_input_tokens  longest prompt in tokens, BOS included, that still leaves room for an answer
    recipe, data      how it was trained and from what; empty for a foreign checkpoint
    evaluation        headline numbers; the full card is a file of its own
    calibration       fitted probability calibration, None if there is none
    created_at        ISO 8601, given by the caller

    Raises:
        ConfigurationError: a field that cannot be one, above all a file name that leads out of the folder.
            So there is no manifest, read or made, that could do harm by its names and numbers.
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
                "this is not a manifest of a judge:\n  " + "\n  ".join(problems[:_MOST_TOLD])
            )

    @property
    def short(self) -> str:
        return self.digest[:8]


def describe(
    folder: Path,
    *,
    name: str = "",
    family: str = "judgelm",
    template_id: str = "judgelm-v1",
    max_input_tokens: int | None = None,
    recipe: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    evaluation: Mapping[str, Any] | None = None,
    calibration: Mapping[str, Any] | None = None,
    created_at: str = "",
) -> Manifest:
    """The manifest that this folder has or would have. Reads every file once, writes nothing.

    For our own checkpoints right before `write_manifest`, and for foreign ones (JudgeLM-7B as
    published), which get the same identity without a change to their folder. The default
    `max_input_tokens` is the model's context less `LINE_RESERVE`.

    Raises:
        ConfigurationError: the folder has no config.json, no weights or no tokenizer, or a link in it.
    """
    names, problems = walk(folder)
    if problems:
        raise ConfigurationError(f"checkpoint {folder}:\n  " + "\n  ".join(problems))
    try:
        files = {path: sha256(folder, path) for path in names if _belongs(path)}
    except OSError as error:
        raise ConfigurationError(f"checkpoint {folder} cannot be read: {error}") from error
    model_files = {path: digest for path, digest in files.items() if is_model_file(path)}
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
        # a context that cannot be is the inspection's to tell, with whatever else is wrong
        max_input_tokens = min(max(1, context_tokens(folder) - LINE_RESERVE), MAX_INPUT_TOKENS)
    return Manifest(
        name=name or _harmless(folder.resolve().name),
        family=family,
        template_id=template_id,
        digest=digest_of(model_files),
        files=files,
        max_input_tokens=max_input_tokens,
        recipe=recipe or {},
        data=data or {},
        evaluation=evaluation or {},
        calibration=calibration,
        created_at=created_at,
    )


def unlisted(folder: Path, manifest: Manifest) -> list[str]:
    """Names of the folder's files that do not belong to the judge: they are not copied with it."""
    return [name for name in walk(folder)[0] if name not in manifest.files]


def digest_of(files: Mapping[str, str]) -> str:
    """SHA-256 over the sorted lines `<sha256>  <path>` of the model files among `files`."""
    lines = sorted(f"{digest}  {path}\n" for path, digest in files.items() if is_model_file(path))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def write_manifest(folder: Path, manifest: Manifest) -> Path:
    """Write `manifest.json` into the folder, atomically. Call it last: it declares the folder complete."""
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
    """The folder's manifest, its fields checked; the files themselves are `verify`'s business.

    Raises:
        ConfigurationError: no manifest, not JSON, an unknown format, or a field missing or of the wrong
            kind. The message names the folder, the field and the mend.
    """
    where = f"checkpoint {folder}"
    try:
        loaded = read_json(folder, NAME, most=MAX_BYTES)
    except FileNotFoundError:
        raise ConfigurationError(
            f"{where}: no {NAME}; training or copying did not finish, or this is a foreign folder"
            " (see judgestream.checkpoints.manifest.describe)"
        ) from None
    except ValueError as error:
        raise ConfigurationError(f"{where}: {NAME} cannot be read ({error}); restore it") from error
    if loaded.get("format") != FORMAT:
        raise ConfigurationError(
            f"{where}: format is {_shown(loaded.get('format'))}; this version reads {FORMAT!r}"
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
    if digest_of(manifest.files) != manifest.digest:
        raise ConfigurationError(
            f"{where}: {NAME} contradicts itself: its file sums do not give its digest"
            f" {manifest.short}; publish the checkpoint again"
        )
    return manifest


def verify(folder: Path, manifest: Manifest) -> None:
    """Hold every file against its sum.

    Raises:
        ConfigurationError: naming each file that is missing, changed, or new among the model files.
    """
    names, problems = walk(folder)
    for path, expected in sorted(manifest.files.items()):
        try:
            with opened(folder, path) as file:
                size = os.fstat(file.fileno()).st_size
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            problems.append(f"{path} is missing")
        except OSError as error:
            problems.append(f"{path} cannot be read ({error.strerror or error})")
        else:
            if found != expected:
                problems.append(f"{path} has changed or is cut short ({size} bytes)")
    problems += [
        f"{path} is not in the manifest"
        for path in names
        if path not in manifest.files and is_model_file(path)
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
    """Whether a file of a folder without a manifest goes with the judge: its model files and what is told
    about it; not code, and not weights in forms that are never read here (optimizer states among them)."""
    if is_model_file(path):
        return True
    return not name_problem(path) and Path(path).suffix.lower() not in _OTHER_WEIGHTS


def is_model_file(path: str) -> bool:
    return "/" not in path and any(Path(path).match(pattern) for pattern in _MODEL_FILES)


def context_tokens(folder: Path) -> int:
    """Tokens that the model sees at once: its positions, or its sliding window where that is smaller.

    Raises:
        ConfigurationError: config.json gives no such number.
    """
    try:
        config = read_json(folder, "config.json")
        positions = config["max_position_embeddings"]
        window = sliding_window(config)
        found = min(positions, window) if window else positions
        if not isinstance(found, int) or isinstance(positions, bool):
            raise TypeError(f"it is {_shown(positions)}")
        return found
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"checkpoint {folder}: config.json gives no max_position_embeddings ({error!r})"
        ) from error


def sliding_window_of(folder: Path) -> tuple[int | None, int]:
    """The folder's sliding window, None without one, and its positions, in tokens."""
    config = read_json(folder, "config.json")
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
_MOST_TOLD = 20


def _text_problems(manifest: Manifest) -> list[str]:
    found = []
    name = manifest.name
    if (
        not isinstance(name, str)
        or not _NAME.fullmatch(name)
        or ".." in name
        or name != name.strip()
    ):
        found.append(
            f"name {_shown(name)}: give up to 128 letters, digits, blanks and .+=@()_-, a letter or digit"
            " first"
        )
    if manifest.family not in FAMILIES:
        found.append(f"family {_shown(manifest.family)} is not one of {', '.join(FAMILIES)}")
    if manifest.template_id not in TEMPLATES:
        found.append(
            f"unknown template {_shown(manifest.template_id)}; known: {', '.join(TEMPLATES)}"
        )
    if not isinstance(manifest.digest, str) or not _SHA256.fullmatch(manifest.digest):
        found.append(f"digest {_shown(manifest.digest)} is not a SHA-256")
    most = manifest.max_input_tokens
    if not isinstance(most, int) or isinstance(most, bool) or not 1 <= most <= MAX_INPUT_TOKENS:
        found.append(f"max_input_tokens {_shown(most)} is not between 1 and {MAX_INPUT_TOKENS}")
    created = manifest.created_at
    if not isinstance(created, str) or len(created) > 64 or not (created.isprintable()):
        found.append(f"created_at {_shown(created)} is not a time")
    return found


def _harmless(name: str) -> str:
    """A folder's name as the name of a judge."""
    plain = re.sub(r"[^\w.+=@()-]+", "-", unicodedata.normalize("NFC", name)).strip("-._")
    plain = re.sub(r"\.{2,}", ".", plain)[:128]
    return plain if _NAME.fullmatch(plain) else "checkpoint"


def _shown(value: object) -> str:
    text = ascii(value) if not isinstance(value, float) or math.isfinite(value) else str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
