"""Bias reports as messages: their ids are stable, and a metric without a value has none on the wire."""

from datetime import UTC, datetime, timedelta

from judgestream.contracts.codecs.bias import bias_report_to_message
from judgestream.evaluation.intervals import Interval
from judgestream.evaluation.probes import Metric
from judgestream.v1.bias_pb2 import BiasReport

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
INTERVAL = Interval(low=0.1, high=0.4, level=0.95, method="wilson")


def report(release: str = "judgelm-0", minute: int = 0) -> BiasReport:
    start = NOON + timedelta(minutes=minute)
    return bias_report_to_message(
        release=release,
        start=start,
        end=start + timedelta(minutes=1),
        counts={"n": 4, "tied": 1},
        metrics=[
            Metric(
                name="tie_rate", value=0.25, n=4, interval=INTERVAL, prompts=3, design_effect=1.5
            ),
            Metric(name="delta_bias", value=None, n=0, interval=None),
        ],
        revision=3,
        final=True,
        late=1,
        published_at=NOON,
    )


def test_a_report_carries_its_window_counts_and_metrics() -> None:
    message = report()
    assert message.window_start.ToDatetime(UTC) == NOON
    assert message.window_end.ToDatetime(UTC) == NOON + timedelta(minutes=1)
    assert dict(message.counts) == {"n": 4, "tied": 1}
    assert (message.revision, message.final, message.late) == (3, True, 1)
    tie_rate, delta_bias = message.metrics
    assert (tie_rate.value, tie_rate.n) == (0.25, 4)
    assert (tie_rate.interval.low, tie_rate.interval.method) == (0.1, "wilson")
    assert (tie_rate.prompts, tie_rate.design_effect) == (3, 1.5)
    assert not delta_bias.HasField("value") and not delta_bias.HasField("interval")


def test_a_reports_id_names_its_release_and_window() -> None:
    # sha256("judgelm-0|2026-01-01T12:00:00Z|2026-01-01T12:01:00Z"), the first 32 hex digits
    assert report().report_id == "db9d15d8388c8f6c046e3b6aa2d1102b"
    assert len({report().report_id, report("other").report_id, report(minute=1).report_id}) == 3
