"""Tracing of a process: off, on, and without its packages."""

import sys

import pytest

from judgestream.core.errors import ConfigurationError
from judgestream.process_tracing import tracing
from judgestream.settings import Telemetry
from judgestream.telemetry.spans import NOT_RECORDED, Header, Kind, begin
from tests.integration.otlp import receiving

PARENT: list[Header] = [("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]


def test_without_an_endpoint_nothing_is_recorded() -> None:
    with tracing(Telemetry(), kind="judging", slot=0):
        assert begin("a", Kind.CONSUMER, parent=PARENT) is NOT_RECORDED


def test_spans_are_recorded_inside_the_block_only_and_delivered_at_its_end() -> None:
    with receiving() as receiver:
        with tracing(Telemetry(endpoint=receiver.endpoint), kind="judging", slot=0):
            with begin("a", Kind.CONSUMER, parent=PARENT):
                pass
        assert begin("b", Kind.CONSUMER, parent=PARENT) is NOT_RECORDED
        assert [(one.name, one.service) for one in receiver.spans] == [("a", "judgestream-judging")]


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "judgestream.adapters.otel.tracing", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(
        ConfigurationError, match=r"opentelemetry.* `pip install 'judgestream\[otel\]'"
    ):
        with tracing(Telemetry(endpoint="http://127.0.0.1:1"), kind="judging", slot=0):
            pass


@pytest.mark.parametrize(
    "url", ["127.0.0.1:4317", "http://", "ftp://h:1", "http://bob:hunter2@h:1", "http://h:1/v1"]
)
def test_an_invalid_endpoint_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="invalid URL: use http://HOST:4317") as refused:
        Telemetry(endpoint=url)
    assert "hunter2" not in "".join(one["msg"] for one in refused.value.errors())  # type: ignore[attr-defined]
