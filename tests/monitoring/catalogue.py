"""Every metric that our processes export, from the code that exports it.

`python -m tests.monitoring.catalogue [--write]` makes docs/reference/metrics.md of it. Without
--write it exits 1 when the page is out of date.
"""

import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType

from prometheus_client.metrics import MetricWrapperBase

from judgestream import metrics_endpoint, process_tracing
from judgestream.apps.judging.budget_metrics import BudgetCollector
from judgestream.apps.judging.fleet_metrics import FleetCollector
from judgestream.apps.worker import metrics as workers
from judgestream.backends.triton_metrics import counter_name
from judgestream.core.fleet.report import ServerReport, ServerState
from judgestream_trainer.continuous import metrics as trainer
from tests.paths import ROOT, SERVICES

PAGE = ROOT / "docs" / "reference" / "metrics.md"

LABELS: Mapping[str, str] = {
    "action": "the actions of the rollout: stage, shadow, canary, promote, ...",
    "direction": "`in`, `out`",
    "error": "the errors of the Kafka protocol",
    "error_class": "the codes of the error tree (`core/errors.py`)",
    "kernel": "the attention kernels of the engine; one per loaded judge",
    "metric": "the bias metrics (`judgestream bias report`)",
    "model": "the models loaded in Triton, which are releases of the rollout",
    "outcome": "fixed words of the metric",
    "period": "`today`, `total`",
    "reason": "the codes of the error tree, and fixed words",
    "reason_class": "the codes of errors that pause a release",
    "release": "releases of the route; for bias metrics, the first 200 with verdicts",
    "rule": "the rules of the alarm policy, at most 50",
    "server": "the addresses in `triton.grpc`",
    "signal": "`spans`, `events`, `traces`",
    "stage": "the stages of the rollout",
    "state": "fixed words of the metric",
    "step": "the steps of preparing a release",
    "task": "the background tasks of the process",
    "version": "one: that of judgestream, or that of the model in Triton",
}
"""Label -> what bounds its values. A label whose values a record could choose may not be added."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """name  of the family, with `_total` for a counter"""

    name: str
    kind: str
    text: str
    labels: Sequence[str] = ()

    @property
    def series(self) -> tuple[str, ...]:
        """The names of its series."""
        if self.kind == "histogram":
            return tuple(f"{self.name}_{part}" for part in ("bucket", "sum", "count"))
        return (self.name,)


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A group of metrics. `where` says which page has them."""

    title: str
    where: str
    metrics: Sequence[Metric]


def sources() -> tuple[Source, ...]:
    return (
        Source(
            title="Every process",
            where="The workers, the rollout service and the trainer also export `process_*` and `python_*`.",
            metrics=(*_registered(metrics_endpoint), *_registered(process_tracing)),
        ),
        Source(
            title="Workers and rollout service",
            where="On the ports of `worker.metrics_port`. Each process exports all names and sets its own.",
            metrics=(*_registered(workers), *_budgets(), *_fleet()),
        ),
        Source(
            title="Trainer",
            where="On the port of `judgestream watch --metrics-port`.",
            metrics=_registered(trainer),
        ),
        Source(
            title="Judges in Triton",
            where="On Triton's metrics port, beside its own `nv_*`.",
            metrics=tuple(_triton()),
        ),
    )


def metrics() -> dict[str, Metric]:
    """Every metric by its name."""
    return {metric.name: metric for source in sources() for metric in source.metrics}


def labels_by_series() -> dict[str, set[str]]:
    """The name of each of our series -> its labels."""
    return {series: set(metric.labels) for metric in metrics().values() for series in metric.series}


def _registered(module: ModuleType) -> tuple[Metric, ...]:
    found = []
    for value in vars(module).values():
        if isinstance(value, MetricWrapperBase):
            (family,) = value.describe()
            total = "_total" if family.type == "counter" else ""
            found.append(
                Metric(
                    name=family.name + total,
                    kind=family.type,
                    text=family.documentation,
                    labels=value._labelnames,
                )
            )
    return tuple(found)


def _budgets() -> Iterator[Metric]:
    for family in BudgetCollector().collect():
        yield Metric(
            name=family.name,
            kind=family.type,
            text=family.documentation,
            labels=("release", "period"),
        )


def _fleet() -> Iterator[Metric]:
    """Collected for one server with one call, to see the labels."""
    report = ServerReport(address="a", state=ServerState.UP)
    for family in FleetCollector(lambda: [report], lambda: {"a": {"answered": 1}}).collect():
        yield Metric(
            name=family.name + ("_total" if family.type == "counter" else ""),
            kind=family.type,
            text=family.documentation,
            labels=tuple(family.samples[0].labels),
        )


def _triton() -> Iterator[Metric]:
    labels = ("model", "version")
    for prefix, file in (
        ("judgestream_engine", "engine_model.py"),
        ("judgestream_vision", "vision/model.py"),
        ("judgestream_vllm", "vllm_model.py"),
        ("judgestream_endpoint", "endpoint_model.py"),
    ):
        for field, text in _table(file, "COUNTERS").items():
            yield Metric(name=counter_name(prefix, field), kind="counter", text=text, labels=labels)
    for name, text in _table("engine_model.py", "GAUGES").items():
        more = ("kernel",) if name == "kernel_info" else ()
        yield Metric(
            name=f"judgestream_engine_{name}", kind="gauge", text=text, labels=(*labels, *more)
        )


def _table(file: str, name: str) -> dict[str, str]:
    """A table of a backend, read from its source: an import would load torch."""
    tree = ast.parse((SERVICES / "judgestream" / "backends" / file).read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            table: dict[str, str] = ast.literal_eval(node.value)
            return table
    raise LookupError(f"{file} has no table {name}")


def page() -> str:
    parts = [
        "# Metrics",
        "",
        "<!-- Made by `python -m tests.monitoring.catalogue --write`. -->",
        "",
        "How to collect and watch them: [Observe](../how-to/observe.md).",
        "",
    ]
    for source in sources():
        parts += [f"## {source.title}", "", source.where, ""]
        parts += ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
        for one in source.metrics:
            labels = ", ".join(one.labels)
            parts.append(f"| `{one.name}` | {one.kind} | {labels} | {one.text} |")
        parts.append("")
    parts += [
        "## Labels",
        "",
        "No record, and so no tenant, can add a value to a label.",
        "",
        "| label | values |",
        "|---|---|",
        *(f"| `{label}` | {bound} |" for label, bound in LABELS.items()),
    ]
    return "\n".join(parts) + "\n"


def main(arguments: Sequence[str]) -> int:
    if "--write" in arguments:
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    if PAGE.read_text(encoding="utf-8") == page():
        return 0
    sys.stderr.write(f"{PAGE} is out of date: run `python -m tests.monitoring.catalogue --write`\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
