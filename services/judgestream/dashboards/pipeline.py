"""The dashboard of the pipeline: from requests to verdicts, the servers it uses, and its releases."""

from judgestream.dashboards.panels import Dashboard, Limit, Panel, Section, Variable
from judgestream.dashboards.queries import mean, quantile, rate, series, total

OURS = 'job=~"judging|shadow|bias|rollout|trainer"'
JUDGING, BIAS, ROLLOUT = 'job="judging"', 'job="bias"', 'job="rollout"'
NO_CALLS = "a judging worker shows its servers once it has called one"

FINISHED = total(rate("judgestream_requests_total"))
FAILED = total(rate("judgestream_requests_total", 'outcome=~"failed|undecodable"'))

OVERVIEW = (
    Panel(
        title="Processes that answer",
        queries={"{{job}}": f"sum by (job) (up{{{OURS}}})"},
        kind="stat",
        width=6,
        limit=Limit(value=1, below=True),
        about="Targets that Prometheus could scrape. Runbook: docs/runbooks/service-down.md",
    ),
    Panel(
        title="Requests finished per second",
        queries={"requests": FINISHED},
        unit="reqps",
        kind="stat",
        width=3,
    ),
    Panel(
        title="Requests not judged",
        queries={"share": f"{FAILED} / ({FINISHED} > 0) or vector(0)"},
        unit="percentunit",
        kind="stat",
        width=3,
        limit=Limit(value=0.01),
        about="Share that failed or could not be read. Runbook: docs/runbooks/requests-failing.md",
    ),
    Panel(
        title="Time to verdict, p99",
        queries={"p99": quantile(0.99, "judgestream_verdict_seconds")},
        unit="s",
        kind="stat",
        width=3,
        limit=Limit(value=60),
        about="Runbook: docs/runbooks/slow-verdicts.md",
        empty="no requests in the interval",
    ),
    Panel(
        title="Lag in records",
        queries={"lag": total(series("judgestream_lag_records", JUDGING))},
        kind="stat",
        width=3,
        limit=Limit(value=1000),
        about="Requests that wait for a judging worker. Runbook: docs/runbooks/lag-growing.md",
    ),
    Panel(
        title="Redis",
        queries={"available": f"min({series('judgestream_redis_available')} >= 0)"},
        kind="stat",
        width=3,
        limit=Limit(value=1, below=True),
        about="1: every worker reaches it. Runbook: docs/runbooks/redis-unavailable.md",
    ),
    Panel(
        title="Judges ready",
        queries={"servers": 'count(max by (server) (judgestream_triton_state{state="up"}) == 1)'},
        kind="stat",
        width=3,
        limit=Limit(value=1, below=True),
        about="Triton servers that a worker can use. Runbook: docs/runbooks/no-judge-ready.md",
    ),
)
REQUESTS = (
    Panel(
        title="Requests finished per second",
        queries={"{{outcome}}": total(rate("judgestream_requests_total"), "outcome")},
        unit="reqps",
        about="duplicate: published before, and suppressed; undecodable: dead-lettered as it came",
    ),
    Panel(
        title="Time from request to verdict",
        queries={
            "p50": quantile(0.5, "judgestream_verdict_seconds"),
            "p90": quantile(0.9, "judgestream_verdict_seconds"),
            "p99": quantile(0.99, "judgestream_verdict_seconds"),
        },
        unit="s",
        about="From the moment a worker has read the request. Runbook: docs/runbooks/slow-verdicts.md",
        empty="no requests in the interval",
    ),
    Panel(
        title="Lag in records",
        queries={"{{job}}": total(series("judgestream_lag_records"), "job")},
        limit=Limit(value=1000, colour="orange"),
        about="Records not yet committed, by kind of worker. Runbook: docs/runbooks/lag-growing.md",
    ),
    Panel(
        title="Requests in a worker",
        queries={
            "{{instance}} in flight": series("judgestream_inflight_requests", JUDGING),
            "{{instance}} not committed": series("judgestream_outstanding_requests", JUDGING),
        },
    ),
    Panel(
        title="Dead letters per second",
        queries={"{{error_class}}": total(rate("judgestream_dead_letters_total"), "error_class")},
        about="By error. `judgestream dlq list` shows them. Runbook: docs/runbooks/dead-letters.md",
    ),
    Panel(
        title="Retries per second",
        queries={"{{error_class}}": total(rate("judgestream_retries_total"), "error_class")},
        about="Attempts that failed and were made again, by error",
    ),
)
JUDGES = (
    Panel(
        title="Time of a call to the judge",
        queries={
            "mean": mean("judgestream_judge_seconds"),
            "p50": quantile(0.5, "judgestream_judge_seconds"),
            "p99": quantile(0.99, "judgestream_judge_seconds"),
        },
        unit="s",
        empty="no requests in the interval",
    ),
    Panel(
        title="Calls to Triton per second",
        queries={
            "{{server}} {{outcome}}": total(
                rate("judgestream_triton_calls_total"), "server, outcome"
            )
        },
        about="missed: the deadline; asked_elsewhere: made again at once on another server",
        empty=NO_CALLS,
    ),
    Panel(
        title="Triton servers",
        queries={
            "{{server}} {{state}}": "max by (server, state) "
            f"({series('judgestream_triton_state')}) == 1"
        },
        about="The states that workers see. Runbook: docs/runbooks/triton-down.md",
    ),
    Panel(
        title="Releases paused",
        queries={"{{reason_class}}": total(series("judgestream_release_paused"), "reason_class")},
        limit=Limit(value=1),
        about="Worker and release pairs that wait for somebody. Runbook: docs/runbooks/release-paused.md",
    ),
    Panel(
        title="Tokens per second",
        queries={"{{direction}}": total(rate("judgestream_tokens_total"), "direction")},
    ),
    Panel(
        title="Cost per hour",
        queries={"dollars": f"3600 * {total(rate('judgestream_cost_dollars_total'))}"},
        unit="currencyUSD",
        about="At the prices of the releases; 0 for judges without prices",
    ),
    Panel(
        title="Budgets spent",
        queries={
            "{{release}} {{period}}": "max by (release, period)"
            f" ({series('judgestream_budget_spent_ratio')})"
        },
        unit="percentunit",
        limit=Limit(value=0.9),
        about="At 100 % a release is paused. Runbook: docs/runbooks/budget-nearly-spent.md",
        empty="no release has a budget, or nothing was asked yet",
    ),
)
ROUTES = (
    Panel(
        title="Requests per second, by release",
        queries={
            "{{release}} {{stage}}": total(
                rate("judgestream_routed_requests_total"), "release, stage"
            )
        },
        unit="reqps",
    ),
    Panel(
        title="Revision of the route",
        queries={"{{instance}}": series("judgestream_route_revision", 'job=~"judging|shadow"')},
        about="Equal for all workers within seconds. Runbook: docs/runbooks/workers-disagree.md",
    ),
    Panel(
        title="Releases, by stage",
        queries={"{{stage}}": "max by (stage) (judgestream_rollout_releases)"},
        about="As the leading rollout service has it",
        empty="no rollout service has led",
    ),
    Panel(
        title="Rollout: leader",
        queries={"{{instance}}": series("judgestream_rollout_leads", ROLLOUT)},
        most=1,
        about="One instance leads. Runbook: docs/runbooks/no-rollout-leader.md",
    ),
    Panel(
        title="Rollout: moves in an hour",
        queries={"{{action}}": "sum by (action) (increase(judgestream_rollout_moves_total[1h]))"},
        empty="no move has been made",
    ),
    Panel(
        title="Rollout: steps in an hour",
        queries={
            "{{step}} {{outcome}}": "sum by (step, outcome) "
            "(increase(judgestream_rollout_steps_total[1h]))"
        },
        about="Steps of preparing a release. Runbook: docs/runbooks/rollout-step-failing.md",
        empty="no release has been prepared",
    ),
)
PROCESSES = (
    Panel(
        title="Background tasks that ended, in an hour",
        queries={
            "{{job}} {{task}}": "sum by (job, task) "
            "(increase(judgestream_background_failures_total[1h]))"
        },
        limit=Limit(value=1),
        about="They are started again. Runbook: docs/runbooks/background-task-failing.md",
        empty="no task has failed",
    ),
    Panel(
        title="Fetches the broker could not serve, per second",
        queries={"{{error}}": total(rate("judgestream_fetch_troubles_total"), "error")},
        about="Runbook: docs/runbooks/partition-unreadable.md",
        empty="no fetch has failed",
    ),
    Panel(
        title="Telemetry lost per second",
        queries={
            "{{job}} {{signal}}": total(rate("judgestream_telemetry_lost_total"), "job, signal")
        },
        about="Spans and events that were dropped. Runbook: docs/runbooks/telemetry-lost.md",
        empty="nothing was lost",
    ),
    Panel(
        title="Texts cut per second",
        queries={"texts": total(rate("judgestream_texts_cut_total"))},
        about="Replies and explanations beyond their limit of size",
    ),
    Panel(
        title="CPU cores used",
        queries={"{{instance}}": rate("process_cpu_seconds_total", OURS)},
    ),
    Panel(
        title="Memory",
        queries={"{{instance}}": series("process_resident_memory_bytes", OURS)},
        unit="bytes",
    ),
    Panel(
        title="Versions",
        queries={"{{job}} {{version}}": "count by (job, version) (judgestream_build_info)"},
        about="Processes by the version of judgestream that they run",
    ),
)

DASHBOARD = Dashboard(
    uid="judgestream-pipeline",
    title="judgestream: pipeline",
    about="From requests to verdicts. Start here.",
    variables=(
        Variable(
            name="instance",
            label="Instance",
            query=f"label_values(up{{{OURS}}}, instance)",
        ),
    ),
    sections=(
        Section(title="Now", panels=OVERVIEW),
        Section(title="Requests", panels=REQUESTS),
        Section(title="Judges", panels=JUDGES),
        Section(title="Releases", panels=ROUTES),
        Section(title="Processes", panels=PROCESSES),
    ),
)
