"""Figures of the known-answer probes: how often the verdict is right, and the attack success rate."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from judgestream.core.known_answers import (
    KNOWN_ANSWERS,
    NAME_KEY,
    OF_KEY,
    PERTURBED_KEY,
    Effect,
    KnownAnswer,
    Pairing,
    allowed,
)
from judgestream.core.preference import Preference
from judgestream.core.types import Status, Verdict
from judgestream.evaluation.attack import AttackSuccess, Perturbation, attack_success
from judgestream.evaluation.clusters import Mean, clustered_share
from judgestream.evaluation.prompt_clusters import Cluster, cluster_of

Control = Mapping[tuple[str, str], Verdict]
"""The verdicts of live requests, by release and request id."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownAnswerFigures:
    """One release on the probes of one known answer.

    probes            verdicts on them
    unread            of these not scored: in no rate
    without_control   of these without a scored verdict of the request that they accompany, which the rate
                      needs: in no rate
    right             share of right verdicts; over the probes that leave room for a failure
    attack            of the probes that attack: the same as the paper's rate, with its |V|; None for others
    """

    name: str
    release: str
    probes: int
    unread: int
    without_control: int
    right: Mean | None
    attack: AttackSuccess | None


@dataclass(kw_only=True, slots=True)
class _Row:
    probes: int = 0
    unread: int = 0
    without_control: int = 0
    control: list[Preference] = field(default_factory=list)
    after: list[Preference] = field(default_factory=list)
    clusters: list[Cluster] = field(default_factory=list)


def control_of(verdicts: Iterable[Verdict]) -> Control:
    """The scored pairwise verdicts by release and request; of several the last."""
    return {
        (one.release, one.request_id): one
        for one in verdicts
        if one.is_counted and one.status is Status.SCORED and len(one.scores) == 2
    }


def known_answer_figures(
    probes: Iterable[Verdict],
    control: Control,
    known: Mapping[str, KnownAnswer] = KNOWN_ANSWERS,
) -> tuple[tuple[KnownAnswerFigures, ...], Counter[str]]:
    """The figures by release and known answer, in the table's order, and the number of verdicts on probes
    that this version does not know, by name.

    Probes of one prompt are one cluster. A verdict that was delivered twice counts once.
    """
    rows: dict[tuple[str, str], _Row] = {}
    unknown: Counter[str] = Counter()
    seen: set[str] = set()
    for verdict in probes:
        if verdict.verdict_id in seen:
            continue
        seen.add(verdict.verdict_id)
        name = verdict.metadata.get(NAME_KEY, "")
        if name not in known:
            unknown[name] += 1
            continue
        _add(rows.setdefault((verdict.release, name), _Row()), known[name], verdict, control)
    order = list(known)
    figures = sorted(rows, key=lambda key: (key[0], order.index(key[1])))
    return tuple(
        _figures(known[name], release, rows[release, name]) for release, name in figures
    ), unknown


def is_right(
    probe: Verdict, control: Control, known: Mapping[str, KnownAnswer] = KNOWN_ANSWERS
) -> bool | None:
    """Whether the verdict on a probe is right; one that is not scored is not.

    None where it cannot be wrong or right: this version does not know the probe, the verdict that it needs
    for comparison is missing, or that one leaves no room for a failure.
    """
    name = probe.metadata.get(NAME_KEY, "")
    before = _before(known[name], probe, control) if name in known else None
    wanted = None if before is None else allowed(known[name].effect, before)
    return None if wanted is None else _preference(probe, probe) in wanted


def _before(known: KnownAnswer, probe: Verdict, control: Control) -> Preference | None:
    """The same release's verdict before the change; None if there is none."""
    if known.pairing is Pairing.ITSELF:
        return Preference.TIE
    base = control.get((probe.release, probe.metadata.get(OF_KEY, "")))
    return None if base is None else _preference(base, probe)


def _add(row: _Row, known: KnownAnswer, verdict: Verdict, control: Control) -> None:
    row.probes += 1
    after = _preference(verdict, verdict)
    if after is None:
        row.unread += 1
        return
    before = _before(known, verdict, control)
    if before is None:
        row.without_control += 1
        return
    row.control.append(before)
    row.after.append(after)
    row.clusters.append(cluster_of(verdict))


def _preference(verdict: Verdict, probe: Verdict) -> Preference | None:
    """Of (unchanged, changed answer) of a probe, by a verdict that is scored; None if it is not on them.

    Where the candidates only changed places, the first of the probe's ids by the alphabet stands first.
    """
    ids = [score.candidate_id for score in probe.scores]
    if verdict.status is not Status.SCORED or len(set(ids)) != 2 or len(ids) != 2:
        return None
    changed = probe.metadata.get(PERTURBED_KEY) or max(ids)
    if changed not in ids or {score.candidate_id for score in verdict.scores} != set(ids):
        return None
    if verdict.tie:
        return Preference.TIE
    unchanged = next(one for one in ids if one != changed)
    return {unchanged: Preference.FIRST, changed: Preference.SECOND}.get(verdict.winner)


def _figures(known: KnownAnswer, release: str, row: _Row) -> KnownAnswerFigures:
    right: list[bool] = []
    clusters: list[Cluster] = []
    for before, after, cluster in zip(row.control, row.after, row.clusters, strict=True):
        wanted = allowed(known.effect, before)
        if wanted is not None:
            right.append(after in wanted)
            clusters.append(cluster)
    attacks = known.effect in (Effect.AGNOSTIC, Effect.RELATED)
    return KnownAnswerFigures(
        name=known.name,
        release=release,
        probes=row.probes,
        unread=row.unread,
        without_control=row.without_control,
        right=clustered_share(right, clusters),
        attack=attack_success(
            Perturbation(known.effect.value), row.control, row.after, row.clusters
        )
        if attacks
        else None,
    )
