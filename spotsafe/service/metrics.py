"""Counters of the service as Prometheus text (exposition format 0.0.4).

Label values come from closed sets only (routes, methods, statuses, results), never from a request, so
that neither content nor cardinality can leak in.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping

Labels = tuple[tuple[str, str], ...]

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the duration histograms in seconds."""

HELP: dict[str, tuple[str, str]] = {
    "spotsafe_http_requests_total": ("counter", "Requests by route, method and status."),
    "spotsafe_http_request_seconds": ("histogram", "Time to answer by route."),
    "spotsafe_detect_items_total": ("counter", "Items scored by route and result."),
    "spotsafe_detect_queue_items": ("gauge", "Items waiting or in work."),
    "spotsafe_jobs_ordered_total": ("counter", "Jobs ordered."),
    "spotsafe_jobs_ended_total": ("counter", "Jobs that are over by result: done, set_aside."),
    "spotsafe_jobs": ("gauge", "Jobs by state."),
    "spotsafe_events_total": ("counter", "Events by result: accepted, duplicate, refused."),
    "spotsafe_events_swept_total": ("counter", "Events dropped by retention."),
    "spotsafe_holds": ("gauge", "Holds by state."),
    "spotsafe_engine_ready": ("gauge", "1 while a detector is loaded."),
    "spotsafe_store_ready": ("gauge", "1 while the store can be read."),
    "spotsafe_faults_total": ("counter", "Contained internal faults by place."),
}


class Metrics:
    """Counters and histograms; safe from any thread."""

    __slots__ = ("_counts", "_lock", "_times")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, dict[Labels, float]] = defaultdict(lambda: defaultdict(float))
        self._times: dict[str, dict[Labels, list[float]]] = defaultdict(dict)

    def count(self, name: str, by: float = 1, **labels: str) -> None:
        """Add *by* to the counter *name*, a key of :data:`HELP`."""
        with self._lock:
            self._counts[name][_sorted(labels)] += by

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        """Put one duration into the histogram *name*: bucket counts, then the sum."""
        with self._lock:
            series = self._times[name].setdefault(_sorted(labels), [0.0] * (len(BUCKETS) + 2))
            series[bisect_left(BUCKETS, seconds)] += 1
            series[-1] += seconds

    def text(self, gauges: Iterable[tuple[str, Mapping[str, str], float]] = ()) -> str:
        """Everything counted, with *gauges* (name, labels, value) read at this moment."""
        lines: list[str] = []
        with self._lock:
            samples = {name: dict(found) for name, found in self._counts.items()}
            times = {name: {k: list(v) for k, v in found.items()} for name, found in self._times.items()}
        for name, labels, value in gauges:
            samples.setdefault(name, {})[_sorted(labels)] = value
        for name, (kind, about) in HELP.items():
            if name in samples or name in times:
                lines += [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
            lines += [f"{name}{_shown(key)} {value:g}" for key, value in samples.get(name, {}).items()]
            for key, series in times.get(name, {}).items():
                lines += _histogram(name, key, series)
        return "\n".join(lines) + "\n"


def _histogram(name: str, labels: Labels, series: list[float]) -> list[str]:
    lines, total = [], 0.0
    for bound, count in zip((*map(str, BUCKETS), "+Inf"), series[:-1], strict=True):
        total += count
        lines.append(f"{name}_bucket{_shown((*labels, ('le', bound)))} {total:g}")
    return [*lines, f"{name}_sum{_shown(labels)} {series[-1]:.6f}", f"{name}_count{_shown(labels)} {total:g}"]


def _sorted(labels: Mapping[str, str]) -> Labels:
    return tuple(sorted(labels.items()))


def _shown(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
