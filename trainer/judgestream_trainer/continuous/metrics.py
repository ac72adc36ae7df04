"""Prometheus metrics of the training service. docs/reference/metrics.md is made from this file."""

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

from judgestream_trainer.continuous.store import PUBLISHED, REFUSED, BatchCounts

if TYPE_CHECKING:
    from judgestream_trainer.training.loop import Step

examples = Counter(
    "judgestream_trainer_examples_total",
    "Records of judge.training.v1 by outcome; same: known already, and unchanged",
    ["outcome"],
)
waiting = Gauge("judgestream_trainer_waiting_examples", "Examples that wait for the next cycle")
cycle = Gauge("judgestream_trainer_cycle", "Number of the last training cycle; 0 = none yet")
training = Gauge("judgestream_trainer_training", "1 while a training cycle runs, else 0")
cycles = Counter(
    "judgestream_trainer_cycles_total", "Finished training cycles, by outcome", ["outcome"]
)
cycle_finished = Gauge(
    "judgestream_trainer_cycle_finished_timestamp_seconds",
    "When the last cycle of each outcome was finished, in Unix seconds; 0 = not since the start",
    ["outcome"],
)
kafka_available = Gauge("judgestream_trainer_kafka_available", "1 while Kafka answers, else 0")
step = Gauge("judgestream_trainer_step", "Last finished step of the newest training")
steps = Gauge("judgestream_trainer_steps", "Steps of the newest training")
loss = Gauge("judgestream_trainer_loss", "Loss of the last step, in nats per weighted token")
smoothed = Gauge("judgestream_trainer_smoothed_loss", "Running mean of the loss")
rate = Gauge(
    "judgestream_trainer_learning_rate_ratio", "Learning rate over its peak, as the schedule has it"
)
norm = Gauge("judgestream_trainer_gradient_norm", "Gradient norm before clipping, of the last step")
tokens = Counter(
    "judgestream_trainer_tokens_total", "Tokens trained on, prompts and completions; repeats count"
)

for _outcome in BatchCounts.__dataclass_fields__:
    examples.labels(_outcome)
for _outcome in (PUBLISHED, REFUSED):
    cycles.labels(_outcome)
    cycle_finished.labels(_outcome)


def gathered(counts: BatchCounts, new: int) -> None:
    """A batch was stored; `new` examples wait."""
    for outcome in BatchCounts.__dataclass_fields__:
        examples.labels(outcome).inc(getattr(counts, outcome))
    waiting.set(new)


def stepped(one: "Step") -> None:
    """A step was finished."""
    step.set(one.step)
    steps.set(one.steps)
    loss.set(one.loss)
    smoothed.set(one.smoothed)
    rate.set(one.rate)
    if one.norm is not None:
        norm.set(one.norm)
    tokens.inc(one.tokens)


def closed(outcome: str, at: float) -> None:
    """A cycle was finished at this time, in Unix seconds."""
    cycles.labels(outcome).inc()
    cycle_finished.labels(outcome).set(at)
