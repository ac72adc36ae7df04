"""`judgestream suite compare`: two runs, item by item."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from judgestream.apps.suites.run_folder import read_values
from judgestream.core.errors import ConfigurationError
from judgestream.suites.comparing import FEW, compare
from judgestream.terminal import options
from judgestream.terminal.exit_codes import ExitCode
from judgestream.terminal.output import OutputFormat, json_line, note, table


def compare_command(
    first: Annotated[Path, typer.Argument(help="folder of a run")],
    second: Annotated[Path, typer.Argument(help="folder of a run of the same suite and files")],
    seed: Annotated[int, typer.Option(help="of the bootstrap")] = 0,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Compare two runs, item by item: the difference of their headline with a paired bootstrap of prompts.

    Exits 1 when the interval contains 0: the runs do not differ clearly.
    """
    runs = [read_values(path) for path in (first, second)]
    for name in ("suite", "data", "rule", "unreadable"):
        a, b = (run.facts.get(name) for run in runs)
        if a != b:
            raise ConfigurationError(
                f"the runs differ in {name}: {a!s:.60} and {b!s:.60}. Only runs of the same suite, files and"
                " rules can be compared"
            )
    found = compare(runs[0].values, runs[1].values, seed=seed)
    if found is None:
        raise ConfigurationError("the runs have no item in common: run both without --limit")
    releases = [str(run.facts.get("release", "")) for run in runs]
    if form is OutputFormat.JSON:
        json_line({"releases": releases, "seed": seed, **asdict(found), "clear": found.clear})
    else:
        _print_comparison(releases, asdict(found))
        if found.few:
            note(f"fewer than {FEW} prompts: the interval is too narrow")
    if not found.clear:
        raise typer.Exit(ExitCode.NO)


def _print_comparison(releases: Sequence[str], found: Mapping[str, object]) -> None:
    interval = found["interval"]
    ends = "-"
    if isinstance(interval, dict):
        ends = f"{interval['low']:.4f} to {interval['high']:.4f} ({interval['method']})"
    rows = [
        (f"first: {releases[0]}", found["first"]),
        (f"second: {releases[1]}", found["second"]),
        ("difference", found["difference"]),
        ("95 % interval", ends),
        *((name.replace("_", " "), found[name]) for name in ("n", "prompts", "better", "worse")),
        *((name.replace("_", " "), found[name]) for name in ("only_first", "only_second")),
    ]
    table(
        ("comparison", ""),
        [(name, f"{value:.4f}" if isinstance(value, float) else value) for name, value in rows],
    )
