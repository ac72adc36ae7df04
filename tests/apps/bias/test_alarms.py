"""The bias worker's alarms: published, kept, shown and sent once per change."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from prometheus_client import REGISTRY

from judgestream.adapters.kafka.producer import Publisher
from judgestream.adapters.redis.alarm_states import AlarmStates
from judgestream.adapters.webhook import Delivery, Webhook
from judgestream.apps.bias.alarms import AlarmWatch, load_policy
from judgestream.core.errors import BrokerUnavailable, ConfigurationError
from judgestream.evaluation.alarms.policy import AlarmPolicy
from judgestream.evaluation.probes import Counts
from judgestream.evaluation.time_windows import TimeWindow
from judgestream.v1.bias_pb2 import Alarm

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CONSISTENT: Counts = {"ordered": 1, "consistent": 1}
LEANING: Counts = {"ordered": 1, "toward_first": 1}


class Fakes:
    """Redis, Kafka and the webhook in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.published: list[tuple[bytes | None, Alarm]] = []
        self.sent: list[Delivery] = []
        self.away = False
        self.hours = 1
        self.doubted = False
        self.policy = load_policy(None)

    async def state(self, release: str) -> str:
        return self.kept.get(release, "")

    async def keep(self, release: str, state: str, *, doubted: bool) -> None:
        self.kept[release], self.doubted = state, doubted

    async def publish(self, topic: str, *, key: bytes, value: bytes, headers: object) -> None:
        if self.away:
            raise BrokerUnavailable("away")
        assert topic == "judge.alarms.v1"
        self.published.append((key, Alarm.FromString(value)))

    def send(self, delivery: Delivery) -> None:
        self.sent.append(delivery)

    def look(self, minute: int, counts: list[Counts]) -> None:
        fakes = cast(Any, self)
        watch = AlarmWatch(
            cast(AlarmStates, fakes),
            cast(Publisher, fakes),
            self.policy,
            hop=MINUTE,
            webhook=cast(Webhook, fakes),
            now=lambda: NOON + self.hours * 60 * MINUTE,
        )
        window = TimeWindow(start=NOON + minute * MINUTE, end=NOON + (minute + 1) * MINUTE)
        asyncio.run(watch.look("judge-1", window, counts, shown=True))

    @property
    def states(self) -> list[tuple[str, str]]:
        return [(one.rule, Alarm.State.Name(one.state)[6:]) for _, one in self.published]


def gauge(rule: str) -> float | None:
    return REGISTRY.get_sample_value(
        "judgestream_alarm_raised", {"release": "judge-1", "rule": rule}
    )


def test_an_alarm_is_raised_and_cleared_on_the_topic_the_gauge_and_the_webhook() -> None:
    fakes = Fakes()
    fakes.look(0, [CONSISTENT] * 100)
    assert fakes.states == [("inconsistent", "CLEARED"), ("position", "CLEARED")]
    assert fakes.sent == []
    fakes.look(1, [LEANING] * 300)
    assert fakes.states[2:] == [("inconsistent", "RAISED"), ("position", "RAISED")]
    assert (gauge("inconsistent"), gauge("unreadable"), fakes.doubted) == (1.0, 0.0, True)
    key, alarm = fakes.published[2]
    assert key == alarm.alarm_id.encode() and (alarm.value, alarm.n) == (0.0, 300)
    assert alarm.evidence >= alarm.needed > 0 and (alarm.side, alarm.limit) == ("below", 0.7)
    fakes.look(2, [LEANING] * 300)
    fakes.look(3, [CONSISTENT] * 300)
    assert fakes.states[4:] == [("inconsistent", "CLEARED"), ("position", "CLEARED")]
    assert gauge("inconsistent") == 0.0 and not fakes.doubted
    assert [one.what.split(":")[0] for one in fakes.sent] == [
        *["alarm raised"] * 2,
        *["alarm cleared"] * 2,
    ]
    assert b'"STATE_RAISED"' in fakes.sent[0].body


def test_an_alarm_that_could_not_be_published_is_raised_by_the_same_window_later() -> None:
    fakes = Fakes()
    fakes.look(0, [CONSISTENT])
    fakes.away = True
    with pytest.raises(BrokerUnavailable):
        fakes.look(1, [LEANING] * 300)
    fakes.away = False
    fakes.look(1, [LEANING] * 300)
    fakes.look(1, [LEANING] * 300)
    assert fakes.states == [("inconsistent", "RAISED"), ("position", "RAISED")]


def test_an_alarm_is_cleared_when_its_rule_leaves_the_policy() -> None:
    fakes = Fakes()
    fakes.look(0, [LEANING] * 300)
    fakes.policy = AlarmPolicy(rules=fakes.policy.rules[1:])
    fakes.look(1, [LEANING] * 300)
    assert fakes.states[2:] == [("inconsistent", "CLEARED")]
    assert (gauge("inconsistent"), gauge("position")) == (None, 1.0)
    fakes.look(2, [LEANING] * 300)
    assert len(fakes.states) == 3
    assert fakes.published[0][0] == fakes.published[2][0], "the same key"


def test_the_alarms_of_an_old_backlog_are_not_sent() -> None:
    fakes = Fakes()
    fakes.hours = 26
    fakes.look(0, [LEANING] * 300)
    assert len(fakes.states) == 2 and fakes.sent == []


def test_a_policy_file_is_read_and_a_wrong_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "alarms.yaml"
    path.write_text("rules: {ties: {metric: tie_rate, above: 0.4}}")
    assert [rule.limit for rule in load_policy(path).rules] == [0.4]
    path.write_text("rules: [")
    with pytest.raises(ConfigurationError, match="alarms.yaml cannot be read as YAML"):
        load_policy(path)
    path.write_text("rules: 3")
    with pytest.raises(ConfigurationError, match="alarms.yaml: alarm policy: rules must be"):
        load_policy(path)
    with pytest.raises(ConfigurationError, match="No such file"):
        load_policy(tmp_path / "missing.yaml")
