"""Known vulnerabilities of the pinned packages: `pip-audit` over constraints.txt.

    python -m tests.audit

Exits 1 for a finding that `audit-exceptions.toml` does not name, and for an expired exception. Without access
to the advisory service it prints a warning and exits 0: pip-audit itself would then report "no known
vulnerabilities". A package with a well-known old vulnerability is looked up first, to tell the two apart.
"""

import datetime
import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints.txt"
EXCEPTIONS = ROOT / "audit-exceptions.toml"
KNOWN_BAD = "jinja2==2.4.1"
"""Has had advisories since 2014: a service that lists none for it does not work."""

TIMEOUT_S = 300


@dataclass(frozen=True, kw_only=True)
class Audit:
    """A pip-audit report: (package and version, id) per finding, and how many packages it skipped."""

    findings: tuple[tuple[str, str], ...]
    skipped: int
    checked: int


def read_report(text: str) -> Audit:
    """Raises ValueError when the text is not pip-audit's JSON."""
    packages = json.loads(text)["dependencies"]
    findings = [
        (f"{package['name']} {package['version']}", finding["id"])
        for package in packages
        for finding in package.get("vulns", [])
    ]
    skipped = sum("skip_reason" in package for package in packages)
    return Audit(findings=tuple(findings), skipped=skipped, checked=len(packages) - skipped)


def problems_of(
    audit: Audit, exceptions: Sequence[Mapping[str, Any]], today: datetime.date
) -> list[str]:
    """The reasons to fail: findings without a valid exception, and expired exceptions."""
    problems = []
    valid = set()
    for exception in exceptions:
        if not {"id", "package", "reason", "until"} <= exception.keys():
            problems.append(f"an exception needs id, package, reason and until: {dict(exception)}")
        elif exception["until"] < today:
            name = f"{exception['package']} {exception['id']}"
            problems.append(f"the exception for {name} expired on {exception['until']}")
        else:
            valid.add((exception["package"], exception["id"]))
    for package, number in audit.findings:
        if (package.split()[0], number) not in valid:
            problems.append(f"{package}: {number}")
    return problems


def ask(requirements: Path) -> Audit | None:
    """pip-audit's report, or None if it gives none."""
    command = [
        sys.executable,
        "-m",
        "pip_audit",
        "-r",
        str(requirements),
        "--no-deps",
        "--disable-pip",
    ]
    command += ["--format", "json", "--progress-spinner", "off", "--timeout", "5"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        return read_report(done.stdout)
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        return None


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder) / "requirements.txt"
        probe.write_text(KNOWN_BAD + "\n")
        answer = ask(probe)
    if answer is None or not answer.findings:
        sys.stderr.write(
            "pip-audit: the advisory service is unreachable, so the packages were NOT checked for known"
            " vulnerabilities. Run `make check` on a machine that can reach it.\n"
        )
        return 0
    audit = ask(CONSTRAINTS)
    if audit is None:
        sys.stderr.write("pip-audit: no report for constraints.txt; run `make check` again\n")
        return 1
    text = EXCEPTIONS.read_text() if EXCEPTIONS.exists() else ""
    today = datetime.datetime.now(tz=datetime.UTC).date()
    problems = problems_of(audit, tomllib.loads(text).get("exception", []), today)
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    sys.stderr.write(
        f"pip-audit: {audit.checked} packages checked, {audit.skipped} unknown to the service,"
        f" {len(audit.findings)} findings, {len(problems)} without a valid exception\n"
    )
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
