"""Format consistency: whether one checkpoint says the same of a pair under two templates."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

from judgestream.core.preference import Preference
from judgestream.core.types import Status, Verdict
from judgestream.evaluation.clusters import Mean, clustered_share
from judgestream.evaluation.prompt_clusters import Cluster, cluster_of
from judgestream.evaluation.scored_verdict import outcome_of


@dataclass(frozen=True, kw_only=True, slots=True)
class FormatConsistency:
    """The share of equal preferences of a checkpoint under two templates, on the same requests."""

    checkpoint_digest: str
    templates: tuple[str, str]
    share: Mean


def format_consistency(verdicts: Iterable[Verdict]) -> tuple[FormatConsistency, ...]:
    """Every two templates under which a checkpoint judged the same pairs, in order of their names.

    Of several verdicts under one template the last counts. Verdicts without a checkpoint's digest, such as
    those of endpoints, are left out: nothing says that it was the same judge.
    """
    seen: defaultdict[tuple[str, str, str], dict[str, tuple[Preference, Cluster]]]
    seen = defaultdict(dict)
    for one in verdicts:
        ids = [score.candidate_id for score in one.scores]
        if not one.is_counted or one.status is not Status.SCORED or not one.checkpoint_digest:
            continue
        outcome = outcome_of(one, ids)
        if outcome is not None:
            key = (one.checkpoint_digest, one.request_id, one.content_digest)
            seen[key][one.template_id] = (outcome, cluster_of(one))
    equal: defaultdict[tuple[str, str, str], list[tuple[bool, Cluster]]] = defaultdict(list)
    for (checkpoint, *_), by_template in seen.items():
        for one_name, other_name in combinations(sorted(by_template), 2):
            (one_side, cluster), (other_side, _) = by_template[one_name], by_template[other_name]
            equal[checkpoint, one_name, other_name].append((one_side is other_side, cluster))
    found = []
    for (checkpoint, first, second), rows in sorted(equal.items()):
        share = clustered_share([hit for hit, _ in rows], [cluster for _, cluster in rows])
        if share is not None:
            found.append(
                FormatConsistency(
                    checkpoint_digest=checkpoint, templates=(first, second), share=share
                )
            )
    return tuple(found)
