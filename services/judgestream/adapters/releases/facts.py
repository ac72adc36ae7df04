"""The facts in the files of an installed release: how it judges and what it costs."""

from dataclasses import asdict
from pathlib import Path

from judgestream.adapters.releases.installed import InstalledRelease, find
from judgestream.adapters.releases.model_folder import CHECKPOINT
from judgestream.adapters.releases.parameters import kept_terms, parameters_of
from judgestream.checkpoints.reward_scale import read_reward_scale
from judgestream.core.jury import JuryRecord
from judgestream.core.modes import served_by
from judgestream.core.templates import REWARD
from judgestream.core.templates.image_scorer import SCORER
from judgestream.template_files.building import template_of


def release_facts(repository: Path, one: InstalledRelease) -> dict[str, object]:
    """The facts by name. Those that a release lacks are empty.

    Raises:
        ConfigurationError: its files were changed by hand and are invalid, or a member of a jury is
            not installed.
    """
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


def _modes(repository: Path, one: InstalledRelease) -> list[str]:
    """The modes that its template serves; for a jury, those that every member serves."""
    if not one.members:
        return list(served_by(template_of(one.release)))
    first, *others = (_modes(repository, find(repository, member)) for member in one.members)
    return [mode for mode in first if all(mode in other for other in others)]


def _jury(folder: Path, one: InstalledRelease) -> dict[str, object]:
    if not one.members:
        return {"members": {}}
    record = JuryRecord.of(parameters_of(folder))
    return {
        "rule": record.rule.value,
        "quorum": record.quorum,
        **({"below": record.below, "then": record.then or ""} if record.below else {}),
        "members": {member.release: member.weight for member in record.members},
    }


def _reward_scale(repository: Path, one: InstalledRelease) -> dict[str, object]:
    """The scale of a judge that gives values; {} for other judges."""
    if one.release.template_id not in (REWARD.id, SCORER.id) or one.endpoint:
        return {}
    return asdict(read_reward_scale(repository / one.models[0] / CHECKPOINT))
