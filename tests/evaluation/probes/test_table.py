"""The table of probes: what any probe must keep, and that a new one is one row."""

import random
import re
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgestream.core.types import Status, Verdict
from judgestream.evaluation.probes import (
    PROBES,
    Counts,
    MetricDefinition,
    Probe,
    complete,
    count_names,
    observe,
    report,
)
from tests.core.build import EQUAL, FIRST, SECOND, UNREAD, result, verdict
from tests.paths import ROOT

READINGS = st.sampled_from([FIRST, EQUAL, SECOND, UNREAD])
VERDICTS = st.builds(
    lambda status, winner, lengths, straight, swapped, reference: verdict(
        status=status,
        winner=winner if status is Status.SCORED else "",
        tie=status is Status.SCORED and not winner,
        lengths=lengths,
        passes=(
            result(f"straight{reference}", straight),
            result(f"swapped{reference}", swapped),
        ),
    ),
    status=st.sampled_from(Status),
    winner=st.sampled_from(["a", "b", ""]),
    lengths=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    straight=READINGS,
    swapped=READINGS,
    reference=st.sampled_from(["", "+reference"]),
)


def added(parts: list[Counts]) -> Counter[str]:
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    return total


@given(st.lists(VERDICTS, max_size=30), st.randoms(use_true_random=False), st.integers(0, 30))
def test_partial_counts_merge_to_the_same_sums_in_any_order_and_any_split(
    verdicts: list[Verdict], draw: random.Random, cut: int
) -> None:
    counts: list[Counts] = [observe(one) for one in verdicts]
    total = added(counts)
    draw.shuffle(counts)
    assert added([added(counts[cut:]), added(counts[:cut])]) == total
    assert report([added(counts)]) == report([total])
    assert report(counts) == report(list(reversed(counts)))


@given(st.lists(VERDICTS, max_size=30))
def test_the_identities_of_the_counts_hold(verdicts: list[Verdict]) -> None:
    total = added([observe(one) for one in verdicts])
    assert total["n"] == len(verdicts) == total["scored"] + total["unscored"] + total["failed"]
    leans = ("consistent", "toward_first", "toward_second")
    assert total["ordered"] == sum(total[name] for name in leans)
    assert total["scored"] == total["tied"] + total["untied"]
    assert total["untied"] == total["length_pairs"] + total["equal_length"]
    assert total["longer_won"] <= total["length_pairs"]


@pytest.mark.parametrize("probe", PROBES.values(), ids=lambda probe: probe.name)
@given(one=VERDICTS)
def test_a_probe_counts_whole_numbers_under_its_declared_names(probe: Probe, one: Verdict) -> None:
    counts = probe.observe(one)
    assert set(counts) <= set(probe.counts)
    assert all(type(count) is int and count >= 0 for count in counts.values())


@given(VERDICTS)
def test_a_failed_verdict_counts_as_failed_only(one: Verdict) -> None:
    if one.status is Status.FAILED:
        assert observe(one) == {"n": 1, "failed": 1}


def test_count_names_are_unique_and_single_words() -> None:
    """The store writes them with spaces between."""
    names = count_names()
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z_]+", name) for name in names)


def test_the_stored_names_are_stable() -> None:
    """They are kept in Redis and are keys of BiasReport.counts: add, never rename."""
    assert set(count_names()) >= {
        *("n", "scored", "unscored", "failed"),
        *("ordered", "consistent", "toward_first", "toward_second"),
        *("tied", "untied", "length_pairs", "longer_won", "equal_length"),
    }


def test_counts_of_another_version_are_read_as_far_as_they_go() -> None:
    found = complete({"n": 3, "of_a_newer_version": 1, "scored": 2})
    assert {name: count for name, count in found.items() if count} == {"n": 3, "scored": 2}
    assert set(complete({})) == set(count_names())


def test_the_statistics_page_defines_every_metric_under_its_probe() -> None:
    page = (ROOT / "docs" / "design" / "statistics.md").read_text(encoding="utf-8")
    for probe in PROBES.values():
        for definition in probe.definitions:
            assert f"| `{definition.name}` | {probe.name} |" in page


TOY = Probe(
    name="explained",
    counts=("explained",),
    observe=lambda one: {"explained": int(one.explanation != "")},
    definitions=(
        MetricDefinition(
            name="explained_rate",
            meaning="verdicts with an explanation",
            count=lambda c: c["explained"],
            n=lambda c: 2 * c["explained"],
        ),
    ),
)


def test_a_new_probe_is_one_row() -> None:
    probes = {**PROBES, TOY.name: TOY}
    one = replace(verdict(), explanation="shorter")
    counts = observe(one, probes)
    assert counts["explained"] == 1
    assert "explained" in count_names(probes)
    assert complete(counts, probes)["explained"] == 1
    toy = report([counts], probes)[-1]
    assert (toy.name, toy.value, toy.n) == ("explained_rate", 0.5, 2)
