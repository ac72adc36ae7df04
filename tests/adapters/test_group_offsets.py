"""A group's offsets are read once its coordinator is available."""

from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    GroupAuthorizationFailedError,
    KafkaError,
    NotCoordinatorError,
    UnknownError,
)
from kafka.structs import OffsetAndMetadata

from judgestream.adapters.kafka import group_offsets as module
from judgestream.adapters.kafka.group_offsets import group_offsets
from judgestream.core.errors import BrokerUnavailable

PARTITION = TopicPartition("judge.requests.v1", 3)
COMMITTED = {PARTITION: OffsetAndMetadata(41, "", -1)}


class FakeAdmin:
    """A broker that fails with these errors, one after the other, and then answers."""

    def __init__(self, *errors: KafkaError) -> None:
        self._errors = list(errors)

    def list_group_offsets(self, groups: dict[str, Any]) -> dict[str, Any]:
        if self._errors:
            raise self._errors.pop(0)
        return dict.fromkeys(groups, COMMITTED)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "sleep", lambda seconds: None)


def test_it_waits_while_the_coordinator_starts_loads_or_moves() -> None:
    admin = FakeAdmin(
        CoordinatorNotAvailableError(), CoordinatorLoadInProgressError(), NotCoordinatorError()
    )
    assert group_offsets(admin, "g", [PARTITION]) == COMMITTED


def test_a_coordinator_that_never_starts_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COORDINATOR_S", -1.0)
    with pytest.raises(BrokerUnavailable, match="no coordinator for group g"):
        group_offsets(FakeAdmin(CoordinatorNotAvailableError()), "g")


def test_a_missing_permission_stays_visible_and_other_errors_name_the_group() -> None:
    with pytest.raises(GroupAuthorizationFailedError):
        group_offsets(FakeAdmin(GroupAuthorizationFailedError()), "g")
    with pytest.raises(BrokerUnavailable, match="group g could not be looked up"):
        group_offsets(FakeAdmin(UnknownError()), "g")
