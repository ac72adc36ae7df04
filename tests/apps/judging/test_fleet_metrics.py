"""The metrics of the Triton servers, as Prometheus reads them."""

from prometheus_client import CollectorRegistry, generate_latest

from judgestream.apps.judging.fleet_metrics import FleetCollector
from judgestream.core.fleet.report import ServerReport, ServerState


def test_each_server_has_its_state_its_calls_in_flight_and_its_outcomes() -> None:
    reports = [
        ServerReport(address="a:1", state=ServerState.UP, in_flight=3),
        ServerReport(address="b:1", state=ServerState.DRAINING),
    ]
    registry = CollectorRegistry()
    registry.register(FleetCollector(lambda: reports, lambda: {"a:1": {"answered": 7}}))
    page = generate_latest(registry).decode()
    for line in (
        'judgestream_triton_state{server="a:1",state="up"} 1.0',
        'judgestream_triton_state{server="b:1",state="up"} 0.0',
        'judgestream_triton_state{server="b:1",state="draining"} 1.0',
        'judgestream_triton_inflight_calls{server="a:1"} 3.0',
        'judgestream_triton_calls_total{outcome="answered",server="a:1"} 7.0',
    ):
        assert line in page
    reports.pop()
    assert "b:1" not in generate_latest(registry).decode()
