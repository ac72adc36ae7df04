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
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from judgestream.core.errors import ConfigurationError

FORMAT = "judgestream-checkpoint/1"
NAME = "manifest.json"
CALIBRATION = "calibration.json"
"""The fitted temperature, where there is one: it changes what a judge says, so it is part of the model."""

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
        ConfigurationError: the folder has no config.json, no weights or no tokenizer.
    """
    files = {str(path.relative_to(folder).as_posix()): _sha256(path) for path in _files(folder)}
    model_files = {path: digest for path, digest in files.items() if _is_model_file(path)}
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
        max_input_tokens = _context_tokens(folder) - LINE_RESERVE
    return Manifest(
        name=name or folder.resolve().name,
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


def digest_of(files: Mapping[str, str]) -> str:
    """SHA-256 over the sorted lines `<sha256>  <path>` of the model files among `files`."""
    lines = sorted(f"{digest}  {path}\n" for path, digest in files.items() if _is_model_file(path))
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
    path = folder / NAME
    where = f"checkpoint {folder}"
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(
            f"{where}: no {NAME}; training or copying did not finish, or this is a foreign folder"
            " (see judgestream.engine.manifest.describe)"
        ) from None
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{where}: {NAME} cannot be read ({error}); restore it") from error
    if not isinstance(loaded, dict) or loaded.get("format") != FORMAT:
        found = loaded.get("format") if isinstance(loaded, dict) else type(loaded).__name__
        raise ConfigurationError(f"{where}: format is {found!r}; this version reads {FORMAT!r}")
    values = {key: value for key, value in loaded.items() if key != "format"}
    for name, kinds in _KINDS.items():
        if name not in values:
            raise ConfigurationError(
                f"{where}: {NAME} has no {name!r}; publish the checkpoint again"
            )
        if not isinstance(values[name], kinds) or isinstance(values[name], bool):
            raise ConfigurationError(
                f"{where}: {NAME} field {name!r} is {values[name]!r}; publish the checkpoint again"
            )
    unknown = sorted(set(values) - {f.name for f in fields(Manifest)})
    if unknown:
        raise ConfigurationError(
            f"{where}: {NAME} has unknown fields {unknown}; use a newer version"
        )
    manifest = Manifest(**values)
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
    problems = []
    for path, expected in sorted(manifest.files.items()):
        file = folder / path
        if not file.is_file():
            problems.append(f"{path} is missing")
        elif _sha256(file) != expected:
            problems.append(f"{path} has changed or is cut short ({file.stat().st_size} bytes)")
    known = set(manifest.files)
    for file in _files(folder):
        path = file.relative_to(folder).as_posix()
        if path not in known and _is_model_file(path):
            problems.append(f"{path} is not in the manifest")
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


def _is_model_file(path: str) -> bool:
    return "/" not in path and any(Path(path).match(pattern) for pattern in _MODEL_FILES)


def _files(folder: Path) -> list[Path]:
    """Every file of the checkpoint but the manifest; hidden files and folders do not belong to it."""
    if not folder.is_dir():
        raise ConfigurationError(f"checkpoint {folder}: no such folder")
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and path.name != NAME
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _context_tokens(folder: Path) -> int:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return int(config["max_position_embeddings"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"checkpoint {folder}: config.json gives no max_position_embeddings ({error!r})"
        ) from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
