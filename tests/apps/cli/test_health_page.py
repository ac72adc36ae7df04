"""The page of a judge's health: self-contained, escaped, with every measured metric."""

import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as xml

import pytest

from judgestream.apps.cli.health_page import MAX_WINDOWS, health_page
from judgestream.apps.cli.line_chart import Point, line_chart
from judgestream.contracts.codecs.bias import bias_report_to_message
from judgestream.evaluation.probes import complete, report, total
from judgestream.v1.bias_pb2 import Alarm, BiasReport

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EVIL = "<script>alert('x')</script>&\""


def window(minute: int, release: str = EVIL, tied: int = 3) -> BiasReport:
    by_prompt = [{"n": 1, "tied": int(k < tied), "untied": int(k >= tied)} for k in range(10)]
    return bias_report_to_message(
        release=release,
        start=NOON + minute * MINUTE,
        end=NOON + (minute + 1) * MINUTE,
        counts=complete(total(by_prompt)),
        metrics=report(by_prompt),
        revision=1,
        final=True,
        late=0,
        published_at=NOON,
    )


ALARM = Alarm(
    alarm_id="a",
    release=EVIL,
    rule=EVIL,
    metric="tie_rate",
    side="above",
    limit=0.2,
    value=0.9,
    state=Alarm.STATE_RAISED,
)


def drawn(page: str) -> list[xml.Element]:
    """Its SVG images, parsed."""
    return [xml.fromstring(text) for text in re.findall(r"<svg.*?</svg>", page, re.S)]  # noqa: S314


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    page = health_page([window(0), window(1)], [ALARM], made_at=NOON)
    assert "<script" not in page and "alert(&#x27;x&#x27;)" in page
    assert not re.search(r"""(src|href)=|url\(|@import|https?://""", page)


def test_each_measured_metric_has_a_chart_and_the_others_are_named() -> None:
    page = health_page([window(minute) for minute in range(5)], [ALARM], made_at=NOON)
    (chart,) = drawn(page)
    assert len(chart.findall(".//circle")) == 5
    assert "tie_rate" in page and "Not measured: flip_consistency," in page
    assert sum(line.get("class") == "limit" for line in chart.findall("line")) == 1
    assert "30.0% of 10" in (chart.findtext(".//title") or "")
    assert "1 alarm raised" in page


def test_a_cleared_alarm_is_not_shown_as_raised() -> None:
    cleared = Alarm(alarm_id="a", release="r", state=Alarm.STATE_CLEARED)
    assert "No alarm is raised." in health_page([window(0)], [cleared], made_at=NOON)


def test_a_long_history_shows_its_newest_windows() -> None:
    page = health_page([window(k) for k in range(MAX_WINDOWS + 50)], [], made_at=NOON)
    (chart,) = drawn(page)
    assert len(chart.findall(".//circle")) == MAX_WINDOWS
    assert f"{MAX_WINDOWS} windows from 2026-01-01 12:50:00" in page


@pytest.mark.parametrize(
    ("minutes", "lines"), [([0, 1, 2], 1), ([0, 1, 5, 6], 2), ([0], 1)], ids=["one", "gap", "dot"]
)
def test_a_gap_breaks_the_line(minutes: list[int], lines: int) -> None:
    points = [
        Point(
            start=NOON + minute * MINUTE,
            end=NOON + (minute + 1) * MINUTE,
            value=0.5,
            n=10,
            interval=(0.2, 0.8),
        )
        for minute in minutes
    ]
    chart = xml.fromstring(  # noqa: S314
        line_chart(points, title="t", span=(points[0].start, points[-1].end), limit=None)
    )
    assert len(chart.findall("polyline")) == lines
    assert {dot.get("cy") for dot in chart.findall(".//circle")} == {"93.0"}  # the middle
