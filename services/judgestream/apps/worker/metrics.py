"""Prometheus metrics of the workers and the rollout service.

Every label has few values, and none that a record can choose: `tests/monitoring/catalogue.py` holds the list,
and makes docs/reference/metrics.md from this file.
"""

from collections.abc import Iterable
from math import nan

from prometheus_client import Counter, Gauge, Histogram

from judgestream.core.errors import PoisonError, ReleaseError, RetryableError, codes_of
from judgestream.core.types import Status

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)

requests = Counter("judgestream_requests_total", "Requests finished, by outcome", ["outcome"])
dead_letters = Counter("judgestream_dead_letters_total", "Records dead-lettered", ["error_class"])
set_aside = Counter(
    "judgestream_set_aside_total", "Records that could not be handled, by reason", ["reason"]
)
fetch_troubles = Counter(
    "judgestream_fetch_troubles_total", "Fetches that the broker could not serve", ["error"]
)
background_failures = Counter(
    "judgestream_background_failures_total", "Background tasks that ended unexpectedly", ["task"]
)
retries = Counter(
    "judgestream_retries_total", "Attempts that failed and were retried", ["error_class"]
)
texts_cut = Counter(
    "judgestream_texts_cut_total", "Replies and explanations that were cut to their size limit"
)
release_paused = Gauge(
    "judgestream_release_paused",
    "Releases of this worker that accept no requests until somebody acts, by reason",
    ["reason_class"],
)
routed = Counter(
    "judgestream_routed_requests_total",
    "Requests finished, by the release that answered and its stage; releases in the route only",
    ["release", "stage"],
)
route_revision = Gauge(
    "judgestream_route_revision", "Revision of the rollout whose route the worker follows; 0 = none"
)
rollout_records_skipped = Gauge(
    "judgestream_rollout_records_skipped",
    "Records of judge.rollouts.v1 since the start that are not a state of the rollout",
)
reloads = Counter(
    "judgestream_release_reloads_total", "Releases reloaded by the rollout service", ["outcome"]
)
rollout_leads = Gauge(
    "judgestream_rollout_leads", "1 while this instance of the rollout service leads, else 0"
)
rollout_releases = Gauge("judgestream_rollout_releases", "Releases of the rollout", ["stage"])
rollout_moves = Counter("judgestream_rollout_moves_total", "Moves published", ["action"])
rollout_steps = Counter(
    "judgestream_rollout_steps_total", "Steps of preparing a release", ["step", "outcome"]
)
passes = Counter("judgestream_passes_total", "Prompts answered by the judge")
query_analyses = Counter(
    "judgestream_query_analyses_total",
    "Analyses of queries, asked of the judge or reused",
    ["outcome"],
)
tokens = Counter("judgestream_tokens_total", "Tokens of the judge", ["direction"])
cost = Counter(
    "judgestream_cost_dollars_total", "Cost of the judges' replies at the prices of their releases"
)
spent = Gauge(
    "judgestream_spent_dollars",
    "Dollars spent on a release by all workers: today (UTC) and in total",
    ["release", "period"],
)
judge_seconds = Histogram(
    "judgestream_judge_seconds", "Seconds of one call to the judge", buckets=SECONDS
)
verdict_seconds = Histogram(
    "judgestream_verdict_seconds",
    "Seconds from reading a request to the delivery of its verdict",
    buckets=SECONDS,
)
inflight = Gauge("judgestream_inflight_requests", "Requests in flight")
outstanding = Gauge("judgestream_outstanding_requests", "Requests taken but not yet committed")
redis_available = Gauge(
    "judgestream_redis_available",
    "1 while Redis answers, else 0; NaN in processes that have not asked it",
)
redis_available.set(nan)
lag = Gauge(
    "judgestream_lag_records", "Records of the worker's topic not yet committed by its group"
)
bias_value = Gauge("judgestream_bias", "A bias metric of the newest window", ["release", "metric"])
bias_low = Gauge("judgestream_bias_low", "Lower end of its interval", ["release", "metric"])
bias_high = Gauge("judgestream_bias_high", "Upper end of its interval", ["release", "metric"])
bias_verdicts = Gauge("judgestream_bias_verdicts", "Verdicts in the newest window", ["release"])
alarm_raised = Gauge(
    "judgestream_alarm_raised", "1 while the alarm is raised, else 0", ["release", "rule"]
)
alarm_changes = Counter(
    "judgestream_alarm_changes_total", "Alarms raised and cleared, by rule", ["rule", "state"]
)
alarm_webhook = Counter(
    "judgestream_alarm_webhook_total",
    "Alarms that were sent to the webhook, and those that could not be",
    ["outcome"],
)
bias_verdicts_counted = Counter(
    "judgestream_bias_verdicts_counted_total",
    "Verdicts that the bias worker read, by outcome",
    ["outcome"],
)
bias_watermark = Gauge(
    "judgestream_bias_watermark_timestamp_seconds",
    "Time up to which all verdicts are counted, in Unix seconds; shown by the worker that publishes reports",
)
bias_late = Counter("judgestream_bias_late_total", "Verdicts counted after their window was final")


def _from_zero(metric: Counter | Gauge, values: Iterable[str]) -> None:
    """Show a metric with one label from the start: a counter that appears at 1 has no increase."""
    for value in values:
        metric.labels(value)


_from_zero(requests, (*Status, "duplicate", "undecodable"))
_from_zero(dead_letters, codes_of(PoisonError))
_from_zero(release_paused, codes_of(ReleaseError))
_from_zero(retries, codes_of(RetryableError))
_from_zero(reloads, ("done", "failed"))
_from_zero(alarm_webhook, ("sent", "failed", "dropped"))


def clear_bias() -> None:
    """Forget the releases' gauges, which another worker shows from now on."""
    for gauge in (bias_value, bias_low, bias_high, bias_verdicts, alarm_raised):
        gauge.clear()
    bias_watermark.set(0)
