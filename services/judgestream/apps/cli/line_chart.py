"""One line with its interval band over time, as an inline SVG image."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape

WIDTH, HEIGHT = 640, 200
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 12, 26
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
TIMES = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """A share from 0 to 1 in the window from `start` to `end`, with its interval if it has one."""

    start: datetime
    end: datetime
    value: float
    n: int
    interval: tuple[float, float] | None


def line_chart(
    points: Sequence[Point], *, title: str, span: tuple[datetime, datetime], limit: float | None
) -> str:
    """The points over `span`, drawn at the middles of their windows. A gap of windows breaks the line.

    Args:
        title: read by screen readers.
        limit: where an alarm rule has its limit.
    """
    chart = _Scale(span)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">',
        *chart.axes(),
    ]
    if limit is not None:
        y = chart.y(limit)
        parts.append(f'<line class="limit" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
    for run in _runs(points):
        band = [(chart.x(_middle(one)), one.interval) for one in run if one.interval is not None]
        if len(band) > 1:
            upper = [f"{x},{chart.y(ends[1])}" for x, ends in band]
            lower = [f"{x},{chart.y(ends[0])}" for x, ends in reversed(band)]
            parts.append(f'<polygon class="band" points="{" ".join(upper + lower)}"/>')
        line = " ".join(f"{chart.x(_middle(one))},{chart.y(one.value)}" for one in run)
        parts.append(f'<polyline class="line" points="{line}"/>')
    parts += [chart.dot(one) for one in points]
    return "".join([*parts, "</svg>"])


class _Scale:
    def __init__(self, span: tuple[datetime, datetime]) -> None:
        self._first, last = span
        self._whole = max(last - self._first, timedelta(seconds=1))

    def x(self, at: datetime) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * ((at - self._first) / self._whole), 1)

    def y(self, value: float) -> float:
        inside = min(1.0, max(0.0, value))
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - inside), 1)

    def axes(self) -> list[str]:
        """Grid lines with their shares, and times with dates where the span exceeds a day."""
        parts: list[str] = []
        for tick in TICKS:
            y = self.y(tick)
            parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
            parts.append(f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{tick:.0%}</text>')
        form = "%m-%d %H:%M" if self._whole > timedelta(days=1) else "%H:%M:%S"
        for k in range(TIMES + 1):
            at = self._first + k * self._whole / TIMES
            anchor = "start" if k == 0 else "end" if k == TIMES else "middle"
            parts.append(
                f'<text x="{self.x(at)}" y="{HEIGHT - 8}" text-anchor="{anchor}">{at:{form}}</text>'
            )
        return parts

    def dot(self, one: Point) -> str:
        x, y = self.x(_middle(one)), self.y(one.value)
        told = f"{one.start:%Y-%m-%d %H:%M:%S}: {one.value:.1%} of {one.n}"
        bar = ""
        if one.interval is not None:
            low, high = one.interval
            told += f" ({low:.1%} to {high:.1%})"
            bar = f'<line class="bar" x1="{x}" x2="{x}" y1="{self.y(low)}" y2="{self.y(high)}"/>'
        return f'<g>{bar}<circle cx="{x}" cy="{y}" r="2.5"/><title>{escape(told)}</title></g>'


def _middle(one: Point) -> datetime:
    return one.start + (one.end - one.start) / 2


def _runs(points: Sequence[Point]) -> list[list[Point]]:
    """Windows that follow each other or overlap, without a gap."""
    runs: list[list[Point]] = []
    for one in points:
        if runs and one.start <= runs[-1][-1].end:
            runs[-1].append(one)
        else:
            runs.append([one])
    return runs
