"""Log lines of tests carry no ids of records that earlier tests of the process handled."""

from contextvars import ContextVar

import pytest

from judgestream.telemetry import handled


@pytest.fixture(autouse=True)
def _nothing_handled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handled, "_current", ContextVar("nothing", default=None))
