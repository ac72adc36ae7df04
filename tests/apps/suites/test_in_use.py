"""The release of a run while a route is in place."""

from datetime import UTC, datetime

import pytest

from judgestream.apps.cli.suite.run import asked
from judgestream.apps.suites import in_use as module
from judgestream.apps.suites.in_use import InUse, in_use
from judgestream.core.rollout.state import Placed, Rollout, Stage, Step
from judgestream.settings import Settings


def placed(release: str, stage: Stage, share: float = 0.0) -> Placed:
    return Placed(
        release=release, stage=stage, step=Step.READY, since=datetime.now(UTC), share=share
    )


def follow(monkeypatch: pytest.MonkeyPatch, *releases: Placed) -> Settings:
    """Settings of workers that follow this route."""

    class Reader:
        rollout = Rollout(revision=1, releases={one.release: one for one in releases})

        def __init__(self, *_: object, **__: object) -> None:
            pass

        def read_to_end(self, *, timeout_s: float) -> None:
            assert timeout_s > 0

        def close(self) -> None:
            pass

    monkeypatch.setattr(module, "RolloutReader", Reader)
    settings = Settings()
    follows = settings.rollout.model_copy(update={"follow": True})
    return settings.model_copy(update={"rollout": follows})


def test_a_canary_does_not_get_into_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = follow(monkeypatch, placed("a", Stage.STABLE), placed("b", Stage.CANARY, 0.2))
    assert in_use(settings) == InUse(release="a", alone=False)
    assert asked(settings, "", False) == ("a", True), "the stable release is asked directly"
    assert asked(settings, "b", False) == ("b", True)
    assert asked(settings, "a", False) == ("a", True)


def test_without_a_canary_the_topics_are_the_way_to_the_stable_release(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = follow(monkeypatch, placed("a", Stage.STABLE), placed("b", Stage.SHADOW))
    assert asked(settings, "", False) == ("a", False)
    assert asked(settings, "b", False) == ("b", True)
    assert asked(settings, "", True) == ("a", True)
