"""Reports of suites: figures with intervals, and tables. Pages and terminal tables are made of them."""

from dataclasses import asdict, dataclass

from judgestream.evaluation.clusters import Mean
from judgestream.evaluation.delta import Figure as Estimated
from judgestream.evaluation.intervals import Interval


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One number.

    n          the observations in it; None for a number that is not a statistic of observations
    percent    a share, which people read in percent
    """

    name: str
    value: float | None
    n: int | None = None
    interval: Interval | None = None
    percent: bool = True

    @classmethod
    def of(cls, name: str, mean: Mean | Estimated | None, *, percent: bool = True) -> "Figure":
        if mean is None:
            return cls(name=name, value=None, n=0, percent=percent)
        return cls(name=name, value=mean.value, n=mean.n, interval=mean.interval, percent=percent)


Cell = str | int | float | Figure | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """`plot` names the column of numbers or figures that a page shows as bars; "": none."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    plot: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """The headline figures first."""

    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()

    def figure(self, name: str) -> Figure:
        """Raises KeyError: there is no figure of this name."""
        for one in self.figures:
            if one.name == name:
                return one
        raise KeyError(name)

    def table(self, title: str) -> Table:
        """Raises KeyError: there is no table of this title."""
        for one in self.tables:
            if one.title == title:
                return one
        raise KeyError(title)

    def as_json(self) -> dict[str, object]:
        return {
            "figures": {one.name: _figure(one) for one in self.figures},
            "tables": {
                one.title: [dict(zip(one.head, map(_cell, row), strict=True)) for row in one.rows]
                for one in self.tables
            },
            "notes": list(self.notes),
        }


def shown(cell: Cell, *, interval: bool = True) -> str:
    """A cell as people read it: figures with their interval if wanted, shares in percent."""
    if cell is None:
        return "-"
    if isinstance(cell, Figure):
        return _words(cell, interval)
    return f"{cell:.3f}" if isinstance(cell, float) else str(cell)


def _words(figure: Figure, interval: bool) -> str:
    if figure.value is None:
        return "-"
    scale, digits = (100.0, 1) if figure.percent else (1.0, 3)
    text = f"{figure.value * scale:.{digits}f}"
    if interval and figure.interval is not None:
        low, high = figure.interval.low * scale, figure.interval.high * scale
        text += f" [{low:.{digits}f}, {high:.{digits}f}]"
    return text


def _cell(cell: Cell) -> object:
    return _figure(cell) if isinstance(cell, Figure) else cell


def _figure(one: Figure) -> dict[str, object]:
    found: dict[str, object] = {"value": one.value, "percent": one.percent}
    if one.n is not None:
        found["n"] = one.n
    if one.interval is not None:
        found["interval"] = asdict(one.interval)
    return found
