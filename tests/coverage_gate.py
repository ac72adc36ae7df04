"""Coverage per package after `make coverage`, and the gate on branches.

    python -m tests.coverage_gate

reads `.coverage` and prints one line per package. Exits 1 when a package of `LEAST` covers fewer branches.
"""

import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LEAST = {"judgestream/core": 95.0, "judgestream/evaluation": 95.0, "judgestream/contracts": 95.0}
"""Branch coverage in per cent by package."""


@dataclass
class Counts:
    """Statements and branches of a package, and how many of them the tests ran."""

    statements: int = 0
    statements_run: int = 0
    branches: int = 0
    branches_run: int = 0
    missing: dict[str, int] = field(default_factory=dict)
    """Branches that no test took, by file."""

    def add(self, file: str, summary: Mapping[str, int]) -> None:
        self.statements += summary["num_statements"]
        self.statements_run += summary["covered_lines"]
        self.branches += summary["num_branches"]
        self.branches_run += summary["covered_branches"]
        if summary["missing_branches"]:
            self.missing[file] = summary["missing_branches"]


def percent(part: int, whole: int) -> float:
    return 100.0 * part / whole if whole else 100.0


def by_package(report: Mapping[str, Any]) -> dict[str, Counts]:
    """Counts of every second-level package in coverage's JSON report."""
    counts: dict[str, Counts] = defaultdict(Counts)
    for file, entry in report["files"].items():
        parts = Path(file).with_suffix("").parts[1:]  # without the source root
        counts["/".join(parts[:2])].add(file, entry["summary"])
    return dict(counts)


def failures(counts: Mapping[str, Counts], least: Mapping[str, float]) -> list[str]:
    """One line per package below its limit, with the files that lack most branches."""
    problems = []
    for package, limit in least.items():
        found = counts.get(package, Counts())
        covered = percent(found.branches_run, found.branches)
        if package not in counts or covered < limit:
            worst = sorted(found.missing, key=found.missing.__getitem__, reverse=True)[:5]
            named = ", ".join(f"{file} ({found.missing[file]})" for file in worst)
            problems.append(
                f"{package}: {covered:.1f} % of branches covered, {limit:g} % required: {named}"
            )
    return problems


def table(counts: Mapping[str, Counts]) -> str:
    lines = [f"{'package':<36} {'statements':>10} {'covered':>8} {'branches':>9} {'covered':>8}"]
    for package, one in sorted(counts.items()):
        lines.append(
            f"{package:<36} {one.statements:>10} {percent(one.statements_run, one.statements):>7.1f}%"
            f" {one.branches:>9} {percent(one.branches_run, one.branches):>7.1f}%"
        )
    return "\n".join(lines)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "coverage.json"
        command = [sys.executable, "-m", "coverage", "json", "--quiet", "-o", str(path)]
        subprocess.run(command, check=True)
        counts = by_package(json.loads(path.read_text(encoding="utf-8")))
    sys.stdout.write(table(counts) + "\n")
    problems = failures(counts, LEAST)
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    return int(bool(problems))


if __name__ == "__main__":
    raise SystemExit(main())
