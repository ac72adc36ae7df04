"""Quality of the judged systems: win rates and pass rates from verdicts, corrected by labels."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass

from judgestream.core.preference import Preference
from judgestream.core.types import Status, Verdict
from judgestream.evaluation.binary_figures import binary_figures
from judgestream.evaluation.corrected import Corrected, Judged, corrected
from judgestream.evaluation.delta import Figure
from judgestream.evaluation.labels import Ballots
from judgestream.evaluation.leaderboard import battle_of
from judgestream.evaluation.prompt_clusters import Cluster, cluster_of

WIN_RATE: Mapping[Hashable, float] = {
    Preference.FIRST: 1.0,
    Preference.TIE: 0.5,
    Preference.SECOND: 0.0,
}
PASS_RATE: Mapping[Hashable, float] = {True: 1.0, False: 0.0}


@dataclass(frozen=True, kw_only=True, slots=True)
class QualityRow:
    """What a rate needs of one verdict: of a pair of systems its outcome, of one answer whether it passes.

    candidates   their ids, in the request's order
    systems      their systems, in the same order
    content      identity of what was judged
    """

    request_id: str
    candidates: tuple[str, ...]
    systems: tuple[str, ...]
    outcome: Preference | bool
    cluster: Cluster
    content: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SystemQuality:
    """One system's rates over its `verdicts`; None for a rate without a labelled verdict to correct it by."""

    system: str
    win_rate: Corrected | None
    pass_rate: Corrected | None
    verdicts: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Quality:
    """Every system's rates under one release, and the judge's own figures on pass labels.

    figures    see `binary_figures`; empty without a labelled verdict on one answer
    ambiguous  requests that were set aside because two contents were judged under one id
    """

    systems: tuple[SystemQuality, ...]
    figures: Mapping[str, Figure]
    ambiguous: int


def quality_row(
    verdict: Verdict, *, pass_score: float | None = None, cluster_key: str = ""
) -> QualityRow | None:
    """None for a verdict that has no part in a rate.

    Args:
        pass_score: the least score with which one answer passes, where no rubric decides it.
    """
    if not verdict.is_counted or verdict.status is not Status.SCORED:
        return None
    outcome: Preference | bool
    if len(verdict.scores) == 1:
        score = verdict.scores[0].score
        if verdict.passed is not None:
            outcome = verdict.passed
        elif pass_score is not None and score is not None:
            outcome = score >= pass_score
        else:
            return None
    else:
        battle = battle_of(verdict)
        if isinstance(battle, str):
            return None
        outcome = battle.outcome
    return QualityRow(
        request_id=verdict.request_id,
        candidates=tuple(score.candidate_id for score in verdict.scores),
        systems=tuple(score.system for score in verdict.scores),
        outcome=outcome,
        cluster=cluster_of(verdict, cluster_key),
        content=verdict.content_digest,
    )


def quality(rows: Iterable[QualityRow], ballots: Ballots) -> Quality:
    """The rates of every system. Of several verdicts on a request the last one counts; a request under whose
    id two contents were judged is set aside."""
    contents: defaultdict[str, set[str]] = defaultdict(set)
    last: dict[str, QualityRow] = {}
    for row in rows:
        contents[row.request_id].add(row.content)
        last[row.request_id] = row
    kept = [row for name, row in sorted(last.items()) if len(contents[name]) == 1]
    wins: defaultdict[str, list[Judged]] = defaultdict(list)
    passes: defaultdict[str, list[Judged]] = defaultdict(list)
    for row in kept:
        probability = ballots.probability(row.request_id)
        if isinstance(row.outcome, Preference):
            gold = ballots.gold(row.request_id, row.candidates).side
            for system, sign in zip(row.systems, (1, -1), strict=True):
                wins[system].append(
                    Judged(
                        outcome=Preference(sign * row.outcome),
                        label=None if gold is None else Preference(sign * gold),
                        cluster=row.cluster,
                        probability=None if gold is None else probability,
                    )
                )
        else:
            passed = ballots.passed(row.request_id)
            passes[row.systems[0]].append(
                Judged(
                    outcome=row.outcome,
                    label=passed,
                    cluster=row.cluster,
                    probability=None if passed is None else probability,
                )
            )
    labelled = [one for rows in passes.values() for one in rows if one.label is not None]
    return Quality(
        systems=tuple(
            SystemQuality(
                system=name,
                win_rate=corrected(wins[name], WIN_RATE) if name in wins else None,
                pass_rate=corrected(passes[name], PASS_RATE) if name in passes else None,
                verdicts=len(wins.get(name, ())) + len(passes.get(name, ())),
            )
            for name in sorted({*wins, *passes})
        ),
        figures=binary_figures(
            [(bool(one.label), bool(one.outcome)) for one in labelled],
            [one.cluster for one in labelled],
        )
        if labelled
        else {},
        ambiguous=len(last) - len(kept),
    )
