"""The manifest of a checkpoint folder: identity, digest, and verification of its files. No torch.

A checkpoint is a folder in Hugging Face's LLaMA layout (config, weights, tokenizer) plus `manifest.json`,
which is written last: a folder that has one is complete. The digest identifies the judge. It is the SHA-256
of the sorted lines `<sha256>  <path>\\n` of the model files (configuration, weights, tokenizer, calibration:
whatever changes a reply). All other files (evaluation card, notes) are listed with their sums and verified,
but are not part of the digest: a second evaluation of the same weights is the same judge.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from judgestream.checkpoints.context import MAX_INPUT_TOKENS
from judgestream.checkpoints.families import FAMILIES, JUDGELM, TEMPLATE, fits, is_model_file
from judgestream.checkpoints.files import name_problems, opened, read_json, walk
from judgestream.checkpoints.shown import shown
from judgestream.core.errors import ConfigurationError
from judgestream.core.templates import TEMPLATES

FORMAT = "judgestream-checkpoint/1"
FILE_NAME = "manifest.json"
MAX_BYTES = 4 << 20
"""Limit of a manifest's size."""

_KINDS: Mapping[str, type | tuple[type, ...]] = MappingProxyType(
    {
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
)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[^\W_][\w .+=@()-]{0,127}")
_MAX_REPORTED = 20


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
    target = folder / FILE_NAME
    draft = folder / f".{FILE_NAME}.{os.getpid()}"
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
        loaded = read_json(folder, FILE_NAME, max_bytes=MAX_BYTES)
    except FileNotFoundError:
        raise ConfigurationError(
            f"{where}: no {FILE_NAME}: training or copying did not finish, or this is a foreign folder"
            " (see judgestream.checkpoints.describing.describe)"
        ) from None
    except ValueError as error:
        raise ConfigurationError(
            f"{where}: {FILE_NAME} cannot be read ({error}); restore it"
        ) from error
    if loaded.get("format") != FORMAT:
        raise ConfigurationError(
            f"{where}: unsupported format {shown(loaded.get('format'))}; this version reads {FORMAT!r}"
        )
    values = {key: value for key, value in loaded.items() if key != "format"}
    for name, kinds in _KINDS.items():
        if name not in values:
            raise ConfigurationError(
                f"{where}: {FILE_NAME} has no {name!r}; publish the checkpoint again"
            )
        if not isinstance(values[name], kinds) or isinstance(values[name], bool):
            raise ConfigurationError(
                f"{where}: {FILE_NAME} field {name!r} is {shown(values[name])}; publish the checkpoint again"
            )
    unknown = sorted(set(values) - {f.name for f in fields(Manifest)})
    if unknown:
        raise ConfigurationError(
            f"{where}: {FILE_NAME} has unknown fields {shown(unknown)}; use a newer version"
        )
    try:
        manifest = Manifest(**values)
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {error}") from None
    if digest_of(manifest.files, manifest.family) != manifest.digest:
        raise ConfigurationError(
            f"{where}: {FILE_NAME} contradicts itself: its file sums do not give its digest"
            f" {manifest.short}; publish the checkpoint again"
        )
    return manifest


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


def _text_problems(manifest: Manifest) -> list[str]:
    problems = []
    if not is_name(manifest.name):
        problems.append(
            f"invalid name {shown(manifest.name)}: use up to 128 letters, digits, spaces and .+=@()_-, with a"
            " letter or digit first"
        )
    if manifest.family not in FAMILIES:
        problems.append(f"family {shown(manifest.family)} is not one of {', '.join(FAMILIES)}")
    elif not fits(manifest.template_id, manifest.family):
        problems.append(
            f"template {shown(manifest.template_id)} is not for family {manifest.family}"
        )
    if manifest.template_id not in TEMPLATES and TEMPLATE not in manifest.files:
        problems.append(
            f"unknown template {shown(manifest.template_id)}; known: {', '.join(TEMPLATES)}"
        )
    if not isinstance(manifest.digest, str) or not _SHA256.fullmatch(manifest.digest):
        problems.append(f"digest {shown(manifest.digest)} is not a SHA-256")
    limit = manifest.max_input_tokens
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= MAX_INPUT_TOKENS:
        problems.append(f"max_input_tokens {shown(limit)} is not between 1 and {MAX_INPUT_TOKENS}")
    created = manifest.created_at
    if not isinstance(created, str) or len(created) > 64 or not (created.isprintable()):
        problems.append(f"created_at {shown(created)} is not a time")
    return problems


def is_name(name: object) -> bool:
    """Whether this is a valid name of a judge."""
    return (
        isinstance(name, str)
        and _NAME.fullmatch(name) is not None
        and ".." not in name
        and name == name.strip()
    )
