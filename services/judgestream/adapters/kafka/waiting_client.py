"""An aiokafka client for a consumer that waits for a right that was taken from its user.

aiokafka's consumer ends at the first refusal. Its worker would stop, although nothing is lost: the offsets
are those of the last commit, and the records wait. So refusals become errors that the consumer retries, after
a pause.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from aiokafka.errors import (
    GroupAuthorizationFailedError,
    GroupCoordinatorNotAvailableError,
    NotCoordinatorForGroupError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
from aiokafka.protocol.commit import OffsetCommitRequest, OffsetFetchRequest
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.group import HeartbeatRequest, JoinGroupRequest, SyncGroupRequest

from judgestream.adapters.kafka.refusals import group_refused, topic_refused
from judgestream.settings import Kafka

Refused = Callable[[str], None]
"""Called with the reason when a right is missing, and with "" when all of them are back."""

PAUSE_S = 1.0
"""Between two attempts without the right."""

NO_TOPIC = TopicAuthorizationFailedError.errno
NO_GROUP = GroupAuthorizationFailedError.errno
LOOK_AGAIN = UnknownTopicOrPartitionError.errno
"""The consumer asks for the metadata, and fetches again."""
FIND_AGAIN = NotCoordinatorForGroupError.errno
"""The consumer looks for its coordinator, and joins again."""

MEMBERSHIP = (HeartbeatRequest, JoinGroupRequest, SyncGroupRequest)


class WaitingClient:
    """The client of one consumer. What is not about rights is delegated."""

    def __init__(self, client: Any, settings: Kafka, group: str, refused: Refused) -> None:
        self._client = client
        self._settings = settings
        self._group = group
        self._refused = refused
        self._missing: dict[str, str] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def send(self, node_id: Any, request: Any, **options: Any) -> Any:
        response = await self._client.send(node_id, request, **options)
        waits = False
        if isinstance(request, FetchRequest):
            waits = self._fetched(response)
        elif isinstance(request, OffsetCommitRequest | OffsetFetchRequest):
            waits = self._offsets(response)
        elif isinstance(request, MEMBERSHIP):
            if waits := response.error_code == NO_GROUP:
                response.error_code = FIND_AGAIN
            self._note("", refused=waits)
        if waits:
            await asyncio.sleep(PAUSE_S)
        return response

    async def coordinator_lookup(self, kind: Any, key: str) -> Any:
        try:
            return await self._client.coordinator_lookup(kind, key)
        except GroupAuthorizationFailedError as exc:
            self._note("", refused=True)
            await asyncio.sleep(PAUSE_S)
            raise GroupCoordinatorNotAvailableError() from exc

    def _fetched(self, response: Any) -> bool:
        """Whether a topic may not be read."""
        changed, waits = [], False
        for topic, partitions in response.topics:
            refused = any(one[1] == NO_TOPIC for one in partitions)
            self._note(topic, refused=refused)
            waits = waits or refused
            changed.append((topic, [_with(one, 1, NO_TOPIC, LOOK_AGAIN) for one in partitions]))
        response.topics = changed
        return waits

    def _offsets(self, response: Any) -> bool:
        """Whether offsets may not be read or committed. The error is the last field of a partition."""
        changed, waits = [], False
        for topic, partitions in response.topics:
            for code in (NO_TOPIC, NO_GROUP):
                if any(one[-1] == code for one in partitions):
                    self._note(topic if code == NO_TOPIC else "", refused=True)
                    waits = True
            changed.append((topic, [_refindable(one) for one in partitions]))
        response.topics = changed
        if getattr(response, "error_code", 0) == NO_GROUP:
            response.error_code = FIND_AGAIN
            self._note("", refused=True)
            waits = True
        return waits

    def _note(self, topic: str, *, refused: bool) -> None:
        """Tell of a change. `topic`: "" for the group."""
        if refused == (topic in self._missing):
            return
        if refused:
            self._missing[topic] = (
                topic_refused(self._settings, topic)
                if topic
                else group_refused(self._settings, self._group)
            )
        else:
            del self._missing[topic]
        self._refused("; ".join(self._missing.values()))


def _with(answer: Any, at: int, code: int, instead: int) -> Any:
    """A partition's answer with its error replaced."""
    if answer[at] != code:
        return answer
    changed = list(answer)
    changed[at] = instead
    return tuple(changed)


def _refindable(answer: Any) -> Any:
    last = len(answer) - 1
    return _with(_with(answer, last, NO_TOPIC, FIND_AGAIN), last, NO_GROUP, FIND_AGAIN)
