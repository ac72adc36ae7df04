"""Alarms of the bias worker: to `judge.alarms.v1`, to Prometheus and to the webhook."""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import yaml

from judgestream.adapters.kafka.producer import Publisher
from judgestream.adapters.redis.alarm_states import AlarmStates
from judgestream.adapters.webhook import Delivery, Webhook
from judgestream.apps.worker import metrics
from judgestream.contracts.codecs.bias import alarm_to_message, withdrawn_alarm_to_message
from judgestream.contracts.events import JSON
from judgestream.contracts.outgoing import outgoing
from judgestream.contracts.topics import ALARMS
from judgestream.contracts.wire import encode
from judgestream.core.errors import ConfigurationError, PoisonError
from judgestream.evaluation.alarms.policy import AlarmPolicy
from judgestream.evaluation.alarms.watch import Change, ReleaseState, watch, withdrawn, without
from judgestream.evaluation.probes import Counts
from judgestream.evaluation.probes.position import POSITION
from judgestream.evaluation.time_windows import TimeWindow
from judgestream.v1.bias_pb2 import Alarm

log = logging.getLogger(__name__)

SOURCE = "judgestream/bias"

POSITION_METRICS = frozenset(row.name for row in POSITION.definitions)
"""While an alarm on one of these is raised, judging workers judge all pairs in both orders."""

STALE = timedelta(days=1)
"""Changes by an older window are not sent to the webhook: a worker that reads an old backlog wakes nobody."""


def _now() -> datetime:
    return datetime.now(UTC)


def load_policy(path: Path | None) -> AlarmPolicy:
    """The policy of a YAML file; the shipped one for None.

    Raises:
        ConfigurationError: the file cannot be read, or names the key that is wrong.
    """
    name = "the shipped alarms.yaml" if path is None else str(path)
    try:
        shipped = files("judgestream.apps.bias").joinpath("alarms.yaml")
        text = shipped.read_text("utf-8") if path is None else path.read_text("utf-8-sig")
        return AlarmPolicy.from_mapping(yaml.safe_load(text))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as exc:
        raise ConfigurationError(
            f"bias.alarms: {name} cannot be read as YAML: {getattr(exc, 'strerror', None) or exc}"
        ) from exc
    except ConfigurationError as exc:
        raise ConfigurationError(f"{name}: {exc}") from exc


class AlarmWatch:
    """Watches the final windows. Call it for every release in the order of its windows."""

    def __init__(
        self,
        states: AlarmStates,
        publisher: Publisher,
        policy: AlarmPolicy,
        *,
        hop: timedelta,
        webhook: Webhook | None = None,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._states = states
        self._publisher = publisher
        self._policy = policy
        self._hop = hop
        self._webhook = webhook
        self._now = now

    async def look(
        self, release: str, window: TimeWindow, by_prompt: Sequence[Counts], *, shown: bool
    ) -> None:
        """Raise and clear the release's alarms by one final window.

        The state is kept last: after a crash the window is looked at again and leads to the same changes.

        Args:
            shown: whether the release has gauges.

        Raises:
            StoreUnavailable, BrokerUnavailable: the window has to be looked at again.
        """
        kept = await self._states.state(release)
        before = ReleaseState.from_json(kept)
        rules = self._policy.of(release)
        for name in withdrawn(before, rules):
            await self._withdraw(release, name)
        before = without(before, rules)
        after, changes = watch(
            before,
            self._policy,
            release=release,
            window=window,
            by_prompt=by_prompt,
            hop=self._hop,
        )
        for change in changes:
            await self._publish(release, window, change)
        if after.as_json() != kept:
            doubted = any(
                after.rules[rule.name].raised for rule in rules if rule.metric in POSITION_METRICS
            )
            await self._states.keep(release, after.as_json(), doubted=doubted)
        if shown:
            for rule in rules:
                raised = rule.name in after.rules and after.rules[rule.name].raised
                metrics.alarm_raised.labels(release, rule.name).set(raised)

    async def _publish(self, release: str, window: TimeWindow, change: Change) -> None:
        now = self._now()
        message = alarm_to_message(
            change, release=release, start=window.start, end=window.end, changed_at=now
        )
        state = "raised" if change.raised else "cleared"
        await self._send(message, f"{message.alarm_id}-{window.end.isoformat()}")
        if change.first:
            return
        what = (
            f"alarm {state}: {change.rule.metric} of {release} is {change.value:.3f}"
            f" ({change.rule.side} {change.rule.limit} is an alarm), rule {change.rule.name}"
        )
        log.warning("%s", what)
        metrics.alarm_changes.labels(change.rule.name, state).inc()
        if self._webhook is not None and window.end > now - STALE:
            self._webhook.send(Delivery(body=encode(message, JSON), what=what))

    async def _withdraw(self, release: str, rule: str) -> None:
        """Clear the alarm of a rule that the policy no longer has for this release."""
        now = self._now()
        message = withdrawn_alarm_to_message(release=release, rule=rule, changed_at=now)
        await self._send(message, f"{message.alarm_id}-{now.isoformat()}")
        log.warning("alarm cleared: the policy has no rule %s for %s any more", rule, release)
        metrics.alarm_changes.labels(rule, "cleared").inc()
        with suppress(KeyError):
            metrics.alarm_raised.remove(release, rule)

    async def _send(self, message: Alarm, event_id: str) -> None:
        record = outgoing(
            ALARMS,
            message,
            key=message.alarm_id,
            event_id=event_id,
            source=SOURCE,
            time=self._now(),
        )
        try:
            await self._publisher.publish(
                record.topic, key=record.key, value=record.value, headers=record.headers
            )
        except PoisonError as exc:
            metrics.set_aside.labels("alarm").inc()
            log.error("an alarm of release %.80s was not published: %s", message.release, exc)
