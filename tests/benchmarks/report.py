"""The result as a table for people and as a page of the documentation. Standard library only, so that a
test can read it without the rivals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_COLUMNS = (("cpu_ns", "CPU"), ("wall_ns", "wall"), ("wall_p10_ns", "p10"), ("wall_p90_ns", "p90"))


def table(result: dict[str, Any]) -> str:
    """Aligned text for a terminal."""
    rows = [("", "ratio", "measured", "p10 to p90", "target", "met", "clock", "by the other clock")]
    rows += [
        (row["code"], row["title"], _times(row["median"]), _range(row), _target(row), _met(row), row["clock"],
         _times(row["by_other_clock"]))
        for row in result["ratios"]
    ]  # fmt: skip
    items = [("", "what was timed", *(title for _, title in _COLUMNS))]
    items += [("", item["name"], *(_duration(item[key]) for key, _ in _COLUMNS)) for item in result["items"]]
    checks = [
        f"{'ok ' if check['holds'] else 'NOT'} {check['what']}: {check['found']:g} of {check['expected']:g}"
        for check in result["checks"]
    ]
    included = [f"{item['name']}: {item['about']}" for item in result["items"]]
    parts = (_aligned(rows), _aligned(items), "\n".join(checks), "\n".join(included), _setting(result))
    return "\n\n".join(parts)


def page(result: dict[str, Any]) -> str:
    """docs/performance.md."""
    ratios = [
        f"| {row['code']} | {row['title']}{_note(row)} | **{_times(row['median'])}** | "
        f"{_range(row)} | {_target(row)} | {_met(row)} | {row['clock']} | {_times(row['by_other_clock'])} |"
        for row in result["ratios"]
    ]
    items = [
        f"| {item['name']} | {' | '.join(_duration(item[key]) for key, _ in _COLUMNS)} | {item['about']} |"
        for item in result["items"]
    ]
    checks = [
        f"| {check['what']} | {check['expected']:g} | {check['found']:g} |" for check in result["checks"]
    ]
    return _PAGE.format(
        ratios="\n".join(ratios),
        items="\n".join(items),
        checks="\n".join(checks),
        setting=_setting(result),
        labels=result["labels"],
        delivery=f"{result['delivery_us_per_event']:.0f}",
        rounds=result["about"]["rounds"],
    )


_PAGE = """\
# Performance

<!-- Written by `python -m tests.benchmarks.hot_path --write`; change the benchmark, not this page. -->

What a guarded call costs, as ratios to something well known that ran in the same seconds on the same
machine. A ratio is the median over {rounds} rounds; in each round every subject runs for a few milliseconds,
every second round backwards. What only computes is compared by the CPU time of its thread, which other
processes on the machine do not disturb; what waits for a network or another thread is compared by the wall
clock. The other clock's ratio stands beside it. Times belong to one machine and one moment: read the ratios.

```console
$ pip install '.[bench]' && python -m tests.benchmarks.hot_path
```

## Ratios

| | ratio | measured | p10 to p90 | target | met | clock | by the other clock |
|---|---|---:|---:|---:|---|---|---:|
{ratios}

The surface has rules that read {labels} labels, no `when`, a deadline and a cache. Texts have 200 characters
and reach each call as a new string object whose hash nobody has computed. Hits are hits in a working set of
64 texts; misses are texts never seen before, asked over HTTP from a service in another process that answers
at once, so that nothing but the client is measured. Garbage collection runs between slices, not in them
(`--gc` leaves it on).

With telemetry on, a hit puts its event aside; building and sending it takes about {delivery} µs on the
delivery thread, HTTP included, which is not part of T3. The row "while events are delivered" has that thread
at work beside calls that never pause.

## What was counted, not timed

| what | expected | found |
|---|---:|---:|
{checks}

## What was timed, and what one call includes

| subject | CPU | wall | p10 | p90 | one call includes |
|---|---:|---:|---:|---:|---|
{items}

{setting}
"""


def _range(row: dict[str, Any]) -> str:
    return f"{row['p10']:.2f} to {row['p90']:.2f}"


def _note(row: dict[str, Any]) -> str:
    return f" ({row['note']})" if row["note"] else ""


def _times(value: float) -> str:
    return f"{value:.2f} ×"


def _target(row: dict[str, Any]) -> str:
    if row["at_most"] is not None:
        return f"≤ {row['at_most']:g} ×"
    return "" if row["at_least"] is None else f"≥ {row['at_least']:g} ×"


def _met(row: dict[str, Any]) -> str:
    return "" if row["met"] is None else ("yes" if row["met"] else "no")


def _duration(nanoseconds: float) -> str:
    if nanoseconds < 10_000:
        return f"{nanoseconds:,.0f} ns"
    return f"{nanoseconds / 1e3:,.0f} µs" if nanoseconds < 10_000_000 else f"{nanoseconds / 1e6:,.1f} ms"


def _setting(result: dict[str, Any]) -> str:
    about = result["about"]
    packages = ", ".join(f"{name} {number}" for name, number in about["packages"].items())
    return (
        f"Measured on {about['date']}: {about['python']}, {about['system']}, {about['processor']}, "
        f"{about['cores']} cores, load average {about['load']}; {packages}."
    )


def _aligned(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    numeric = range(2, 6)
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if column in numeric else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
