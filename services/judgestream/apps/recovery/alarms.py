"""The alarms that are raised, rebuilt from `judge.alarms.v1`.

Without this memory the bias worker would publish a raised alarm as cleared, as if it had never been raised.
The evidence since it was raised is lost: the alarm is cleared by what comes from now on.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import timedelta

from judgestream.adapters.kafka.messages import OnSkip, everything
from judgestream.adapters.redis.alarm_states import AlarmStates
from judgestream.adapters.redis.batch import Batch
from judgestream.apps.bias.alarms import POSITION_METRICS
from judgestream.contracts.topics import ALARMS
from judgestream.evaluation.alarms.watch import ReleaseState, RuleState
from judgestream.settings import Settings
from judgestream.v1.bias_pb2 import Alarm


def states_of(alarms: Iterable[Alarm]) -> Mapping[str, tuple[ReleaseState, bool]]:
    """Release -> the state that its published alarms show, and whether its position bias is doubted."""
    newest = {alarm.alarm_id: alarm for alarm in alarms}
    rules: dict[str, dict[str, RuleState]] = defaultdict(dict)
    doubted: set[str] = set()
    for alarm in newest.values():
        if alarm.state not in (Alarm.STATE_RAISED, Alarm.STATE_CLEARED):
            continue  # known to a newer version only
        raised = alarm.state == Alarm.STATE_RAISED
        rules[alarm.release][alarm.rule] = RuleState(raised=raised, told=True)
        if raised and alarm.metric in POSITION_METRICS:
            doubted.add(alarm.release)
    return {name: (ReleaseState(rules=held), name in doubted) for name, held in rules.items()}


async def rebuild_alarms(settings: Settings, batch: Batch, on_skip: OnSkip) -> int:
    """Write the states that are missing. Returns how many were written.

    Raises:
        StoreUnavailable, BrokerUnavailable: a server does not answer. Run it again.
    """
    states = AlarmStates(
        batch,
        prefix=settings.redis.prefix,
        retention=timedelta(seconds=settings.bias.retention_s),
    )

    def read() -> list[Alarm]:
        return [
            message for _, message in everything(settings.kafka, ALARMS, Alarm, on_skip=on_skip)
        ]

    written = 0
    for release, (state, doubted) in states_of(await asyncio.to_thread(read)).items():
        if not await states.state(release):
            await states.keep(release, state.as_json(), doubted=doubted)
            written += 1
    return written
