"""The verdict of `make check` on a pip-audit report."""

import datetime
import json

import pytest

from tests.audit import Audit, problems_of, read_report

TODAY = datetime.date(2026, 11, 26)
BAD = Audit(findings=(("x 1.0", "PYSEC-1"),), skipped=0, checked=2)
EXCEPTION = {"id": "PYSEC-1", "package": "x", "reason": "not called", "until": TODAY}


def test_a_report_lists_findings_and_counts_skipped_packages() -> None:
    report = {
        "dependencies": [
            {"name": "x", "version": "1.0", "vulns": [{"id": "PYSEC-1"}, {"id": "GHSA-2"}]},
            {"name": "y", "version": "2", "vulns": []},
            {"name": "z", "skip_reason": "not found"},
        ]
    }
    assert read_report(json.dumps(report)) == Audit(
        findings=(("x 1.0", "PYSEC-1"), ("x 1.0", "GHSA-2")), skipped=1, checked=2
    )
    with pytest.raises(ValueError, match="Expecting"):
        read_report("")


def test_a_finding_fails_unless_an_exception_names_it_in_time() -> None:
    assert problems_of(BAD, [], TODAY) == ["x 1.0: PYSEC-1"]
    assert problems_of(BAD, [EXCEPTION], TODAY) == []
    late = {**EXCEPTION, "until": TODAY - datetime.timedelta(days=1)}
    assert problems_of(BAD, [late], TODAY) == [
        "the exception for x PYSEC-1 expired on 2026-11-25",
        "x 1.0: PYSEC-1",
    ]
    assert problems_of(BAD, [{**EXCEPTION, "package": "y"}], TODAY) == ["x 1.0: PYSEC-1"]


def test_an_exception_without_a_reason_is_invalid() -> None:
    nameless = {key: value for key, value in EXCEPTION.items() if key != "reason"}
    problems = problems_of(BAD, [nameless], TODAY)
    assert "needs id, package, reason and until" in problems[0] and problems[1] == "x 1.0: PYSEC-1"
