"""The releases that lie in a Triton model repository, read from their files; Triton itself is not asked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from judgestream.adapters.releases import vllm
from judgestream.adapters.releases.model_config import bundled_models
from judgestream.adapters.releases.model_folder import CHECKPOINT
from judgestream.checkpoints.manifest import read_manifest, verify
from judgestream.core.errors import ConfigurationError
from judgestream.core.types import Release

_PARAMETER = re.compile(
    r'parameters\s*\{\s*key:\s*"((?:[^"\\]|\\.)*)"\s*'
    r'value:\s*\{\s*string_value:\s*"((?:[^"\\]|\\.)*)"'
)
_LARGEST_CONFIG = 1 << 20


class Changes(StrEnum):
    """How much of a release is compared with what was installed.

    CODE    only the model code: milliseconds
    FILES   every file of the checkpoint by its SHA-256, too: about a second a gigabyte
    """

    CODE = "code"
    FILES = "files"


@dataclass(frozen=True, kw_only=True, slots=True)
class InstalledRelease:
    """One release of a repository.

    family        which of our Triton models serves it
    models        Triton models to load for it, in this order; the release is the last
    endpoint      URL of the endpoint that is asked; "" for a judge that runs in Triton
    key_variable  environment variable of Triton's process that holds the endpoint's key; "" without
    """

    release: Release
    family: str
    models: tuple[str, ...]
    endpoint: str = ""
    endpoint_model: str = ""
    key_variable: str = ""

    @property
    def name(self) -> str:
        return self.release.name


def installed(repository: Path) -> list[InstalledRelease]:
    """Every release in the repository, by name; [] when there is no such folder. What is not a release of
    ours (an engine behind one, somebody else's model) is left out."""
    try:
        folders = sorted(path for path in repository.iterdir() if path.is_dir())
    except OSError:
        return []
    found = (_read(repository, folder) for folder in folders if not folder.name.startswith("."))
    return [release for release in found if release is not None]


def find(repository: Path, name: str) -> InstalledRelease:
    """The release of this name.

    Raises:
        ConfigurationError: there is none; the message names those that there are.
    """
    present = installed(repository)
    for release in present:
        if release.name == name:
            return release
    names = ", ".join(release.name for release in present) or "none"
    raise ConfigurationError(
        f"no release {name!r} in {repository} (installed: {names}): install it with"
        " `judgestream release install`, or correct the name"
    )


def changes(repository: Path, release: InstalledRelease, how: Changes = Changes.FILES) -> list[str]:
    """What was changed by hand since the release was installed, one sentence each; [] when nothing was."""
    found: list[str] = []
    code = repository / release.name / "1" / "model.py"
    try:
        shipped = (bundled_models() / release.family / "1" / "model.py").read_bytes()
        if code.read_bytes() != shipped:
            found.append("1/model.py is not the one of this version of judgestream")
    except OSError as error:
        found.append(f"1/model.py cannot be compared: {error.strerror or error}")
    checkpoint = repository / release.models[0] / CHECKPOINT
    if how is Changes.FILES and not release.endpoint:
        try:
            manifest = read_manifest(checkpoint)
            identity = {
                "checkpoint_digest": manifest.digest,
                "template_id": manifest.template_id,
                "max_input_tokens": manifest.max_input_tokens,
            }
            found += [
                f"config.pbtxt does not name the checkpoint's {name}"
                for name, value in identity.items()
                if getattr(release.release, name) != value
            ]
            verify(checkpoint, manifest)
        except (ConfigurationError, OSError) as error:
            found.append(str(error))
    return found


def _read(repository: Path, folder: Path) -> InstalledRelease | None:
    values = _parameters(folder / "config.pbtxt")
    try:
        release = Release(
            name=folder.name,
            checkpoint_digest=values["checkpoint_digest"],
            template_id=values["template_id"],
            max_input_tokens=int(values["max_input_tokens"]),
        )
    except (KeyError, ValueError):
        return None
    engine = folder.name + vllm.SUFFIX
    behind = (engine,) if (repository / engine).is_dir() else ()
    return InstalledRelease(
        release=release,
        family=values.get("family", ""),
        models=(*behind, folder.name),
        endpoint=values.get("endpoint", ""),
        endpoint_model=values.get("endpoint_model", ""),
        key_variable=values.get("key_variable", ""),
    )


def _parameters(config: Path) -> Mapping[str, str]:
    """The parameters of a config.pbtxt as our installers write it; {} for any other file."""
    try:
        if config.stat().st_size > _LARGEST_CONFIG:
            return {}
        text = config.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    return {_plain(key): _plain(value) for key, value in _PARAMETER.findall(text)}


def _plain(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted)
