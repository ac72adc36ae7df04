"""A suite's report on a terminal."""

from judgestream.suites.report import Report, shown
from judgestream.terminal.output import line, table

NARROW = 6
"""Columns of a table with intervals on a terminal; the page has them all."""


def print_report(report: Report) -> None:
    """The report on a terminal. Shares are in percent, with their 95 % intervals."""
    if report.figures:
        table(
            ("figure", "n", "value"),
            [(one.name, "-" if one.n is None else one.n, shown(one)) for one in report.figures],
        )
    for one in report.tables:
        line()
        line(one.title)
        wide = len(one.head) > NARROW
        table(one.head, [tuple(shown(cell, interval=not wide) for cell in row) for row in one.rows])
    for text in report.notes:
        line()
        line(text)
