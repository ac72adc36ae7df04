"""A dashboard as data, and Grafana's JSON model of it (schema 39, Grafana 10 and later)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

Json = Mapping[str, object]

WIDTH = 24
"""Columns of Grafana's grid."""
HEIGHTS = {"stat": 4, "row": 1}
HEIGHT = 8
SOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """A value from which a panel is shown in this colour; `below` turns the direction round."""

    value: float
    colour: str = "red"
    below: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """A panel.

    queries   legend -> PromQL; `$__rate_interval` and the dashboard's variables may stand in it
    unit      Grafana's id of the unit: short, s, percentunit, reqps, bytes, ...
    about     the description: meaning, and the page to read when the values are bad
    kind      timeseries, stat, or table; stat and table show the newest values
    empty     why there may be no data in a healthy system; "" if there must be some
    """

    title: str
    queries: Mapping[str, str]
    unit: str = "short"
    about: str = ""
    kind: str = "timeseries"
    width: int = 8
    limit: Limit | None = None
    least: float | None = 0
    most: float | None = None
    empty: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Variable:
    """A choice on top of the dashboard: the values of a label, several or all of them."""

    name: str
    label: str
    query: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A titled row with the panels below it."""

    title: str
    panels: Sequence[Panel] = field(default=())


@dataclass(frozen=True, kw_only=True, slots=True)
class Dashboard:
    uid: str
    title: str
    about: str
    variables: Sequence[Variable]
    sections: Sequence[Section]

    @property
    def panels(self) -> tuple[Panel, ...]:
        return tuple(panel for section in self.sections for panel in section.panels)

    def model(self) -> Json:
        """Grafana's JSON model."""
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.about,
            "tags": ["judgestream"],
            "schemaVersion": 39,
            "editable": True,
            "refresh": "30s",
            "time": {"from": "now-6h", "to": "now"},
            "templating": {"list": [_DATASOURCE, *map(_variable, self.variables)]},
            "panels": _placed(self.sections),
        }


def _placed(sections: Sequence[Section]) -> list[Json]:
    """Titles and panels from left to right and top to bottom, with their ids."""
    ids, placed, y = count(1), list[Json](), 0
    for section in sections:
        place = {"x": 0, "y": y, "w": WIDTH, "h": HEIGHTS["row"]}
        title = {"type": "row", "title": section.title, "collapsed": False, "panels": []}
        placed.append({"id": next(ids), "gridPos": place, **title})
        x, y, row = 0, y + HEIGHTS["row"], 0
        for panel in section.panels:
            if x + panel.width > WIDTH:
                x, y, row = 0, y + row, 0
            height = HEIGHTS.get(panel.kind, HEIGHT)
            place = {"x": x, "y": y, "w": panel.width, "h": height}
            placed.append({"id": next(ids), "gridPos": place, **_panel(panel)})
            x, row = x + panel.width, max(row, height)
        y += row
    return placed


def _panel(panel: Panel) -> Json:
    newest = panel.kind != "timeseries"
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": OPTIONS[panel.kind],
        "targets": [
            {
                "refId": chr(ord("A") + number),
                "datasource": SOURCE,
                "expr": query,
                "legendFormat": legend,
                "instant": newest,
                "range": not newest,
                **({"format": "table"} if panel.kind == "table" else {}),
            }
            for number, (legend, query) in enumerate(panel.queries.items())
        ],
    }


OPTIONS: Mapping[str, Json] = {
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "stat": {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "background"},
    "table": {"showHeader": True},
}


def _defaults(panel: Panel) -> Json:
    found: dict[str, object] = {"unit": panel.unit}
    if panel.least is not None:
        found["min"] = panel.least
    if panel.most is not None:
        found["max"] = panel.most
    if (limit := panel.limit) is not None:
        before, after = (limit.colour, "green") if limit.below else ("green", limit.colour)
        steps = [{"value": None, "color": before}, {"value": limit.value, "color": after}]
        found["thresholds"] = {"mode": "absolute", "steps": steps}
        if panel.kind == "timeseries":
            found["custom"] = {"thresholdsStyle": {"mode": "line"}}
    return found


_DATASOURCE: Json = {
    "name": "datasource",
    "type": "datasource",
    "query": "prometheus",
    "label": "Prometheus",
}


def _variable(one: Variable) -> Json:
    return {
        "name": one.name,
        "type": "query",
        "label": one.label,
        "datasource": SOURCE,
        "query": {"query": one.query, "refId": one.name},
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }
