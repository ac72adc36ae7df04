"""Output of `judgestream health`: text of at most 80 columns where names allow it, and JSON."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from judgestream.core.types import Verdict
from judgestream.evaluation.clusters import Mean
from judgestream.evaluation.intervals import Interval
from judgestream.evaluation.known_answers import KnownAnswerFigures
from judgestream.terminal.output import line, table

if TYPE_CHECKING:
    from judgestream.apps.cli.health import Health


def lightened(verdict: Verdict) -> Verdict:
    """The verdict without what takes memory: passes, explanation and metadata."""
    return replace(verdict, passes=(), explanation="", metadata={}, members=())


def as_json(found: "Health") -> dict[str, object]:
    """Everything as one JSON object."""
    across = found.across
    return {
        "known_answers": [_known_json(one) for one in found.probes],
        "unknown_probes": dict(found.unknown),
        "self_preference": {
            "over_labels": {name: _mean_json(gain) for name, gain in found.gains.items()},
            "across_judges": None
            if across is None
            else {
                "log_odds": {"value": across.log_odds.value} | _ends(across.log_odds.interval),
                "own": across.own,
                "battles": across.battles,
                "families": list(across.judges),
            },
        },
        "style": {
            release: {"pairs": one.pairs, "prompts": one.prompts}
            | {
                name: None if effect is None else {"value": effect.value} | _ends(effect.interval)
                for name, effect in one.features.items()
            }
            for release, one in found.styles.items()
        },
        "templates": [
            {
                "checkpoint_digest": one.checkpoint_digest,
                "templates": list(one.templates),
                "consistency": _mean_json(one.share),
            }
            for one in found.formats
        ],
        "drift": {
            release: {
                name: {
                    "index": one.index,
                    "by_chance": one.by_chance,
                    "at_most_by_chance": one.at_most,
                    "p_value": one.p_value,
                    "drifted": one.drifted,
                    "n": one.n,
                    "before": one.before,
                }
                for name, one in of.items()
            }
            for release, of in found.drift.items()
        },
    }


def show(found: "Health") -> None:
    """Everything as text; sections without figures are left out."""
    for release in dict.fromkeys(one.release for one in found.probes):
        line(f"known-answer probes, release {release or '(none)'}")
        table(
            ("probe", "right", "95 % interval", "attacks", "|V|", "probes", "unread"),
            [_known_row(one) for one in found.probes if one.release == release],
        )
        line()
    if found.unknown:
        shown = ", ".join(f"{name or '(none)'} {count}" for name, count in found.unknown.items())
        line(f"probes of another version: {shown}")
    if found.gains:
        line("self-preference: win rate of the judge's family, less that of the labels")
        rows = [(name, _points(gain), gain.n) for name, gain in found.gains.items()]
        table(("release", "points [95 % interval]", "pairs"), rows)
        line()
    if found.across is not None:
        one = found.across.log_odds
        line(
            f"self-preference across judges of {', '.join(found.across.judges)}:"
            f" {one.value:+.2f} log-odds{_span(one.interval, 1.0, 2)}, {found.across.own} pairs"
        )
        line()
    for release, effects in found.styles.items():
        line(f"style, release {release or '(none)'}: log-odds a unit, {effects.pairs} pairs")
        table(
            ("feature", "log-odds", "95 % interval"),
            [
                (
                    name,
                    "-" if one is None else f"{one.value:+.3f}",
                    "" if one is None else _span(one.interval, 1.0, 3).strip(" []"),
                )
                for name, one in effects.features.items()
            ],
        )
        line()
    for checkpoint in found.formats:
        line(
            f"checkpoint {checkpoint.checkpoint_digest[:12]}, {' and '.join(checkpoint.templates)}:"
            f" {100 * checkpoint.share.value:.1f} % equal preferences"
            f"{_span(checkpoint.share.interval)}, {checkpoint.share.n} pairs"
        )
    for release, of in found.drift.items():
        line(f"drift, release {release or '(none)'}")
        rows_of_drift = [
            (
                name,
                f"{one.index:.3f}",
                f"{one.by_chance:.3f}",
                f"{one.at_most:.3f}",
                "yes" if one.drifted else "no",
                f"{one.n} / {one.before}",
            )
            for name, one in of.items()
        ]
        head = ("distribution", "index", "by chance", "95 % below", "drifted", "n / before")
        table(head, rows_of_drift)
        line()


def _known_row(one: KnownAnswerFigures) -> tuple[object, ...]:
    right, attack = one.right, one.attack
    rate = None if attack is None else attack.rate
    return (
        one.name,
        "-" if right is None else f"{100 * right.value:.1f} %",
        "" if right is None else _span(right.interval).strip(" []"),
        "" if rate is None else f"{rate.value:.3f}",
        "" if attack is None else attack.at_risk,
        one.probes,
        one.unread + one.without_control,
    )


def _known_json(one: KnownAnswerFigures) -> dict[str, object]:
    attack = one.attack
    return {
        "release": one.release,
        "name": one.name,
        "probes": one.probes,
        "unread": one.unread,
        "without_control": one.without_control,
        "right": _mean_json(one.right),
        "attack_success": None
        if attack is None
        else {
            "at_risk": attack.at_risk,
            "successes": attack.successes,
            "rate": _mean_json(attack.rate),
        },
    }


def _mean_json(of: Mean | None) -> Mapping[str, object] | None:
    if of is None:
        return None
    return {"value": of.value, "n": of.n, "clusters": of.clusters} | _ends(of.interval)


def _ends(interval: Interval | None) -> dict[str, object]:
    return {} if interval is None else {"low": interval.low, "high": interval.high}


def _points(of: Mean) -> str:
    return f"{100 * of.value:+.1f}{_span(of.interval)}"


def _span(interval: Interval | None, factor: float = 100.0, digits: int = 1) -> str:
    if interval is None:
        return ""
    low, high = factor * interval.low, factor * interval.high
    return f" [{low:.{digits}f}, {high:.{digits}f}]"
