"""Prometheus and promtool: those of this machine, or the distribution's package, unpacked in the virtual
environment.

apt-get checks the package against the signed lists of the distribution. Nothing is installed on the machine,
and no rights are needed.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "prometheus"
LEAST = (2, 42)
"""Debian 12 has 2.42, Ubuntu 24.04 has 2.45. Tests use nothing newer."""

INSTALLED = Path(sys.executable).parent.parent / "prometheus"
DOWNLOAD_S = 240


class Unavailable(Exception):
    """This machine has no Prometheus, and it cannot be installed. The message says why."""


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
        _install(installed)
        found = _unpacked(installed)
    if found is None:
        raise Unavailable(f"{installed} has no prometheus and promtool: remove the folder")
    version = version_of(_run([str(found.promtool), "--version"], 30))
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


def _install(folder: Path) -> None:
    """Unpack beside the target, then rename: a process that is killed leaves no half of a package."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise Unavailable(
            f"neither Prometheus nor apt-get is on PATH: install Prometheus {_text(LEAST)} or later"
        )
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="prometheus-") as name:
        work = Path(name)
        archive = _download(work)
        _run(["dpkg-deb", "--extract", str(archive), str(work / "package")], 60)
        try:
            os.replace(work / "package", folder)
        except OSError:
            if _unpacked(folder) is None:  # another process was first
                raise


def _download(folder: Path) -> Path:
    """The package's archive. Machines without lists of packages get them in a private folder."""
    download = ["apt-get", "download", PACKAGE]
    try:
        _run(download, DOWNLOAD_S, folder)
    except Unavailable:
        private = _private_lists(folder)
        _run(["apt-get", *private, "update"], DOWNLOAD_S, folder)
        _run(["apt-get", *private, *download[1:]], DOWNLOAD_S, folder)
    (archive,) = folder.glob(f"{PACKAGE}_*.deb")
    return archive


def _private_lists(folder: Path) -> list[str]:
    """Options of apt-get for lists of packages that an ordinary user may write."""
    for name in ("lists/partial", "archives/partial"):
        (folder / name).mkdir(parents=True)
    paths = {"Dir::State::lists": folder / "lists", "Dir::Cache": folder}
    return [word for key, path in paths.items() for word in ("-o", f"{key}={path}")]


def _run(command: Sequence[str], limit_s: int, folder: Path | None = None) -> str:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=limit_s, check=True
        )
    except subprocess.CalledProcessError as exc:
        raise Unavailable(f"{' '.join(command)} failed: {exc.stderr.strip()}") from exc
    except subprocess.TimeoutExpired as exc:
        raise Unavailable(f"{' '.join(command)} took longer than {limit_s} s") from exc
    return done.stdout + done.stderr


def _text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
