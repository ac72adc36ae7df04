"""The preflight checks name the Redis, topic or permission that is wrong."""

from typing import Any

import pytest

from judgestream.adapters.kafka.topics import FORBIDDEN, MISSING, check
from judgestream.adapters.redis.checking import check_redis_info
from judgestream.contracts.topics import REQUESTS, VERDICTS
from judgestream.core.errors import ConfigurationError


@pytest.mark.parametrize(
    ("told", "named"),
    [
        ({}, ""),
        ({"cluster_enabled": 0, "maxmemory": 0, "maxmemory_policy": "allkeys-lru"}, ""),
        ({"maxmemory": 10, "maxmemory_policy": "noeviction"}, ""),
        ({"maxmemory": 10, "maxmemory_policy": "volatile-ttl"}, "noeviction"),
        ({"maxmemory": "10", "maxmemory_policy": "allkeys-lfu"}, "noeviction"),
        ({"cluster_enabled": 1}, "CROSSSLOT"),
        ({"redis_mode": "cluster"}, "CROSSSLOT"),
    ],
)
def test_a_redis_that_would_lose_windows_is_refused(told: dict[str, object], named: str) -> None:
    if not named:
        assert check_redis_info(told) == ""
        return
    with pytest.raises(ConfigurationError, match=named):
        check_redis_info(told)


class FakeAdmin:
    """A broker that lists no topics, and one of them because this user may not see it."""

    def list_topics(self) -> list[str]:
        return []

    def describe_topics(self, names: list[str]) -> list[dict[str, Any]]:
        codes = {REQUESTS.name: 29, VERDICTS.name: 3}
        return [{"name": name, "error_code": codes[name], "partitions": []} for name in names]


def test_a_missing_permission_is_not_a_missing_topic() -> None:
    differences = check(FakeAdmin(), (REQUESTS, VERDICTS))
    assert [one.found for one in differences] == [FORBIDDEN, MISSING]
    assert all(one.absent for one in differences)
    assert "grant DESCRIBE" in str(differences[0]) and "topics apply" in str(differences[1])


@pytest.mark.parametrize(
    ("version", "old"), [("6.2.14", True), ("7.0.0", False), ("8.1.3", False), ("", False)]
)
def test_a_redis_that_cannot_keep_assignments_is_named(version: str, old: bool) -> None:
    assert ("7 or newer" in check_redis_info({"redis_version": version})) is old
