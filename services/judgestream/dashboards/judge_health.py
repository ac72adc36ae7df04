"""The dashboard of the judge's health: bias metrics, alarms, and the workers that count them."""

from judgestream.dashboards.panels import Dashboard, Limit, Panel, Section, Variable
from judgestream.evaluation.alarms.policy import METRICS

RELEASES = 'release=~"$release"'
NO_REPORT = "the metric has no value, or no interval, in a window with few verdicts"


def _bias(suffix: str, metric: str) -> str:
    name = f"judgestream_bias{suffix}"
    return f'max by (release) ({name}{{{RELEASES},metric="{metric}"}})'


def _per_second(metric: str, by: str, job: str = "bias") -> str:
    return f'sum by ({by}) (rate({metric}{{job="{job}"}}[$__rate_interval]))'


ALARMS = (
    Panel(
        title="Raised alarms",
        queries={
            "{{release}} {{rule}}": f"sum by (release, rule) (judgestream_alarm_raised{{{RELEASES}}}) > 0"
        },
        kind="table",
        width=16,
        about="Runbook: docs/runbooks/judge-alarm.md",
        empty="no alarm is raised",
    ),
    Panel(
        title="Verdicts in the newest window",
        queries={"{{release}}": f"sum by (release) (judgestream_bias_verdicts{{{RELEASES}}})"},
    ),
)
BIAS = tuple(
    Panel(
        title=name,
        queries={
            "{{release}}": _bias("", name),
            "{{release}} low": _bias("_low", name),
            "{{release}} high": _bias("_high", name),
        },
        unit="percentunit",
        least=None,
        most=1,
        about=definition.meaning,
        empty=NO_REPORT,
    )
    for name, definition in METRICS.items()
)
WORKERS = (
    Panel(
        title="Verdicts counted per second",
        queries={"{{outcome}}": _per_second("judgestream_bias_verdicts_counted_total", "outcome")},
    ),
    Panel(
        title="Lag in records",
        queries={"{{instance}}": 'sum by (instance) (judgestream_lag_records{job="bias"})'},
        limit=Limit(value=1000, colour="orange"),
        about="Verdicts not counted yet. Runbook: docs/runbooks/lag-growing.md",
    ),
    Panel(
        title="Age of the watermark",
        queries={"age": "time() - max(judgestream_bias_watermark_timestamp_seconds > 0)"},
        unit="s",
        least=None,
        about="All verdicts before the watermark are counted; later windows are still open. It stands still"
        " without traffic. Runbook: docs/runbooks/watermark-stuck.md",
        empty="no partition has been read to a known time yet",
    ),
    Panel(
        title="Late verdicts per second",
        queries={"late": 'sum(rate(judgestream_bias_late_total{job="bias"}[$__rate_interval]))'},
        about="Counted after their window was final",
    ),
    Panel(
        title="Records set aside per second",
        queries={"{{reason}}": _per_second("judgestream_set_aside_total", "reason")},
        empty="no record was set aside",
    ),
    Panel(
        title="Alarms raised and cleared in an hour",
        queries={"{{state}}": "sum by (state) (increase(judgestream_alarm_changes_total[1h]))"},
        empty="no alarm was raised",
    ),
    Panel(
        title="Deliveries to the webhook per second",
        queries={"{{outcome}}": _per_second("judgestream_alarm_webhook_total", "outcome")},
        about="Runbook: docs/runbooks/webhook-failing.md",
    ),
)

DASHBOARD = Dashboard(
    uid="judgestream-judge-health",
    title="judgestream: judge health",
    about="The bias metrics of live verdicts with their intervals, and the alarms on them.",
    variables=(
        Variable(
            name="release",
            label="Release",
            query="label_values(judgestream_bias_verdicts, release)",
        ),
    ),
    sections=(
        Section(title="Alarms", panels=ALARMS),
        Section(title="Bias metrics of the newest window", panels=BIAS),
        Section(title="Bias workers", panels=WORKERS),
    ),
)
