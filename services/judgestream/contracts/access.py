"""The table of Kafka users and their rights, from which all access rules are made.

A row names the topics that a user reads and writes. To add a user, add a row here and run
`python -m tests.deploy.users --write`.

No row needs IdempotentWrite: since Kafka 3 the right to write any topic includes it. Our producers use no
transactions.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from judgestream.contracts.topics import (
    ALARMS,
    BIAS,
    CHECKPOINTS,
    DEAD_LETTERS,
    LABELS,
    PROBES,
    REQUESTS,
    ROLLOUTS,
    SHADOW,
    TOPICS,
    TRAINING,
    VERDICTS,
    Topic,
)

Operation = Literal["Read", "Write", "Create", "Describe", "DescribeConfigs"]
"""As Kafka spells them."""

PREFIX = "judgestream-"
"""The name of a user in Kafka starts with this, and so do the groups of our services."""

EVERY = tuple(TOPICS.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class Right:
    """What a user may do with one topic or group, or with all whose names start with `name`."""

    kind: Literal["topic", "group"]
    name: str
    prefix: bool = False
    operations: tuple[Operation, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class User:
    """One row.

    name      without PREFIX
    purpose   who uses it
    reads     topics whose records it reads
    writes    topics that it publishes to
    compares  topics whose settings it compares with the table of topics before it starts
    sees      topics of which it asks the offsets, and no record
    creates   whether it creates the topics
    group     its consumer group
    groups    start of the names of its consumer groups
    lag_of    a consumer group whose offsets it asks for
    """

    name: str
    purpose: str
    reads: tuple[Topic, ...] = ()
    writes: tuple[Topic, ...] = ()
    compares: tuple[Topic, ...] = ()
    sees: tuple[Topic, ...] = ()
    creates: bool = False
    group: str = ""
    groups: str = ""
    lag_of: str = ""

    @property
    def full_name(self) -> str:
        return PREFIX + self.name

    @property
    def rights(self) -> tuple[Right, ...]:
        """In order of the topics, then the groups."""
        return tuple([*self._topic_rights(), *self._group_rights()])

    def _topic_rights(self) -> Iterator[Right]:
        for topic in EVERY:
            uses: dict[Operation, bool] = {
                "Read": topic in self.reads,
                "Write": topic in self.writes,
                "Create": self.creates,
                "Describe": topic in (*self.reads, *self.writes, *self.compares, *self.sees),
                "DescribeConfigs": topic in self.compares,
            }
            if operations := tuple(name for name, used in uses.items() if used):
                yield Right(kind="topic", name=topic.name, operations=operations)

    def _group_rights(self) -> Iterator[Right]:
        if self.group:
            yield Right(kind="group", name=self.group, operations=("Read", "Describe"))
        if self.groups:
            yield Right(
                kind="group", name=self.groups, prefix=True, operations=("Read", "Describe")
            )
        if self.lag_of:
            yield Right(kind="group", name=self.lag_of, operations=("Describe",))


USERS: Mapping[str, User] = MappingProxyType(
    {
        user.name: user
        for user in (
            User(
                name="producer",
                purpose="publishes requests and labels, and reads nothing",
                writes=(REQUESTS, LABELS),
            ),
            User(
                name="client",
                purpose="publishes requests and waits for their verdicts: `ask`, `submit --wait`",
                writes=(REQUESTS, LABELS),
                reads=(VERDICTS, DEAD_LETTERS),
            ),
            User(
                name="consumer",
                purpose='reads what the pipeline publishes, in groups whose names start with "consumer-"',
                reads=(VERDICTS, BIAS, ALARMS),
                groups="consumer-",
            ),
            User(
                name="judging",
                purpose="the judging workers",
                reads=(REQUESTS, ROLLOUTS),
                writes=(VERDICTS, DEAD_LETTERS),
                compares=(REQUESTS, VERDICTS, DEAD_LETTERS),
                group="judgestream-judging",
            ),
            User(
                name="shadow",
                purpose="the shadow workers",
                reads=(REQUESTS, ROLLOUTS),
                writes=(SHADOW, PROBES),
                compares=(REQUESTS, SHADOW, PROBES),
                group="judgestream-shadow",
            ),
            User(
                name="bias",
                purpose="the bias workers",
                reads=(VERDICTS,),
                writes=(BIAS, ALARMS, DEAD_LETTERS),
                compares=(VERDICTS, BIAS, ALARMS, DEAD_LETTERS),
                group="judgestream-bias",
            ),
            User(
                name="rollout",
                purpose="the rollout service",
                reads=(CHECKPOINTS, ROLLOUTS, VERDICTS, SHADOW, PROBES, LABELS),
                writes=(ROLLOUTS,),
            ),
            User(
                name="trainer",
                purpose="the trainer: `watch`",
                reads=(TRAINING,),
                writes=(CHECKPOINTS,),
                group="judgestream-trainer",
            ),
            User(
                name="operator",
                purpose="a person who runs the pipeline: `topics`, `doctor`, `dlq`, `replay`, `data`",
                reads=EVERY,
                writes=EVERY,
                compares=EVERY,
                creates=True,
                groups=PREFIX,
            ),
            User(
                name="scaler",
                purpose="KEDA, which asks for the lag of the judging workers",
                sees=(REQUESTS,),
                lag_of="judgestream-judging",
            ),
        )
    }
)
