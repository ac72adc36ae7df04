"""Every metric keeps to the conventions of Prometheus, has bounded labels and a row on the reference page."""

import re
from collections.abc import Iterator

import pytest

from judgestream.apps.worker import metrics as workers
from tests.monitoring import catalogue
from tests.monitoring.catalogue import LABELS, Metric, metrics

OTHER_UNITS = re.compile(
    r"_(ms|us|milliseconds|minutes|hours|days|mb|kb|gb|percent|counter|gauge)$"
)
SCALED = re.compile(r"_(seconds|bytes|ratio|dollars|tokens|records|requests|examples|info)")


def problems(metric: Metric) -> Iterator[str]:
    """Breaches of https://prometheus.io/docs/practices/naming, and of our list of labels."""
    name = metric.name
    if not re.fullmatch(r"judgestream_[a-z][a-z0-9_]*", name) or "__" in name:
        yield "not judgestream_ and words in lower case"
    if (metric.kind == "counter") != name.endswith("_total"):
        yield "a counter ends in _total, and nothing else does"
    if OTHER_UNITS.search(name.removesuffix("_total")):
        yield "not a base unit"
    if name.endswith("_info") and metric.kind != "gauge":
        yield "an info is a gauge of 1"
    if metric.kind == "histogram" and not SCALED.search(name):
        yield "a histogram names its unit"
    if len(metric.text) < 4 or metric.text.endswith(".") or not metric.text[0].isupper():
        if not metric.text.startswith("1"):
            yield "a help text is a phrase with a capital and no full stop"
    if unknown := set(metric.labels) - LABELS.keys():
        yield f"labels without a bound: {unknown}"


def test_every_metric_keeps_to_the_conventions() -> None:
    found = {name: list(problems(metric)) for name, metric in metrics().items()}
    assert {name: one for name, one in found.items() if one} == {}
    assert len(found) > 60


@pytest.mark.parametrize(
    ("metric", "problem"),
    [
        (Metric(name="judgestream_x", kind="counter", text="Some"), "_total"),
        (Metric(name="judgestream_x_total", kind="gauge", text="Some"), "_total"),
        (Metric(name="judgestream_x_ms", kind="gauge", text="Some"), "base unit"),
        (Metric(name="judgestream_x_ms_total", kind="counter", text="Some"), "base unit"),
        (Metric(name="judgestream_time", kind="histogram", text="Some"), "names its unit"),
        (Metric(name="other_x", kind="gauge", text="Some"), "judgestream_"),
        (Metric(name="judgestream_x", kind="gauge", text=""), "help text"),
        (Metric(name="judgestream_x", kind="gauge", text="Some", labels=("tenant",)), "tenant"),
    ],
)
def test_a_breach_is_found(metric: Metric, problem: str) -> None:
    assert problem in " ".join(problems(metric))


def test_every_label_of_the_list_is_used() -> None:
    used = {label for metric in metrics().values() for label in metric.labels}
    assert used == LABELS.keys()


def test_the_reference_page_has_every_metric() -> None:
    assert catalogue.main([]) == 0, "run `python -m tests.monitoring.catalogue --write`"


def test_failures_are_shown_before_the_first_one() -> None:
    shown = {
        sample.labels["error_class"]
        for family in workers.dead_letters.collect()
        for sample in family.samples
    }
    assert {"undecodable", "judge_failed", "too_old"} <= shown
