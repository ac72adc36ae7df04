"""A report as a page, as JSON and on a terminal."""

import json
import re
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from judgestream.apps.suites.page import MOST_BARS, page
from judgestream.evaluation.clusters import clustered_share
from judgestream.suites.report import Figure, Report, Table, shown

SHARE = Figure.of("agreement", clustered_share([True, True, False, True]))
HOSTILE = "<script>alert(1)</script>\"'&"


def report(name: str = "model", *, rows: int = 2, value: float | Figure | None = 0.5) -> Report:
    cells = tuple((f"{name} {k}", k, value) for k in range(rows))
    table = Table(title=name, head=("model", "n", "rate"), rows=cells, plot="rate")
    return Report(figures=(SHARE,), tables=(table,), notes=(name,))


def drawn(text: str) -> list[ElementTree.Element]:
    """The bars of a page's drawings, each of which must be well-formed."""
    found = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    return [bar for one in found for bar in ElementTree.fromstring(one).iter("rect")]  # noqa: S314


def test_a_page_has_a_bar_for_every_share_and_every_row_of_a_plotted_table() -> None:
    text = page("t", {"suite": "s", "limit": None}, report(value=SHARE))
    assert len(drawn(text)) == 1 + 2
    assert "75.0 [" in text and "limit" not in text
    assert "src=" not in text and "href=" not in text and "<script" not in text


def test_texts_of_data_files_stay_texts() -> None:
    text = page(HOSTILE, {HOSTILE: HOSTILE}, report(HOSTILE, value=SHARE))
    assert "<script" not in text and "&lt;script&gt;" in text
    assert len(drawn(text)) == 3


def test_tables_without_numbers_or_with_too_many_rows_have_no_drawing() -> None:
    assert len(drawn(page("t", {}, report(value=None)))) == 1
    assert len(drawn(page("t", {}, report(rows=MOST_BARS + 1)))) == 1
    assert drawn(page("t", {}, Report())) == []


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5))
def test_bars_start_at_0_and_stay_inside_whatever_the_numbers(values: list[float]) -> None:
    table = Table(
        title="t", head=("m", "v"), rows=tuple(("x", value) for value in values), plot="v"
    )
    bars = drawn(page("t", {}, Report(tables=(table,))))
    assert len(bars) == len(values)
    for bar in bars:
        left, width = float(bar.get("x", "")), float(bar.get("width", ""))
        assert 209.9 <= left <= left + width <= 580.2


def test_a_report_is_json_with_its_intervals() -> None:
    found = json.loads(json.dumps(report(value=SHARE).as_json()))
    assert found["figures"]["agreement"]["n"] == 4
    assert found["figures"]["agreement"]["interval"]["level"] == 0.95
    assert found["tables"]["model"][1]["model"] == "model 1"
    assert found["tables"]["model"][1]["rate"]["value"] == 0.75


def test_cells_are_shown_in_percent_with_their_interval_if_wanted() -> None:
    assert shown(SHARE, interval=False) == "75.0"
    assert shown(SHARE).startswith("75.0 [")
    assert shown(Figure(name="kappa", value=0.5, percent=False)) == "0.500"
    assert [shown(one) for one in (None, 3, 0.25, "x")] == ["-", "3", "0.250", "x"]
