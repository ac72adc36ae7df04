"""When a worker's judges can be asked."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from judgestream.apps.judging.judge_check import judge_check
from judgestream.core.fleet.report import ServerReport, ServerState

SECRET = "Incorrect API key provided: sk-1"  # noqa: S105 - a text that must not be shown


@dataclass
class Judges:
    """The releases of a route; those in `open` with whether they are paused."""

    route: tuple[str, ...]
    open: dict[str, bool] = field(default_factory=dict)

    def names(self) -> tuple[str, ...]:
        return self.route

    def opened(self, release: str) -> Any:
        if release not in self.open:
            return None
        return SimpleNamespace(release=SimpleNamespace(name=release), paused=self.open[release])


class Servers(tuple[ServerReport, ...]):
    def reports(self) -> tuple[ServerReport, ...]:
        return self


def up(**releases: str) -> ServerReport:
    return ServerReport(address="t:1", state=ServerState.UP, releases=releases)


DOWN = ServerReport(address="t:2", state=ServerState.DOWN, releases={"a": "", "b": ""})
DRAINS = ServerReport(address="t:3", state=ServerState.DRAINING, releases={"a": ""})


@pytest.mark.parametrize(
    ("judges", "servers", "ok", "detail"),
    [
        (Judges(()), (), True, "the route names no release for this worker"),
        (Judges(("a",)), (up(a=""),), False, "a is not open"),
        (Judges(("a",), {"a": False}), (up(a=""),), True, "a answers"),
        (Judges(("a",), {"a": False}), (DOWN, up(a="")), True, "a answers"),
        (Judges(("a",), {"a": True}), (up(a=""),), False, "a is paused"),
        (Judges(("a",), {"a": False}), (DOWN,), False, "a is not served (t:2 is down)"),
        (Judges(("a",), {"a": False}), (DRAINS,), False, "a is not served (t:3 is draining)"),
        (
            Judges(("a",), {"a": False}),
            (up(a=f"key_refused: {SECRET}"),),
            False,
            "a is not served (t:1: key_refused)",
        ),
        (Judges(("a",), {"a": False}), (up(),), False, "a is not served (t:1: not_asked)"),
        (Judges(("a",), {"a": False}), (), False, "a is not served (no server)"),
        (
            Judges(("a", "b"), {"a": True, "b": False}),
            (up(a="", b=""),),
            True,
            "a is paused, b answers",
        ),
    ],
)
def test_one_release_that_can_be_asked_is_enough(
    judges: Judges, servers: tuple[ServerReport, ...], ok: bool, detail: str
) -> None:
    check = judge_check(judges, Servers(servers))
    assert (check.ok, check.detail) == (ok, detail)
