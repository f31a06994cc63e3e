"""The adoption table: which surfaces are guarded, how, and what is not. Pure; rows in, table out."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from spotsafe.core.records import ENVIRONMENTS_APART, Record
from spotsafe.telemetry.adoption import ALIVE_SECONDS, DISPOSITIONS, STATUSES, AdoptionState, Row, day_of
from spotsafe.telemetry.histogram import RELATIVE_ERROR, quantile


class SurfaceRow(NamedTuple):
    """One surface of a team in one environment.

    *declared*: in a manifest of a process alive in the last seven days; *decorated*: in its code; *seen*:
    at least one guarded call. *unlinked*: ``"code"`` where it is used without a manifest, ``"manifest"``
    where a manifest declares what no code uses, else empty. Shares are of *traffic*, in [0, 1]. *waivers*:
    ``{"rule", "ends", "owner", "uses"}``. Latencies in milliseconds, within RELATIVE_ERROR, None without
    traffic. Times in Unix seconds.
    """

    team: str
    surface: str
    environment: str
    apps: tuple[str, ...]
    declared: bool
    decorated: bool
    seen: bool
    unlinked: str
    mode: str
    traffic: int
    statuses: Mapping[str, float]
    dispositions: Mapping[str, float]
    would: Mapping[str, int]
    queued: int
    held: int
    failed_open: int
    bypassed: int
    waivers: tuple[Mapping[str, Any], ...]
    kill_switches: tuple[str, ...]
    unsupported: tuple[str, ...]
    sdks: tuple[str, ...]
    p50_ms: float | None
    p95_ms: float | None
    last_seen: float | None


class AdoptionTable(NamedTuple):
    """*rows*: real traffic; *apart*: environments ``ci``, ``test`` and ``demo``. *drops*: events lost, by
    application and reason. *instances*: processes alive. *as_of*: Unix seconds."""

    rows: tuple[SurfaceRow, ...]
    apart: tuple[SurfaceRow, ...]
    drops: Mapping[str, Mapping[str, int]]
    feedback: Mapping[str, int]
    instances: int
    as_of: float

    def findings(self) -> list[SurfaceRow]:
        """Rows of real traffic that somebody should look at: unlinked, or a failure let content through."""
        return [row for row in self.rows if row.unlinked or row.failed_open]

    def to_json(self) -> dict[str, Any]:
        """JSON objects and arrays only; read back by :meth:`from_json`."""
        return {
            "as_of": self.as_of,
            "instances": self.instances,
            "latency_relative_error": RELATIVE_ERROR,
            "surfaces": [_row_json(row) for row in self.rows],
            "apart": [_row_json(row) for row in self.apart],
            "drops": {app: dict(reasons) for app, reasons in self.drops.items()},
            "feedback": dict(self.feedback),
        }

    @classmethod
    def from_json(cls, value: Any) -> AdoptionTable:
        """The table in *value*. ValueError where it is not one; fields of a later version are ignored."""
        try:
            return cls(
                tuple(_row_from(row) for row in value["surfaces"]),
                tuple(_row_from(row) for row in value["apart"]),
                {str(app): dict(reasons) for app, reasons in value["drops"].items()},
                dict(value["feedback"]),
                int(value["instances"]),
                float(value["as_of"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"this is not an adoption table ({type(error).__name__})") from None


def summarise(
    source: AdoptionState | Iterable[Record | Row],
    *,
    now: float,
    environment: str | None = None,
    since: float | None = None,
) -> AdoptionTable:
    """The table at *now* from a state, rows, or records (each event once). *environment* keeps one
    environment; *since* leaves out days before that instant's."""
    rows = [row for row in _rows(source) if environment is None or row.key.environment == environment]
    if since is not None:
        first = day_of(since)
        rows = [row for row in rows if not row.key.day or row.key.day >= first]
    alive = {_process(row): row for row in rows if row.key.name == "alive" and row.at >= now - ALIVE_SECONDS}
    gathered = _gather(rows, alive)
    table = [_surface_row(key, found) for key, found in sorted(gathered.items())]
    return AdoptionTable(
        tuple(row for row in table if row.environment not in ENVIRONMENTS_APART),
        tuple(row for row in table if row.environment in ENVIRONMENTS_APART),
        _by_application(rows, "drops."),
        _over_applications(rows, "feedback."),
        len(alive),
        now,
    )


class _Found:
    """What was found of one surface."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = defaultdict(int)
        self.latency: dict[int, int] = defaultdict(int)
        self.apps: set[str] = set()
        self.sdks: set[str] = set()
        self.waivers: dict[str, dict[str, Any]] = {}
        self.switches: set[str] = set()
        self.unsupported: set[str] = set()
        self.declared = False
        self.decorated = False
        self.mode = (0.0, "")
        self.last_seen: float | None = None

    def count(self, row: Row) -> None:
        """Take one row of traffic in."""
        name, _, rest = row.key.name.partition(".")
        self.apps.add(row.key.app)
        if name == "latency":
            self.latency[int(rest)] += row.number
        elif name == "sdk":
            self.sdks.add(rest)
        elif name == "mode":
            self.mode = max(self.mode, (row.at, row.text))
        elif name == "waiver":
            self._waiver(rest)["uses"] += row.number
        else:
            self.counts[row.key.name] += row.number
        if name == "traffic":
            self.last_seen = max(row.at, self.last_seen or 0.0)
        if name == "bypassed":
            self.switches.add(row.text)

    def register(self, declared: Mapping[str, Any], alive: Row, switches: Iterable[str]) -> None:
        """Take in what one living process declares."""
        self.apps.add(alive.key.app)
        self.sdks.add(alive.text)
        self.declared |= declared["declared"]
        self.decorated |= declared["decorated"]
        if declared["declared"]:
            self.mode = max(self.mode, (alive.at, declared["mode"]))
        self.unsupported.update(declared["unsupported"])
        self.switches.update(switches)
        for waiver in declared["waivers"]:
            self._waiver(waiver["rule"]).update(ends=waiver["ends"], owner=waiver["owner"])

    def _waiver(self, rule: str) -> dict[str, Any]:
        return self.waivers.setdefault(rule, {"rule": rule, "ends": None, "owner": "", "uses": 0})

    @property
    def unlinked(self) -> str:
        used = self.decorated or self.counts["traffic"] > 0
        if used and not self.declared:
            return "code"
        return "manifest" if self.declared and not used else ""


def _gather(rows: list[Row], alive: Mapping[tuple[str, str, str], Row]) -> dict[tuple[str, str, str], _Found]:
    gathered: dict[tuple[str, str, str], _Found] = defaultdict(_Found)
    for row in rows:
        if row.key.surface:
            gathered[row.key.team, row.key.surface, row.key.environment].count(row)
    declares = {(row.key.app, row.key.environment, row.key.name.partition(".")[2]): row.text
                for row in rows if row.key.name.startswith("declares.")}  # fmt: skip
    for row in rows:
        process = alive.get(_process(row)) if row.key.name.startswith("register.") else None
        if process is None:
            continue
        text = declares.get((row.key.app, row.key.environment, row.text))
        declared = json.loads(text) if text else {"surfaces": [], "kill_switches": []}
        for surface in declared["surfaces"]:
            key = surface["team"], surface["surface"], row.key.environment
            switches = _concerning(declared["kill_switches"], surface["surface"])
            gathered[key].register(surface, process, switches)
    return gathered


def _concerning(switches: Iterable[str], surface: str) -> list[str]:
    """The kill switches that concern *surface*: ``surface:NAME`` and ``rule:…`` name theirs."""
    return [s for s in switches if not s.startswith("surface:") or s == f"surface:{surface}"]


def _surface_row(key: tuple[str, str, str], found: _Found) -> SurfaceRow:
    team, surface, environment = key
    traffic = found.counts["traffic"]
    p50, p95 = quantile(found.latency, 0.5), quantile(found.latency, 0.95)
    return SurfaceRow(
        team, surface, environment,
        apps=tuple(sorted(found.apps)),
        declared=found.declared,
        decorated=found.decorated,
        seen=traffic > 0,
        unlinked=found.unlinked,
        mode=found.mode[1],
        traffic=traffic,
        statuses=_shares(found.counts, "status.", (*STATUSES, "other"), traffic),
        dispositions=_shares(found.counts, "disposition.", (*DISPOSITIONS, "other"), traffic),
        would={d: found.counts[f"would.{d}"] for d in DISPOSITIONS if found.counts[f"would.{d}"]},
        queued=found.counts["queued"],
        held=found.counts["held"],
        failed_open=found.counts["failed_open"],
        bypassed=found.counts["bypassed"],
        waivers=tuple(found.waivers[rule] for rule in sorted(found.waivers)),
        kill_switches=tuple(sorted(s for s in found.switches if s)),
        unsupported=tuple(sorted(found.unsupported)),
        sdks=tuple(sorted(s for s in found.sdks if s)),
        p50_ms=None if p50 is None else round(p50, 4),
        p95_ms=None if p95 is None else round(p95, 4),
        last_seen=found.last_seen,
    )  # fmt: skip


def _shares(counts: Mapping[str, int], prefix: str, words: Iterable[str], traffic: int) -> dict[str, float]:
    return {w: round(counts[prefix + w] / traffic, 6) for w in words if traffic and counts[prefix + w]}


def _rows(source: AdoptionState | Iterable[Record | Row]) -> list[Row]:
    if isinstance(source, AdoptionState):
        return source.rows()
    state = AdoptionState()
    for entry in source:
        if isinstance(entry, Row):
            state.absorb([entry])
        else:
            state.add(entry)
    return state.rows()


def _process(row: Row) -> tuple[str, str, str]:
    return row.key.app, row.key.environment, row.key.instance


def _by_application(rows: Iterable[Row], prefix: str) -> dict[str, dict[str, int]]:
    """The sums of the rows named ``PREFIX…``, by application and by what follows the prefix."""
    sums: dict[str, dict[str, int]] = {}
    for row in rows:
        if row.key.name.startswith(prefix):
            of_app, word = sums.setdefault(row.key.app, {}), row.key.name.removeprefix(prefix)
            of_app[word] = of_app.get(word, 0) + row.number
    return sums


def _over_applications(rows: Iterable[Row], prefix: str) -> dict[str, int]:
    sums: dict[str, int] = defaultdict(int)
    for counts in _by_application(rows, prefix).values():
        for word, number in counts.items():
            sums[word] += number
    return dict(sums)


def _row_json(row: SurfaceRow) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in row._asdict().items()}


def _row_from(value: Mapping[str, Any]) -> SurfaceRow:
    """The row in *value*; ValueError where a field is of another type than ours."""
    values = (value[name] for name in SurfaceRow._fields)
    row = SurfaceRow._make(tuple(field) if isinstance(field, list) else field for field in values)
    for name, field, model in zip(SurfaceRow._fields, row, _surface_row(("", "", ""), _Found()), strict=True):
        number = isinstance(field, int | float)
        if not (number or field is None if model is None else isinstance(field, type(model))):
            raise ValueError(f"this is not an adoption table ({name})")
    shares: list[Any] = [*row.statuses.values(), *row.dispositions.values()]
    waivers = [w.get("ends") if isinstance(w, dict) else "" for w in row.waivers]
    numbers = all(n is None or isinstance(n, int | float) for n in [*shares, *waivers])
    if not numbers or row.unlinked not in ("", "code", "manifest"):
        raise ValueError("this is not an adoption table (shares, waivers, unlinked)")
    return row
