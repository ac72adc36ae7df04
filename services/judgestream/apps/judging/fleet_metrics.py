"""The Triton servers of a worker as Prometheus metrics.

They are read when somebody asks for the metrics, so a server that is gone has no values left.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from judgestream.core.fleet.report import ServerReport, ServerState

Reports = Callable[[], Sequence[ServerReport]]
Calls = Callable[[], Mapping[str, Mapping[str, int]]]


def shown_in_metrics(reports: Reports, calls: Calls) -> Callable[[], None]:
    """Add the metrics of one fleet. Call the result to remove them."""
    collector = FleetCollector(reports, calls)
    REGISTRY.register(collector)
    return lambda: REGISTRY.unregister(collector)


class FleetCollector(Collector):
    """Labels are bounded by the servers of `triton.grpc` and by the states and outcomes."""

    def __init__(self, reports: Reports, calls: Calls) -> None:
        self._reports = reports
        self._calls = calls

    def collect(self) -> Iterator[Metric]:
        state = GaugeMetricFamily(
            "judgestream_triton_state",
            "1 for the state of a Triton server, 0 for the other states",
            labels=["server", "state"],
        )
        flying = GaugeMetricFamily(
            "judgestream_triton_inflight_calls",
            "Calls of this worker in flight at a Triton server",
            labels=["server"],
        )
        calls = CounterMetricFamily(
            "judgestream_triton_calls",
            "Calls of this worker to a Triton server, by outcome: answered, failed, missed (its deadline);"
            " asked_elsewhere counts the failed ones that were made again at once on another server",
            labels=["server", "outcome"],
        )
        for report in self._reports():
            for one in ServerState:
                state.add_metric([report.address, one.value], float(one is report.state))
            flying.add_metric([report.address], report.in_flight)
        for address, counts in self._calls().items():
            for outcome, count in counts.items():
                calls.add_metric([address, outcome], count)
        yield from (state, flying, calls)
