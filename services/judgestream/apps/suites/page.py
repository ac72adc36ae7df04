"""A report as one self-contained page: tables and bars, without scripts, fonts or pictures from elsewhere."""

from collections.abc import Mapping, Sequence
from html import escape

from judgestream.suites.report import Cell, Figure, Report, Table, shown

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1d2430;
background:#fff}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse;margin:.5rem 0}th,td{padding:.25rem .7rem;border-bottom:1px solid #dde2e9;
text-align:left}th{font-weight:600}td{font-variant-numeric:tabular-nums}
svg text{font:12px system-ui,sans-serif;fill:#1d2430}.facts{color:#5b6676}
"""
ROW, WIDTH, NAMES = 22, 640, 210
"""Pixels: the height of a bar's row, the width of a plot, and the part of it for names."""
MOST_BARS = 60


def page(title: str, facts: Mapping[str, object], report: Report) -> str:
    """The page. Every text is escaped: names come from data files."""
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
        f'<p class="facts">{_facts(facts)}</p>',
    ]
    parts.append(
        "<p>Shares are in percent; 95 % intervals in brackets, and as lines in the plots.</p>"
    )
    if report.figures:
        named = Table(
            title="figures",
            head=("figure", "n", "value"),
            rows=tuple((one.name, one.n, one) for one in report.figures),
        )
        shares = tuple(row for row in named.rows if _is_share(row[2]))
        parts += ["<h2>Figures</h2>", _table(named)]
        parts.append(_bars([(str(name), value) for name, _, value in shares]))
    for one in report.tables:
        parts += [f"<h2>{escape(one.title.capitalize())}</h2>", _table(one)]
        if one.plot in one.head:
            column = one.head.index(one.plot)
            label = _labels(one, column)
            parts.append(_bars([(label(row), row[column]) for row in one.rows]))
    parts += [f"<p>{escape(note)}</p>" for note in report.notes]
    return "\n".join([*parts, "</body></html>\n"])


def _facts(facts: Mapping[str, object]) -> str:
    return " &middot; ".join(
        f"{escape(name)} {escape(str(value))}"
        for name, value in facts.items()
        if value not in ("", None)
    )


def _is_share(cell: Cell) -> bool:
    return isinstance(cell, Figure) and cell.percent and cell.value is not None


def _labels(table: Table, column: int) -> "_Label":
    texts = [k for k in range(column) if any(isinstance(row[k], str) for row in table.rows)]
    return _Label(texts)


class _Label:
    """The name of a bar: the texts of its row."""

    def __init__(self, columns: Sequence[int]) -> None:
        self._columns = columns

    def __call__(self, row: Sequence[Cell]) -> str:
        return " ".join(str(row[k]) for k in self._columns)


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in table.head)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(shown(cell))}</td>" for cell in row) + "</tr>"
        for row in table.rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _bars(rows: Sequence[tuple[str, Cell]]) -> str:
    """Horizontal bars from 0, with the interval where there is one."""
    drawn = [(name, *found) for name, cell in rows if (found := _span(cell)) is not None]
    if not drawn or len(drawn) > MOST_BARS:
        return ""
    low = min(0.0, *(min(value, ends[0]) for _, value, ends in drawn))
    high = max(0.0, *(max(value, ends[1]) for _, value, ends in drawn))
    span = (high - low) or 1.0

    def x(value: float) -> float:
        return round(NAMES + (value - low) / span * (WIDTH - NAMES - 60), 1)

    height = ROW * len(drawn) + 4
    percent = any(isinstance(cell, Figure) and cell.percent for _, cell in rows)
    parts = [
        f'<svg width="{WIDTH}" height="{height + ROW}" role="img" aria-label="bars of the table">'
    ]
    for k, (name, value, ends) in enumerate(drawn):
        y = ROW * k + 4
        left, width = min(x(0.0), x(value)), round(abs(x(value) - x(0.0)), 1)
        parts.append(
            f'<text x="{NAMES - 8}" y="{y + 13}" text-anchor="end">{escape(name[:32])}</text>'
            f'<rect x="{left}" y="{y + 2}" width="{width}" height="{ROW - 8}" fill="#4c78b5"/>'
        )
        if ends[0] != ends[1]:
            middle = y + ROW / 2 - 2
            parts.append(
                f'<line x1="{x(ends[0])}" x2="{x(ends[1])}" y1="{middle}" y2="{middle}" stroke="#1d2430"'
                ' stroke-width="1.5"/>'
            )
    parts.append(
        f'<line x1="{x(0.0)}" x2="{x(0.0)}" y1="0" y2="{height}" stroke="#98a2b0"/>'
        + "".join(
            f'<text x="{x(end)}" y="{height + 15}" text-anchor="middle">{_end(end, percent)}</text>'
            for end in sorted({low, 0.0, high})
        )
        + "</svg>"
    )
    return "".join(parts)


def _end(value: float, percent: bool) -> str:
    """A number of the axis."""
    return f"{100 * value:.0f} %" if percent else f"{value:.3g}"


def _span(cell: Cell) -> tuple[float, tuple[float, float]] | None:
    """A number and its ends; None where there is none."""
    if isinstance(cell, Figure):
        if cell.value is None:
            return None
        ends = cell.interval
        return cell.value, (cell.value, cell.value) if ends is None else (ends.low, ends.high)
    if isinstance(cell, int | float):
        return float(cell), (float(cell), float(cell))
    return None
