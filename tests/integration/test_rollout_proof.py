"""5,000 requests through a whole rollout, while three processes are killed: each is judged once."""

from collections import defaultdict

import pytest

from judgestream.contracts.topics import DEAD_LETTERS, SHADOW, VERDICTS
from judgestream.v1.judging_pb2 import Verdict
from tests.integration.cluster import INSTANT, Cluster
from tests.integration.rollout_scenario import CANDIDATE, MARK, run

pytestmark = pytest.mark.integration

COUNT = 5000
RATE = 125.0


def test_a_rollout_under_load_loses_nothing_and_judges_nothing_twice(cluster: Cluster) -> None:
    outcome = run(cluster, count=COUNT, rate=RATE)
    verdicts = [Verdict.FromString(record.value) for _, record in cluster.records(VERDICTS)]
    ids, releases = defaultdict(set), {}
    for one in verdicts:
        ids[one.request_id].add(one.verdict_id)
        releases[one.request_id] = one.release
    assert set(ids) == set(outcome.sent)
    assert len(ids) >= COUNT
    assert {request: found for request, found in ids.items() if len(found) > 1} == {}
    assert {one.status for one in verdicts} == {Verdict.STATUS_SCORED}
    assert cluster.count(DEAD_LETTERS) == 0
    assert {one.release for one in verdicts} == {INSTANT, CANDIDATE}
    for one in verdicts:
        told = {reading.finish_reason for reading in one.passes}
        assert len(one.passes) == 2
        assert told == ({MARK} if one.release == CANDIDATE else {"stop"})

    at = outcome.events

    def between(since: str, until: str) -> list[str]:
        """Requests judged when all workers had taken the one move, and before the other."""
        found = [r for r, time in outcome.judged.items() if at[since] + 2 < time < at[until]]
        assert len(found) > 100, (since, until)
        return found

    def share(requests: list[str]) -> float:
        """Of these requests, those that the candidate answered."""
        return sum(releases[request] == CANDIDATE for request in requests) / len(requests)

    assert share(between("shadow", "canary")) == 0.0
    assert 0.05 < share(between("canary", "promote")) < 0.16
    assert share(between("promote", "rollback")) == 1.0
    assert share(between("rollback", "end")) == 0.0

    shadows = [Verdict.FromString(record.value) for _, record in cluster.records(SHADOW)]
    assert {one.release for one in shadows} == {CANDIDATE}
    shadowed = {one.request_id for one in shadows}
    inside = between("shadow", "canary")
    assert 0.4 < len(shadowed & set(inside)) / len(inside) < 0.6
