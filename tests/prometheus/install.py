"""Prometheus and promtool: those of this machine, or the distribution's package."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.debian_packages import ENVIRONMENT, Unavailable, run, unpack

LEAST = (2, 42)
"""Debian 12 has 2.42, Ubuntu 24.04 has 2.45. Tests use nothing newer."""

INSTALLED = ENVIRONMENT / "prometheus"


@dataclass(frozen=True, kw_only=True)
class Programs:
    prometheus: Path
    promtool: Path


def programs(installed: Path = INSTALLED) -> Programs:
    """Both programs; downloaded on the first call (20 MB).

    Raises:
        Unavailable: there is no apt-get, or the package cannot be fetched, or it is too old.
    """
    found = _on_path() or _unpacked(installed)
    if found is None:
        try:
            unpack("prometheus", installed)
        except Unavailable as exc:
            raise Unavailable(f"{exc}: install Prometheus {_text(LEAST)} or later") from exc
        found = _unpacked(installed)
    if found is None:
        raise Unavailable(f"{installed} has no prometheus and promtool: remove the folder")
    version = version_of(run([str(found.promtool), "--version"], 30))
    if version < LEAST:
        raise Unavailable(
            f"{found.promtool} is version {_text(version)}: install {_text(LEAST)} or later"
        )
    return found


def version_of(text: str) -> tuple[int, ...]:
    """Major and minor version from the program's `--version`."""
    match = re.search(r"version (\d+)\.(\d+)", text)
    if match is None:
        raise Unavailable(f"promtool does not tell its version: {text[:200]}")
    return int(match[1]), int(match[2])


def _on_path() -> Programs | None:
    prometheus, promtool = shutil.which("prometheus"), shutil.which("promtool")
    if prometheus is None or promtool is None:
        return None
    return Programs(prometheus=Path(prometheus), promtool=Path(promtool))


def _unpacked(folder: Path) -> Programs | None:
    found = Programs(prometheus=folder / "usr/bin/prometheus", promtool=folder / "usr/bin/promtool")
    return found if found.prometheus.is_file() and found.promtool.is_file() else None


def _text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
