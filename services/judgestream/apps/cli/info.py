"""`judgestream modes` and `judgestream version`."""

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version

from judgestream.core.modes import MODES, Count, Mode
from judgestream.terminal import options
from judgestream.terminal.output import OutputFormat, json_line, line, table


def modes(form: options.Format = OutputFormat.TEXT) -> None:
    """List the modes."""
    if form is OutputFormat.TEXT:
        table(
            ("mode", "candidates", "reference", "meaning"),
            [
                (
                    m.name,
                    str(m.candidates),
                    _reference(m),
                    m.summary,
                )
                for m in MODES.values()
            ],
        )
        return
    for mode in MODES.values():
        json_line(
            {
                "mode": mode.name,
                "candidates": _count(mode.candidates),
                "needs_reference": mode.needs_reference,
                "takes_reference": mode.takes_reference,
                "meaning": mode.summary,
            }
        )


def _reference(mode: Mode) -> str:
    if mode.needs_reference:
        return "needed"
    return "optional" if mode.takes_reference else "none"


def _count(candidates: Count) -> int | dict[str, int]:
    if candidates.least == candidates.most:
        return candidates.least
    return {"least": candidates.least, "most": candidates.most}


def version() -> None:
    """Print the version."""
    try:
        line(installed_version("judgestream"))
    except PackageNotFoundError:
        line("unknown: not installed, but run from a source folder")
