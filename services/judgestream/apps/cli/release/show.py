"""`judgestream release show`: what decides how an installed release judges, and what it costs."""

from typing import TYPE_CHECKING, Annotated

import typer

from judgestream.terminal import options
from judgestream.terminal.output import OutputFormat, json_line, line

if TYPE_CHECKING:
    from pathlib import Path

    from judgestream.adapters.releases.installed import InstalledRelease


def show_command(
    name: Annotated[str, typer.Argument(help="name of the release, as in `release list`")],
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Show an installed release: template, modes, endpoint, members, reward scale, prices and budget.

    `release budget` shows what is spent.
    """
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


def release_facts(repository: "Path", one: "InstalledRelease") -> dict[str, object]:
    """What the files of a release state. Facts that it lacks are empty.

    Raises:
        ConfigurationError: its files were changed by hand and are invalid, or
            a member of a jury is not installed.
    """
    from judgestream.adapters.releases.parameters import kept_terms

    folder = repository / one.name
    terms = kept_terms(folder)
    return {
        "family": one.family,
        "checkpoint_digest": one.release.checkpoint_digest,
        "template_id": one.release.template_id,
        "template_file": bool(one.release.template),
        "modes": _modes(repository, one),
        "max_input_tokens": one.release.max_input_tokens,
        "control_tokens": len(one.release.control_tokens),
        "endpoint": one.endpoint,
        "endpoint_model": one.endpoint_model,
        **_jury(folder, one),
        "reward_scale": _reward_scale(repository, one),
        "price_per_million_in": terms.prices.per_million_in,
        "price_per_million_out": terms.prices.per_million_out,
        "budget_per_day": terms.budget.per_day,
        "budget_total": terms.budget.total,
    }


def _modes(repository: "Path", one: "InstalledRelease") -> list[str]:
    """The modes that its template serves; for a jury, those that every member serves."""
    from judgestream.adapters.releases.installed import find
    from judgestream.core.modes import served_by
    from judgestream.template_files.building import template_of

    if not one.members:
        return list(served_by(template_of(one.release)))
    first, *others = (_modes(repository, find(repository, member)) for member in one.members)
    return [mode for mode in first if all(mode in other for other in others)]


def _jury(folder: "Path", one: "InstalledRelease") -> dict[str, object]:
    from judgestream.adapters.releases.parameters import parameters_of
    from judgestream.core.jury import JuryRecord

    if not one.members:
        return {"members": {}}
    record = JuryRecord.of(parameters_of(folder))
    return {
        "rule": record.rule.value,
        "quorum": record.quorum,
        "members": {member.release: member.weight for member in record.members},
    }


def _reward_scale(repository: "Path", one: "InstalledRelease") -> dict[str, object]:
    """A reward model's scale; {} for other judges."""
    from dataclasses import asdict

    from judgestream.adapters.releases.model_folder import CHECKPOINT
    from judgestream.checkpoints.reward_scale import read_reward_scale
    from judgestream.core.templates import REWARD

    if one.release.template_id != REWARD.id or one.endpoint:
        return {}
    return asdict(read_reward_scale(repository / one.models[0] / CHECKPOINT))


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
