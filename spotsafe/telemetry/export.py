"""Creates the observable instruments of the catalogue; the one place that touches a meter."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation, get_meter

from spotsafe._version import __version__
from spotsafe.telemetry.catalogue import METRICS, Metric

if TYPE_CHECKING:
    from spotsafe.telemetry.instruments import Telemetry

Callback = Callable[[CallbackOptions], Iterable[Observation]]


def create_instruments(telemetry: weakref.ref[Telemetry], provider: MeterProvider | None) -> None:
    """One observable instrument per metric of the catalogue. They hold *telemetry* weakly: instruments
    cannot be taken back, and one whose client is gone has nothing to say."""
    meter = get_meter("spotsafe", __version__, meter_provider=provider)
    for metric in METRICS:
        create = meter.create_observable_gauge
        if metric.kind == "counter":
            create = meter.create_observable_counter  # type: ignore[assignment]  # same signature, other class
        create(metric.name, [_callback(telemetry, metric)], metric.unit, metric.about)


def _callback(telemetry: weakref.ref[Telemetry], metric: Metric) -> Callback:
    def observe(options: CallbackOptions) -> Iterable[Observation]:
        found = telemetry()
        if found is None:
            return []
        points = found.points(metric.name)
        return [Observation(value, dict(zip(metric.attributes, key, strict=True))) for value, key in points]

    return observe
