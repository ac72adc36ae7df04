"""The dashboard of continuous training: examples in, cycles, the loss, published judges."""

from judgestream.dashboards.panels import Dashboard, Panel, Section, Variable
from judgestream.dashboards.queries import rate, series, total

FINISHED_AT = "judgestream_trainer_cycle_finished_timestamp_seconds"
PUBLISHED = 'outcome="published"'

CYCLES = (
    Panel(
        title="Training now",
        queries={"{{instance}}": series("judgestream_trainer_training")},
        kind="stat",
        width=6,
        most=1,
        about="1 while a training cycle runs. Runbook: docs/runbooks/training-stuck.md",
    ),
    Panel(
        title="Training cycle",
        queries={"{{instance}}": series("judgestream_trainer_cycle")},
        kind="stat",
        width=6,
    ),
    Panel(
        title="Since the last published judge",
        queries={"{{instance}}": f"time() - ({series(FINISHED_AT, PUBLISHED)} > 0)"},
        unit="s",
        kind="stat",
        width=6,
        about="Runbook: docs/runbooks/judges-refused.md",
        empty="no judge was published since the trainer's start",
    ),
    Panel(
        title="Kafka",
        queries={"{{instance}}": series("judgestream_trainer_kafka_available")},
        kind="stat",
        width=6,
        most=1,
    ),
    Panel(
        title="Examples per second",
        queries={"{{outcome}}": total(rate("judgestream_trainer_examples_total"), "outcome")},
        about="new or changed, same as before, rejected (not usable), deleted",
    ),
    Panel(
        title="Examples that wait for the next cycle",
        queries={"{{instance}}": series("judgestream_trainer_waiting_examples")},
    ),
    Panel(
        title="Finished cycles in a day",
        queries={
            "{{outcome}}": "sum by (outcome) (increase("
            f"{series('judgestream_trainer_cycles_total')}[1d]))"
        },
        about="refused: the gate found it worse, or the training failed",
    ),
)
STEPS = (
    Panel(
        title="Loss",
        queries={
            "each step": series("judgestream_trainer_loss"),
            "running mean": series("judgestream_trainer_smoothed_loss"),
        },
        about="In nats per weighted token",
    ),
    Panel(
        title="Tokens per second",
        queries={"{{instance}}": rate("judgestream_trainer_tokens_total")},
    ),
    Panel(
        title="Step",
        queries={
            "done": series("judgestream_trainer_step"),
            "of": series("judgestream_trainer_steps"),
        },
    ),
    Panel(
        title="Learning rate over its peak",
        queries={"{{instance}}": series("judgestream_trainer_learning_rate_ratio")},
        unit="percentunit",
        most=1,
    ),
    Panel(
        title="Gradient norm",
        queries={"{{instance}}": series("judgestream_trainer_gradient_norm")},
        about="Before clipping; 0 without clipping",
    ),
    Panel(
        title="Memory",
        queries={"{{instance}}": series("process_resident_memory_bytes", 'job="trainer"')},
        unit="bytes",
    ),
)

DASHBOARD = Dashboard(
    uid="judgestream-training",
    title="judgestream: training",
    about="Continuous training: `judgestream watch`.",
    variables=(
        Variable(
            name="instance",
            label="Trainer",
            query="label_values(judgestream_trainer_cycle, instance)",
        ),
    ),
    sections=(
        Section(title="Cycles", panels=CYCLES),
        Section(title="The newest training", panels=STEPS),
    ),
)
