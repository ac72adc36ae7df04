"""`judgestream health`: what probes, families, templates and time say about a judge, from the topics."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

import typer

from judgestream.adapters.kafka.verdict_topic import verdicts
from judgestream.apps.cli import health_view as view
from judgestream.apps.cli.agreement_options import Annotators
from judgestream.apps.cli.reading import all_labels, all_verdicts, everything
from judgestream.contracts.topics import PROBES
from judgestream.core.errors import ConfigurationError
from judgestream.core.known_answers import OF_KEY
from judgestream.core.preference import Preference
from judgestream.core.types import Verdict
from judgestream.core.verdict_set import VerdictSet
from judgestream.evaluation.clusters import Mean
from judgestream.evaluation.contribution import Contribution, contribution
from judgestream.evaluation.drift import Drift, drifts
from judgestream.evaluation.format_consistency import FormatConsistency, format_consistency
from judgestream.evaluation.known_answers import (
    KnownAnswerFigures,
    control_of,
    known_answer_figures,
)
from judgestream.evaluation.labels import Ballots
from judgestream.evaluation.leaderboard import Battle, battle_of
from judgestream.evaluation.recount import Recount, by_prompt
from judgestream.evaluation.self_preference import (
    SelfPreference,
    gain_over_labels,
    own_side,
    self_preference,
)
from judgestream.evaluation.style_control import (
    StyledPair,
    StyleEffects,
    style_effects,
    styled_pair,
)
from judgestream.settings import Kafka, load
from judgestream.terminal import options
from judgestream.terminal.exit_codes import ExitCode
from judgestream.terminal.output import OutputFormat, json_line, note
from judgestream.v1.judging_pb2 import Verdict as VerdictMessage


@dataclass(kw_only=True, slots=True)
class Health:
    """What `judgestream health` shows.

    gains      release -> the judge's win rate for its family less that of the labels
    unknown    verdicts on probes that this version does not know, by name
    """

    probes: tuple[KnownAnswerFigures, ...] = ()
    unknown: Mapping[str, int] = field(default_factory=dict)
    gains: Mapping[str, Mean] = field(default_factory=dict)
    across: SelfPreference | None = None
    styles: Mapping[str, StyleEffects] = field(default_factory=dict)
    formats: tuple[FormatConsistency, ...] = ()
    drift: Mapping[str, Mapping[str, Drift]] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        found = (
            *(self.probes, self.gains, self.across),
            *(self.styles, self.formats, self.drift),
        )
        return not any(found) and not self.unknown


def command(
    release: options.Release = None,
    since: options.Since = None,
    drift_from: Annotated[
        datetime | None,
        typer.Option(
            parser=options.moment,
            metavar="WHEN",
            help="compare what was requested since then with what was requested before, as --since",
        ),
    ] = None,
    judge: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RELEASE=MODEL",
            help="the model behind a release, for its family; default: the release's name; repeatable",
        ),
    ] = None,
    family: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FAMILY=PREFIX,...",
            help="names of models that begin so are of this family; repeatable",
        ),
    ] = None,
    annotator: Annotators = None,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Known-answer probes, style, self-preference, templates and drift, beside the bias report.

    Probes: the share of right verdicts, and attack success. Style: the log-odds that a difference in words,
    headers, list items and bold spans is worth. Self-preference: what the judge gives answers of
    its family beyond the labels, or beyond judges of other families. Templates: whether one checkpoint says
    the same under two. Drift, with --drift-from: population stability beside its noise. Verdicts on one
    prompt count as one observation. Exits 1 if there is nothing to show.
    """
    kafka = load().kafka
    models, families = _assigned(judge, "--judge"), _assigned(family, "--family")
    own = {name: prefixes.split(",") for name, prefixes in families.items()}
    found = _measured(
        kafka,
        release,
        since,
        drift_from,
        models=models,
        families=own,
        ballots=Ballots(all_labels(kafka), annotators=annotator or ()),
    )
    if found.empty:
        note(
            "nothing to show: no known-answer probe was judged (shadow.probe_share), no judge is of a"
            " candidate's family (--judge), no checkpoint used two templates"
        )
        raise typer.Exit(ExitCode.NO)
    if form is OutputFormat.JSON:
        json_line(view.as_json(found))
    else:
        view.show(found)


def _measured(
    kafka: Kafka,
    release: str | None,
    since: datetime | None,
    drift_from: datetime | None,
    *,
    models: Mapping[str, str],
    families: Mapping[str, list[str]],
    ballots: Ballots,
) -> Health:
    messages = everything(kafka, PROBES, VerdictMessage, since=since)
    probes = [verdict for _, verdict in verdicts(messages, release=release)]
    wanted = {(one.release, one.metadata.get(OF_KEY, "")) for one in probes}
    kept: VerdictSet[_Kept | None] = VerdictSet()
    recount = Recount()
    for _, verdict in all_verdicts(kafka, release=release, since=since):
        counted = verdict.is_counted
        kept.add(verdict, _Kept.of(verdict, wanted) if counted else None)
        if counted and drift_from is not None:
            _count(recount, verdict)
    rows = [one for one in kept if one is not None]
    figures, unknown = known_answer_figures(
        probes, control_of(one.control for one in rows if one.control is not None)
    )
    return Health(
        probes=figures,
        unknown=dict(sorted(unknown.items())),
        gains=_gains(rows, ballots, models, families),
        across=self_preference(
            (
                (models.get(one.release, one.release), one.battle)
                for one in rows
                if one.battle is not None
            ),
            families=families,
        ),
        styles=_styles(rows),
        formats=format_consistency(one.light for one in rows),
        drift={} if drift_from is None else _drift(recount, drift_from),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kept:
    """What is kept of a live verdict: without its passes, texts and metadata."""

    release: str
    request_id: str
    candidates: tuple[str, ...]
    battle: Battle | None
    styled: StyledPair | None
    control: Verdict | None
    light: Verdict

    @classmethod
    def of(cls, verdict: Verdict, wanted: set[tuple[str, str]]) -> "_Kept":
        light = view.lightened(verdict)
        battle = battle_of(verdict)
        return cls(
            release=verdict.release,
            request_id=verdict.request_id,
            candidates=tuple(score.candidate_id for score in verdict.scores),
            battle=battle if isinstance(battle, Battle) else None,
            styled=styled_pair(verdict),
            control=light if (verdict.release, verdict.request_id) in wanted else None,
            light=light,
        )


def _gains(
    rows: Iterable[_Kept],
    ballots: Ballots,
    models: Mapping[str, str],
    families: Mapping[str, list[str]],
) -> dict[str, Mean]:
    """The gain over the labels of every release that judged labelled pairs with one side of its family."""
    found: defaultdict[str, list[tuple[Preference, Preference, int, object]]] = defaultdict(list)
    for row in rows:
        if row.battle is None:
            continue
        gold = ballots.gold(row.request_id, row.candidates).side
        side = own_side(
            models.get(row.release, row.release), row.battle.first, row.battle.second, families
        )
        if gold is not None and side:
            found[row.release].append((row.battle.outcome, gold, side, row.battle.cluster))
    gains = {}
    for name, known in sorted(found.items()):
        said, gold_sides, sides, clusters = zip(*known, strict=True)
        gain = gain_over_labels(said, gold_sides, sides, clusters)
        if gain is not None:
            gains[name] = gain
    return gains


def _styles(rows: Iterable[_Kept]) -> dict[str, StyleEffects]:
    """What each release gives for style."""
    pairs: defaultdict[str, list[StyledPair]] = defaultdict(list)
    for row in rows:
        if row.styled is not None:
            pairs[row.release].append(row.styled)
    found = {name: style_effects(known) for name, known in sorted(pairs.items())}
    return {
        name: one for name, one in found.items() if one is not None and any(one.features.values())
    }


def _count(recount: Recount, verdict: Verdict) -> None:
    try:
        recount.add(contribution(verdict))
    except ValueError:
        return  # without an id or a time; the bias worker sets it aside, too


def _drift(recount: Recount, since: datetime) -> dict[str, dict[str, Drift]]:
    """Of every release: the distributions of what was requested since a time, against those before it."""
    parts: defaultdict[str, tuple[list[Contribution], list[Contribution]]]
    parts = defaultdict(lambda: ([], []))
    for one in recount:
        parts[one.release][one.time < since].append(one)
    found = {}
    for release, (now, before) in sorted(parts.items()):
        counts = [
            list(by_prompt((one.bucket, one.counts) for one in part).values())
            for part in (now, before)
        ]
        if drifted := drifts(*counts):
            found[release] = drifted
    return found


def _assigned(values: list[str] | None, option: str) -> dict[str, str]:
    found = {}
    for value in values or ():
        name, sign, assigned = value.partition("=")
        if not sign or not name.strip() or not assigned.strip():
            raise ConfigurationError(f"{option} {value}: write NAME=VALUE")
        found[name.strip()] = assigned.strip()
    return found
