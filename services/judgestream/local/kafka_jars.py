"""Kafka's jars, downloaded once from Maven Central and verified against pinned SHA-256 digests."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from importlib import resources
from pathlib import Path

from judgestream.local import kafka_fetch
from judgestream.local.errors import DownloadFailed, ServerMissing
from judgestream.local.lock import FolderLock

KAFKA_VERSION = "4.3.0"
COORDINATES = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}+org.slf4j:slf4j-simple:1.7.36"

_FETCH_SECONDS = 600
_MARKER = "verified.json"


def pinned_digests() -> dict[str, str]:
    """sha256 in hex by jar name, as `sha256sum` prints them, from `kafka_jars.sha256`."""
    text = resources.files("judgestream.local").joinpath("kafka_jars.sha256").read_text()
    pairs = (line.split() for line in text.splitlines() if line.strip())
    return {name: digest for digest, name in pairs}


def prepare(cache: Path, *, repository: str | None = None) -> list[Path]:
    """The verified jars in `cache`, in class path order. Downloads them if they are missing.

    `repository` is the address of a mirror of Maven Central. Several processes may call this at once: the
    others wait for the first. A download takes 15 to 30 s and 110 MB of disk (45 MB afterwards). Unchanged
    jars take about a millisecond.

    Raises:
        DownloadFailed: with the cause and how to fix it.
        ServerMissing: jgo or truststore is not installed.
        FolderInUse: another process has been downloading for 10 minutes.
    """
    folder = cache / f"kafka-{KAFKA_VERSION}"
    pinned = pinned_digests()
    with FolderLock(folder, purpose="the cache of Kafka's jars", wait_seconds=_FETCH_SECONDS):
        jars = folder / "jars"
        if not all((jars / name).is_file() for name in pinned):
            _fetch(folder, pinned, repository)
        _verify(folder, pinned)
    return [jars / name for name in pinned]


def _fetch(folder: Path, pinned: dict[str, str], repository: str | None) -> None:
    """Download into a temporary folder, check every digest, then move it into place."""
    # Left by a process that was killed: this one holds the lock.
    for left_over in folder.glob("fetch-*"):
        shutil.rmtree(left_over, ignore_errors=True)
    aside = folder / f"fetch-{os.getpid()}"
    aside.mkdir()
    try:
        downloaded = {path.name: path for path in _run_jgo(aside, repository)}
        ready = aside / "jars"
        ready.mkdir()
        for name, digest in pinned.items():
            if name not in downloaded:
                raise DownloadFailed(
                    f"Maven Central returned no {name} for Kafka {KAFKA_VERSION}, because its"
                    " dependencies resolve differently now. Report this: judgestream must pin them again."
                )
            _check_digest(downloaded[name], digest, source="as downloaded")
            shutil.move(downloaded[name], ready / name)
        (folder / _MARKER).unlink(missing_ok=True)
        shutil.rmtree(folder / "jars", ignore_errors=True)
        ready.rename(folder / "jars")
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _run_jgo(aside: Path, repository: str | None) -> list[Path]:
    command = [sys.executable, str(kafka_fetch.__file__), COORDINATES, str(aside), repository or ""]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_FETCH_SECONDS)
    except subprocess.TimeoutExpired:
        raise DownloadFailed(
            f"Downloading Kafka's jars took more than {_FETCH_SECONDS} s. Check the network and"
            " start again; partial downloads are not kept."
        ) from None
    if done.returncode != 0:
        raise explain_failure(done.stderr)
    return [Path(path) for path in json.loads(done.stdout.splitlines()[-1])]


def explain_failure(trace: str) -> DownloadFailed | ServerMissing:
    """The error for a download that failed with this traceback: the cause, then how to fix it."""
    last = trace.strip().splitlines()[-1] if trace.strip() else "no message"
    if "ModuleNotFoundError" in last:
        return ServerMissing(
            f"Kafka's jars cannot be downloaded: {last.partition(': ')[2]}."
            " Install it with: pip install 'judgestream[local]'"
        )
    if "CERTIFICATE_VERIFY_FAILED" in trace or "SSLError" in trace:
        advice = (
            "the server's certificate is not trusted on this machine. Set REQUESTS_CA_BUNDLE to a"
            " PEM file that contains your network's certificate authority (on Debian and Ubuntu"
            " /etc/ssl/certs/ca-certificates.crt), or unset it if it names a wrong one."
        )
    elif "REQUESTS_CA_BUNDLE" in os.environ and "TLS CA certificate bundle" in trace:
        advice = (
            f"REQUESTS_CA_BUNDLE names {os.environ['REQUESTS_CA_BUNDLE']}, which does not exist."
            " Correct it or unset it."
        )
    elif any(word in trace for word in ("ConnectionError", "Timeout", "ProxyError", "Max retries")):
        advice = (
            "Maven Central cannot be reached. Check the network; behind a proxy set HTTPS_PROXY;"
            " where only a mirror is reachable, give its address as jar_repository."
        )
    else:
        advice = (
            "the cause is unknown. Start again; if it fails again, report it with this message."
        )
    return DownloadFailed(f"Kafka's jars could not be downloaded: {advice}\n  | {last}")


def _verify(folder: Path, pinned: dict[str, str]) -> None:
    """Hash every jar whose size or time has changed since it was last verified."""
    marker = folder / _MARKER
    try:
        verified = json.loads(marker.read_text())
    except (OSError, ValueError):
        verified = {}
    now = {}
    for name, digest in pinned.items():
        path = folder / "jars" / name
        status = path.stat()
        now[name] = [status.st_size, status.st_mtime_ns, digest]
        if verified.get(name) != now[name]:
            _check_digest(path, digest, source="in the cache")
    if now != verified:
        aside = marker.with_suffix(".new")
        aside.write_text(json.dumps(now))
        aside.replace(marker)


def _check_digest(path: Path, digest: str, *, source: str) -> None:
    with path.open("rb") as jar:
        actual = hashlib.file_digest(jar, "sha256").hexdigest()
    if actual != digest:
        raise DownloadFailed(
            f"{path.name} {source} is not the pinned file: its SHA-256 is {actual}, expected"
            f" {digest}. Delete {path} and start again; if it fails again, a proxy or a mirror"
            " changes the file: do not use it."
        )
