"""The releases in a Triton model repository, read from its files and not from Triton."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from judgestream.adapters.releases import vllm
from judgestream.adapters.releases.model_config import bundled_models
from judgestream.adapters.releases.model_folder import CHECKPOINT
from judgestream.adapters.releases.parameters import parameters_of
from judgestream.adapters.releases.recorded import changed as recording_changed
from judgestream.checkpoints.families import FAMILIES
from judgestream.checkpoints.manifest import read_manifest, verify
from judgestream.contracts.recording import FAMILY as RECORDED
from judgestream.core.errors import ConfigurationError
from judgestream.core.jury import JuryRecord, is_jury
from judgestream.core.release_parameters import release_from
from judgestream.core.types import Release


class Changes(StrEnum):
    """The parts of a release that are compared with the installed ones.

    CODE    the model code only: milliseconds
    FILES   also every file of the checkpoint by its SHA-256: about a second per gigabyte
    """

    CODE = "code"
    FILES = "files"


@dataclass(frozen=True, kw_only=True, slots=True)
class InstalledRelease:
    """One release of a repository.

    family        as in `checkpoints.families.FAMILIES`, or the folder of `triton_models/` that serves it
    models        Triton models to load, in this order; the last is the release itself
    endpoint      URL of the endpoint; "" for a judge that runs in Triton
    key_variables environment variables of Triton's process that contain the keys of its endpoints
    members       of a jury
    """

    release: Release
    family: str
    models: tuple[str, ...]
    endpoint: str = ""
    endpoint_model: str = ""
    key_variables: tuple[str, ...] = ()
    members: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.release.name


def installed(repository: Path) -> list[InstalledRelease]:
    """All releases in the repository, by name; [] if the folder does not exist. Other models, such as the
    engine behind a vLLM release, are left out."""
    try:
        folders = sorted(path for path in repository.iterdir() if path.is_dir())
    except OSError:
        return []
    releases = (_read(repository, path) for path in folders if not path.name.startswith("."))
    return [release for release in releases if release is not None]


def find(repository: Path, name: str) -> InstalledRelease:
    """The release of this name.

    Raises:
        ConfigurationError: it is not installed; the message names those that are.
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
    """Changes by hand since the release was installed, one sentence each."""
    problems: list[str] = []
    code = repository / release.name / "1" / "model.py"
    source = FAMILIES.get(release.family, release.family)
    try:
        shipped = (bundled_models() / source / "1" / "model.py").read_bytes()
        if code.read_bytes() != shipped:
            problems.append("1/model.py differs from this version of judgestream")
    except OSError as error:
        problems.append(f"1/model.py cannot be compared: {error.strerror or error}")
    checkpoint = repository / release.models[0] / CHECKPOINT
    if release.family == RECORDED:
        if how is Changes.FILES and (
            change := recording_changed(repository / release.name, release.release)
        ):
            problems.append(change)
    elif how is Changes.FILES and not release.endpoint and not release.members:
        try:
            manifest = read_manifest(checkpoint)
            identity = {
                "checkpoint_digest": manifest.digest,
                "template_id": manifest.template_id,
                "max_input_tokens": manifest.max_input_tokens,
            }
            problems += [
                f"config.pbtxt does not name the checkpoint's {name}"
                for name, value in identity.items()
                if getattr(release.release, name) != value
            ]
            verify(checkpoint, manifest)
        except (ConfigurationError, OSError) as error:
            problems.append(str(error))
    return problems


def _read(repository: Path, folder: Path) -> InstalledRelease | None:
    values = parameters_of(folder)
    try:
        release = release_from(folder.name, values)
    except (KeyError, ValueError):
        return None
    if is_jury(values):
        return _read_jury(repository, release, values)
    engine = folder.name + vllm.SUFFIX
    behind = (engine,) if (repository / engine).is_dir() else ()
    key_variable = values.get("key_variable", "")
    return InstalledRelease(
        release=release,
        family=values.get("family", ""),
        models=(*behind, folder.name),
        endpoint=values.get("endpoint", ""),
        endpoint_model=values.get("endpoint_model", ""),
        key_variables=(key_variable,) if key_variable else (),
    )


def _read_jury(
    repository: Path, release: Release, values: Mapping[str, str]
) -> InstalledRelease | None:
    """A jury with what its members need. A member that is not installed is left to Triton to report."""
    try:
        names = [member.release for member in JuryRecord.of(values).members]
    except ConfigurationError:
        return None
    folders = [repository / name for name in names]
    known = [_read(repository, path) for path in folders if not is_jury(parameters_of(path))]
    members = {member.name: member for member in known if member is not None}
    behind = [members[name].models if name in members else (name,) for name in names]
    variables = [one for member in members.values() for one in member.key_variables]
    return InstalledRelease(
        release=release,
        family=values.get("family", ""),
        models=(*(model for models in behind for model in models), release.name),
        key_variables=tuple(dict.fromkeys(variables)),
        members=tuple(names),
    )
