"""`release unload`: who keeps a release from being unloaded."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import pytest

from judgestream.adapters.redis.worker_board import WorkerBoard, WorkerEntry, WorkerState
from judgestream.apps.cli.release.place import Place, users_of
from judgestream.settings import Settings

NOW = datetime(2026, 11, 27, tzinfo=UTC)
ENTRY = WorkerEntry(
    kind="judging",
    slot=0,
    host="h",
    pid=1,
    life="l",
    started_at=NOW,
    seen_at=NOW,
    state=WorkerState.WORKING,
    release="old",
)


class Board:
    """A worker board with two entries: a judging worker's, and that of the rollout service."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def workers(self) -> list[WorkerEntry]:
        return [ENTRY, replace(ENTRY, kind="rollout", release="new")]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr(WorkerBoard, "connect", lambda settings: Board())
    return Place(settings=Settings(), folder=tmp_path, repository=tmp_path, report=None, ours=False)


def test_a_worker_that_asks_a_release_is_named(place: Place) -> None:
    assert users_of(place, "old", workers=True) == "worker judging-0"


def test_the_release_that_the_rollout_service_shows_is_not_used_by_it(place: Place) -> None:
    assert users_of(place, "new", workers=True) == ""


def test_the_service_itself_waits_for_workers(place: Place) -> None:
    assert users_of(place, "old", workers=False) == ""
