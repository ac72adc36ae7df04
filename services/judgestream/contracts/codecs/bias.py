"""Bias reports and alarms as protobuf messages."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Protocol

from judgestream.contracts.codecs.times import timestamp
from judgestream.v1 import bias_pb2


class Interval(Protocol):
    """A confidence interval, as `evaluation.intervals` computes it."""

    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def level(self) -> float: ...
    @property
    def method(self) -> str: ...


class Metric(Protocol):
    """A published metric, as `evaluation.probes` computes it."""

    @property
    def name(self) -> str: ...
    @property
    def value(self) -> float | None: ...
    @property
    def n(self) -> int: ...
    @property
    def interval(self) -> Interval | None: ...
    @property
    def prompts(self) -> int: ...
    @property
    def design_effect(self) -> float: ...


class Rule(Protocol):
    """A limit of a metric, as `evaluation.alarms.policy` defines it."""

    @property
    def name(self) -> str: ...
    @property
    def metric(self) -> str: ...
    @property
    def side(self) -> str: ...
    @property
    def limit(self) -> float: ...
    @property
    def clear(self) -> float: ...


class AlarmChange(Protocol):
    """A change of an alarm, as `evaluation.alarms.watch` finds it."""

    @property
    def rule(self) -> Rule: ...
    @property
    def raised(self) -> bool: ...
    @property
    def value(self) -> float | None: ...
    @property
    def n(self) -> int: ...
    @property
    def evidence(self) -> float: ...
    @property
    def needed(self) -> float: ...


def alarm_to_message(
    change: AlarmChange, *, release: str, start: datetime, end: datetime, changed_at: datetime
) -> bias_pb2.Alarm:
    """The alarm's new state. `start` and `end` are those of the window that decided."""
    rule = change.rule
    return bias_pb2.Alarm(
        alarm_id=_alarm_id(release, rule.name),
        release=release,
        changed_at=timestamp(changed_at),
        state=bias_pb2.Alarm.STATE_RAISED if change.raised else bias_pb2.Alarm.STATE_CLEARED,
        rule=rule.name,
        metric=rule.metric,
        side=rule.side,
        limit=rule.limit,
        clear=rule.clear,
        window_start=timestamp(start),
        window_end=timestamp(end),
        value=change.value,
        n=change.n,
        evidence=change.evidence,
        needed=change.needed,
    )


def withdrawn_alarm_to_message(*, release: str, rule: str, changed_at: datetime) -> bias_pb2.Alarm:
    """The cleared state of an alarm whose rule the policy no longer has."""
    return bias_pb2.Alarm(
        alarm_id=_alarm_id(release, rule),
        release=release,
        changed_at=timestamp(changed_at),
        state=bias_pb2.Alarm.STATE_CLEARED,
        rule=rule,
    )


def _alarm_id(release: str, rule: str) -> str:
    return hashlib.sha256(f"{release}|{rule}".encode()).hexdigest()[:32]


def bias_report_to_message(
    *,
    release: str,
    start: datetime,
    end: datetime,
    counts: Mapping[str, int],
    metrics: Iterable[Metric],
    revision: int,
    final: bool,
    late: int,
    published_at: datetime,
) -> bias_pb2.BiasReport:
    """The report of one release and window.

    Args:
        start, end: of the window. With the release they make the report's id.
        revision: grows with every change of the counts.
        late: verdicts that were counted after the window was final.
    """
    window_start, window_end = timestamp(start), timestamp(end)
    name = f"{release}|{window_start.ToJsonString()}|{window_end.ToJsonString()}"
    return bias_pb2.BiasReport(
        report_id=hashlib.sha256(name.encode()).hexdigest()[:32],
        release=release,
        window_start=window_start,
        window_end=window_end,
        counts=counts,
        metrics=[_metric_to_message(metric) for metric in metrics],
        revision=revision,
        final=final,
        late=late,
        published_at=timestamp(published_at),
    )


def _metric_to_message(metric: Metric) -> bias_pb2.BiasMetric:
    interval = metric.interval
    return bias_pb2.BiasMetric(
        name=metric.name,
        value=metric.value,
        n=metric.n,
        prompts=metric.prompts,
        design_effect=metric.design_effect if metric.n else 0.0,
        interval=None
        if interval is None
        else bias_pb2.Interval(
            low=interval.low, high=interval.high, level=interval.level, method=interval.method
        ),
    )
