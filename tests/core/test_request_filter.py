"""Conditions on requests."""

from datetime import UTC, datetime

import pytest

from judgestream.core.errors import ConfigurationError
from judgestream.core.request_filter import RequestFilter
from judgestream.core.types import PROBE_KEY, Candidate, Request

REQUEST = Request(
    request_id="r1",
    mode="pairwise",
    question="2 + 2?",
    candidates=(Candidate(id="a", text="4", system="x"), Candidate(id="b", text="5", system="y")),
    requested_at=datetime(2026, 1, 1, tzinfo=UTC),
    metadata={"tenant": "acme", "note": "a=b"},
)


@pytest.mark.parametrize(
    ("text", "admitted"),
    [
        ("mode=pairwise", True),
        ("mode=single", False),
        ("system=y", True),
        ("system=z", False),
        ("request_id=r1", True),
        ("metadata.tenant=acme, mode=pairwise", True),
        ("metadata.tenant=acme,mode=single", False),
        ("metadata.note=a=b", True),
        ("metadata.missing=x", False),
        ("metadata.missing=", False),
    ],
)
def test_a_request_must_meet_all_conditions(text: str, admitted: bool) -> None:
    assert RequestFilter.of(text).admits(REQUEST) is admitted


@pytest.mark.parametrize("text", ["", "pairwise", "tenant=acme", "metadata.=x", "mode=a,,", "=x"])
def test_a_malformed_condition_is_refused_with_the_names_that_exist(text: str) -> None:
    with pytest.raises(
        ConfigurationError, match=r"not a condition: write mode, system, request_id"
    ):
        RequestFilter.of(text)


def test_probes_never_match() -> None:
    from dataclasses import replace

    probe = replace(REQUEST, metadata={PROBE_KEY: "doctor"})
    assert RequestFilter().admits(REQUEST)
    assert not RequestFilter().admits(probe)
