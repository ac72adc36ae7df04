"""A real judging worker judges a share of the pairs in both orders, and all while an alarm is raised."""

import time

import pytest
import redis

from tests.integration.cluster import Cluster, pairs, wait

pytestmark = pytest.mark.integration


def test_a_share_of_the_pairs_in_both_orders_and_all_while_an_alarm_is_raised(
    cluster: Cluster,
) -> None:
    cluster.work("judging", 0, judging__swap_rate=0.3)
    (first,) = cluster.wait_verdicts(cluster.submit(pairs(1, "first")), seconds=30)
    assert len(first.passes) == 2, "in doubt until Redis has answered"
    time.sleep(1)
    ids = set(cluster.submit(pairs(80, "share")))
    sampled = [one for one in cluster.wait_verdicts(ids, seconds=30) if one.request_id in ids]
    both = sum(len(one.passes) == 2 for one in sampled)
    assert 8 < both < 45 and len(sampled) == 80  # 24 expected, four standard errors
    assert {one.both_orders_probability for one in sampled} == {0.3}
    assert {one.passes[0].name for one in sampled if len(one.passes) == 1} == {
        "straight",
        "swapped",
    }
    log = cluster.workers["judging-0"].command.log_path
    with redis.Redis.from_url(cluster.valkey.url) as client:
        client.set(f"judgestream:bias:doubted:{first.release}", 1)
    wait(
        lambda: "raised an alarm: all pairs are judged in both orders" in log.read_text(),
        what="the worker to see the alarm",
        seconds=30,
    )
    ids = set(cluster.submit(pairs(20, "all")))
    doubted = [one for one in cluster.wait_verdicts(ids, seconds=30) if one.request_id in ids]
    assert all(len(one.passes) == 2 for one in doubted) and len(doubted) == 20
    assert not any(one.HasField("both_orders_probability") for one in doubted)
