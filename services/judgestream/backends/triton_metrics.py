"""Counters and gauges on Triton's metrics port.

`pb_utils` (triton_python_backend_utils) exists only inside Triton, so it is passed in. A metric does not
outlive its family, so families are kept alive, too.
"""

from collections.abc import Mapping
from typing import Any

UNITS = {"written": "tokens", "cost": "dollars"}
"""Units of fields whose names do not say them."""


def counter_name(prefix: str, field: str) -> str:
    """The name of a field's counter, with its unit, as Prometheus has it."""
    unit = f"_{UNITS[field]}" if field in UNITS else ""
    return f"{prefix}_{field}{unit}_total"


class Counters:
    """Counters that follow the fields of an object.

    texts  name of the field -> description
    """

    def __init__(
        self, prefix: str, texts: Mapping[str, str], labels: dict[str, str], pb_utils: Any
    ) -> None:
        self._families = {
            key: pb_utils.MetricFamily(
                name=counter_name(prefix, key),
                description=text,
                kind=pb_utils.MetricFamily.COUNTER,
            )
            for key, text in texts.items()
        }
        self._metrics = {
            key: family.Metric(labels=labels) for key, family in self._families.items()
        }
        self._values: dict[str, float] = dict.fromkeys(texts, 0)

    def update(self, values: object) -> None:
        """Increase each counter to the value of the field with its name."""
        for key, metric in self._metrics.items():
            value = getattr(values, key)
            metric.increment(value - self._values[key])
            self._values[key] = value


class LazyGauges:
    """Gauges, each created on its first value: an unknown peak exports no MFU, rather than an MFU of 0.

    texts  name -> description
    """

    def __init__(
        self, prefix: str, texts: Mapping[str, str], labels: dict[str, str], pb_utils: Any
    ) -> None:
        self._prefix = prefix
        self._texts = texts
        self._labels = labels
        self._pb_utils = pb_utils
        self._metrics: dict[str, tuple[Any, Any]] = {}

    def set(self, values: Mapping[str, float], **labels: str) -> None:
        """Set each gauge to its value; `labels` are added to those of all gauges."""
        for key, value in values.items():
            if key not in self._metrics:
                family = self._pb_utils.MetricFamily(
                    name=f"{self._prefix}_{key}",
                    description=self._texts[key],
                    kind=self._pb_utils.MetricFamily.GAUGE,
                )
                self._metrics[key] = family, family.Metric(labels=self._labels | labels)
            self._metrics[key][1].set(value)
