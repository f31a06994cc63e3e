"""What a guarded call costs, as ratios to what it is compared with, in one interleaved run.

``python -m tests.benchmarks.hot_path [--json] [--quick] [--write]`` needs ``pip install '.[bench]'``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.benchmarks import report
from tests.benchmarks.rounds import Item, Quotient, Spent, by, measure, ratios, spread
from tests.benchmarks.targets import QUOTIENTS

ROUNDS, QUICK_ROUNDS = 100, 6
RESULT = Path(__file__).with_name("results") / "hot_path.json"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "performance.md"
PACKAGES = (
    "cachetools", "httpx", "httpcore", "anyio", "sniffio", "openfeature-sdk", "launchdarkly-server-sdk",
    "stamina", "tenacity", "opentelemetry-api", "uvicorn",
)  # fmt: skip


def main(words: Sequence[str] | None = None) -> int:
    options = _options(words)
    quotients = _chosen(options.only)
    if not quotients or (options.write and options.only) or options.rounds < 1:
        print("give codes such as T1,T13 and at least one round; --write takes all ratios", file=sys.stderr)
        return 2
    progress = _progress()
    try:
        rounds = QUICK_ROUNDS if options.quick else options.rounds
        result = run(quotients, rounds, progress, collect=options.gc)
    except ModuleNotFoundError as error:
        print(f"{error.name} is not installed; pip install '.[bench]'", file=sys.stderr)
        return 2
    finally:
        progress("")
    if options.write:
        RESULT.write_text(json.dumps(result, indent=1) + "\n")
        PAGE.write_text(report.page(result))
    print(json.dumps(result, indent=1) if options.json else report.table(result))
    failed = any(row["gate_met"] is False for row in result["ratios"])
    return 1 if failed or any(not check["holds"] for check in result["checks"]) else 0


def _options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.hot_path", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROUNDS} rounds: to see that it works")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds of slices (default: %(default)s)")
    parser.add_argument("--only", metavar="CODES", help="comma-separated codes of ratios, such as T1,T13")
    parser.add_argument("--gc", action="store_true", help="leave the garbage collector on inside slices")
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name} and docs/{PAGE.name}")
    return parser.parse_args(words)


def _chosen(codes: str | None) -> list[Quotient]:
    """All ratios, or those whose code begins with one of *codes*."""
    if codes is None:
        return list(QUOTIENTS)
    wanted = codes.split(",")
    return [q for q in QUOTIENTS if q.code in wanted or q.code.partition(" ")[0].rstrip("ab") in wanted]


def _progress() -> Callable[[str], None]:
    """Says on a terminal what is going on; silent elsewhere."""
    if not sys.stderr.isatty():
        return lambda text: None
    return lambda text: print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def run(
    quotients: Sequence[Quotient], rounds: int, progress: Callable[[str], None], *, collect: bool = False
) -> dict[str, Any]:
    """Measure *quotients*; the result as JSON-safe values."""
    from tests.benchmarks import flocks, loopback, product, rivals

    loop = asyncio.new_event_loop()
    progress("starting the service")
    started = time.perf_counter()
    with loopback.serving() as service:
        clients = product.Clients(service)
        flock = flocks.Flocks(clients, loop)
        try:
            checks = product.proofs(clients, loop)
            labels = clients.quiet.policy(product.SURFACE).labels
            items = [
                *rivals.handlers(loop, product.fresh_texts),
                rivals.cached(product.fresh_texts),
                *product.hits(clients, loop),
                *product.others(clients)[:1],
                *rivals.flags(product.fresh_texts),
                product.machinery(),
                *rivals.retries(product.fresh_texts),
                *_alternating(
                    product.misses(clients, loop),
                    rivals.bare_http(loop, service.url, labels, product.distinct_texts),
                ),
                *product.others(clients)[1:],
                rivals.digest(product.fresh_pictures),
                *flock.items(),
            ]
            items = _needed(items, quotients)
            times, calls = measure(items, rounds, progress=progress, collect=collect)
            checks += product.proofs(clients, loop)
            checks += [
                (f"most requests caused by {flocks.FLOCK} identical misses as {how}", 1, max(sent))
                for how, sent in flock.sent.items()
                if sent
            ]
            events, seconds = (sum(column) for column in zip((0, 0.0), *clients.delivered, strict=True))
        finally:
            flock.close()
            clients.close()
    return {
        "about": {
            **_environment(),
            "rounds": rounds,
            "collector": collect,
            "seconds": round(time.perf_counter() - started),
        },
        "ratios": [_row(quotient, times) for quotient in quotients],
        "items": [_item(item, times[item.name], calls[item.name]) for item in items],
        "checks": [{"what": w, "expected": e, "found": f, "holds": e == f} for w, e, f in checks],
        "labels": len(labels),
        "delivery_us_per_event": round(seconds / max(events, 1) * 1e6, 1),
    }


def _needed(items: Iterable[Item], quotients: Sequence[Quotient]) -> list[Item]:
    names = {name for q in quotients for name in (q.over, q.under, q.less)}
    always = {"bare handler", "retry machinery"} if len(quotients) == len(QUOTIENTS) else set()
    return [item for item in items if item.name in names | always]


def _alternating(one: Iterable[Item], other: Iterable[Item]) -> list[Item]:
    """Each item beside its rival."""
    return [item for pair in zip(one, other, strict=True) for item in pair]


def _row(quotient: Quotient, times: dict[str, list[Spent]]) -> dict[str, Any]:
    found = spread(ratios(quotient, times, quotient.clock))
    other = "wall" if quotient.clock == "cpu" else "cpu"
    return {
        "code": quotient.code,
        "title": quotient.title,
        "median": round(found.median, 3),
        "p10": round(found.p10, 3),
        "p90": round(found.p90, 3),
        "clock": quotient.clock,
        "by_other_clock": round(spread(ratios(quotient, times, other)).median, 3),
        "at_most": quotient.at_most,
        "at_least": quotient.at_least,
        "gate": quotient.gate,
        "met": _within(quotient, quotient.at_most, quotient.at_least, found.median),
        "gate_met": None if quotient.gate is None else _within(
            quotient,
            quotient.gate if quotient.at_most is not None else None,
            quotient.gate if quotient.at_least is not None else None,
            found.median,
        ),
        "note": quotient.note,
    }  # fmt: skip


def _within(quotient: Quotient, most: float | None, least: float | None, value: float) -> bool | None:
    if most is not None:
        return value <= most
    return None if least is None else value >= least


def _item(item: Item, times: list[Spent], calls: int) -> dict[str, Any]:
    cpu, wall = spread(by("cpu", times)), spread(by("wall", times))
    figures = {"cpu_ns": cpu.median, "wall_ns": wall.median, "wall_p10_ns": wall.p10, "wall_p90_ns": wall.p90}
    rounded = {name: round(value) for name, value in figures.items()}
    return {"name": item.name, "about": item.about, **rounded, "calls_per_slice": calls}


def _environment() -> dict[str, Any]:
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "packages": {name: version(name) for name in PACKAGES},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


if __name__ == "__main__":
    sys.exit(main())
