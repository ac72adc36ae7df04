"""The judgements of some releases, live ones and those in shadow, each once."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime

from judgestream.adapters.kafka.messages import OnSkip, everything, ignore
from judgestream.adapters.kafka.verdict_topic import verdicts
from judgestream.contracts.topics import SHADOW, VERDICTS
from judgestream.core.types import Verdict
from judgestream.core.verdict_set import VerdictSet
from judgestream.settings import Kafka
from judgestream.v1.judging_pb2 import Verdict as VerdictMessage


def judged_by(
    settings: Kafka,
    releases: Collection[str],
    *,
    since: datetime | None = None,
    reduced: Callable[[Verdict], Verdict] = lambda verdict: verdict,
    on_skip: OnSkip = ignore,
) -> Mapping[str, list[Verdict]]:
    """Release -> its verdicts on `judge.verdicts.v1` and `judge.shadow.v1`, without probes.

    A verdict of a replay has the id of the live one, so they are one judgement.

    Args:
        since: only verdicts on requests that were made since.
        reduced: what is kept of a verdict in memory.
    """
    found: dict[str, VerdictSet[Verdict]] = {name: VerdictSet() for name in releases}
    for topic in (VERDICTS, SHADOW):
        messages = (
            one
            for one in everything(settings, topic, VerdictMessage, since=since, on_skip=on_skip)
            if one[1].release in found
        )
        for _, verdict in verdicts(messages, on_skip=on_skip):
            if verdict.is_counted and (since is None or verdict.requested_at >= since):
                found[verdict.release].add(verdict, reduced(verdict))
    return {name: list(kept) for name, kept in found.items()}
