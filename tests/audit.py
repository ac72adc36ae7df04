"""Do the pinned packages have known vulnerabilities? `pip-audit` over constraints.txt.

    python tests/audit.py

Exits 1 for a finding that `audit-exceptions.toml` does not name, and for an exception that has run out. Where
the advisory service cannot be reached, that is said plainly and nothing fails: pip-audit itself would say
"no known vulnerabilities" then. A package with a well-known old vulnerability is asked about first.
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
"""Has had advisories since 2014: a service that knows none is not one."""

TIMEOUT_S = 300


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What pip-audit found: `package version: id` lines, and how many packages it could not look up."""

    findings: tuple[tuple[str, str], ...]
    skipped: int
    checked: int


def read_report(text: str) -> Audit:
    """Raises ValueError when this is not pip-audit's JSON."""
    packages = json.loads(text)["dependencies"]
    findings = [
        (f"{one['name']} {one['version']}", found["id"])
        for one in packages
        for found in one.get("vulns", [])
    ]
    skipped = sum("skip_reason" in one for one in packages)
    return Audit(findings=tuple(findings), skipped=skipped, checked=len(packages) - skipped)


def judged(
    audit: Audit, exceptions: Sequence[Mapping[str, Any]], today: datetime.date
) -> list[str]:
    """What fails the check: findings without a valid exception, and exceptions that have run out."""
    problems = []
    valid = set()
    for one in exceptions:
        if not {"id", "package", "reason", "until"} <= one.keys():
            problems.append(f"an exception needs id, package, reason and until: {dict(one)}")
        elif one["until"] < today:
            problems.append(
                f"the exception for {one['package']} {one['id']} ran out on {one['until']}"
            )
        else:
            valid.add((one["package"], one["id"]))
    for package, number in audit.findings:
        if (package.split()[0], number) not in valid:
            problems.append(f"{package}: {number}")
    return problems


def ask(requirements: Path) -> Audit | None:
    """pip-audit's answer, None where it has none."""
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
            "pip-audit could not run: its advisory service cannot be reached from here, so the packages"
            " were NOT checked for known vulnerabilities. Run `make check` where it can be.\n"
        )
        return 0
    audit = ask(CONSTRAINTS)
    if audit is None:
        sys.stderr.write("pip-audit gave no answer for constraints.txt\n")
        return 1
    text = EXCEPTIONS.read_text() if EXCEPTIONS.exists() else ""
    today = datetime.datetime.now(tz=datetime.UTC).date()
    problems = judged(audit, tomllib.loads(text).get("exception", []), today)
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    sys.stderr.write(
        f"pip-audit: {audit.checked} packages checked, {audit.skipped} unknown to the service,"
        f" {len(audit.findings)} findings, {len(problems)} to be dealt with\n"
    )
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
