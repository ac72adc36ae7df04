"""`judgestream release show`: what decides how an installed release judges, and what it costs."""

from typing import Annotated

import typer

from judgestream.terminal import options
from judgestream.terminal.output import OutputFormat, json_line, line


def show_command(
    name: Annotated[str, typer.Argument(help="name of the release, as in `release list`")],
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Show an installed release: template, modes, endpoint, members, reward scale, prices and budget.

    `release budget` shows what is spent.
    """
    from judgestream.adapters.releases.facts import release_facts
    from judgestream.adapters.releases.installed import find
    from judgestream.apps.cli.release.place import find_place

    place = find_place()
    facts = {
        "release": name,
        **release_facts(place.repository, find(place.repository, name)),
        "in_use": place.in_use == name,
    }
    if form is OutputFormat.JSON:
        json_line(facts)
        return
    for key, value in facts.items():
        if value or isinstance(value, bool):
            line(f"{key.replace('_', ' ') + ':':<23}{_text(value)}")


def _text(value: object) -> str:
    """A fact for people."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{key} {_text(each)}" for key, each in value.items())
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)
