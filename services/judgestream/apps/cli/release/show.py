"""`judgestream release show`: what decides how an installed release judges, and what it costs."""

import json
from typing import Annotated

import typer

from judgestream.apps.cli.release.rollout_view import (
    print_evidence,
    print_history,
    stage_facts,
)
from judgestream.terminal import options
from judgestream.terminal.output import OutputFormat, json_line, json_text, line


def show_command(
    name: Annotated[str, typer.Argument(help="name of the release, as in `release list`")],
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Show a release: template, modes, members, prices and budget, its stage, evidence and history.

    `release budget` shows what is spent.
    """
    from judgestream.adapters.releases.facts import release_facts
    from judgestream.adapters.releases.installed import find, installed
    from judgestream.apps.cli.release.place import find_place

    place = find_place()
    placed = place.placed.get(name)
    present = any(one.name == name for one in installed(place.repository))
    known = present or placed is None
    facts: dict[str, object] = {
        "release": name,
        **(release_facts(place.repository, find(place.repository, name)) if known else {}),
        "in_use": place.in_use == name,
    }
    if placed is not None:
        facts |= {
            **stage_facts(placed),
            "by": placed.by,
            "why": placed.why,
            "now": placed.progress,
            "error": placed.error,
        }
    if form is OutputFormat.JSON:
        if placed is not None:
            facts["evidence"] = json.loads(json_text(placed.evidence))
        json_line(facts)
        return
    for key, value in facts.items():
        if value or isinstance(value, bool):
            line(f"{key.replace('_', ' ') + ':':<23}{_text(value)}")
    if placed is not None and place.rollout is not None:
        print_evidence(placed)
        print_history(place.rollout.changes, name)


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
