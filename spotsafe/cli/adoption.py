"""``spotsafe adoption``: which surfaces are guarded, how, and what is not."""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spotsafe.core.clock import SystemClock
from spotsafe.core.errors import ConfigurationError
from spotsafe.telemetry.adoption import AdoptionState
from spotsafe.telemetry.adoption_table import AdoptionTable, SurfaceRow, summarise

if TYPE_CHECKING:
    from spotsafe.cli.output import Output

TIMEOUT = 10.0
MAX_ANSWER = 64 * 2**20
UNLINKED = {
    "": "yes",
    "code": "no manifest",
    "manifest": "no code",
}
REMEDIES = {
    "code": "runs under the floor alone: declare it in a manifest",
    "manifest": "is declared, but no code guards it: decorate its handler or take it out of the manifest",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--service", metavar="URL", help="ask the central service (default: $SPOTSAFE_SERVICE)"
    )
    source.add_argument("--outbox", metavar="FILE", type=Path, help="read a client's outbox file instead")
    parser.add_argument(
        "--api-key", metavar="KEY", help="key with scope admin; better in $SPOTSAFE_API_KEY, which ps hides"
    )
    parser.add_argument("--environment", metavar="NAME", help="only this environment")
    parser.add_argument(
        "--strict",
        action="store_true",
        help="exit 1 where a surface is unlinked or a failure let content through",
    )


def run(args: argparse.Namespace, out: Output) -> int:
    """Print the table; 1 with ``--strict`` and findings, else 0. Raises ConfigurationError."""
    service = args.service or os.environ.get("SPOTSAFE_SERVICE")
    if args.outbox is not None:
        table = from_outbox(args.outbox, args.environment, now=SystemClock().now())
    elif service:
        table = from_service(service, args.api_key or os.environ.get("SPOTSAFE_API_KEY"), args.environment)
    else:
        raise ConfigurationError(
            "name where to look: --service URL (or SPOTSAFE_SERVICE), or --outbox FILE of a client"
        )
    findings = table.findings()
    out.json({**table.to_json(), "findings": [_finding(row) for row in findings]})
    show(table, out)
    return 1 if args.strict and findings else 0


def from_outbox(path: Path, environment: str | None, *, now: float) -> AdoptionTable:
    """The table of the events in an outbox file. Raises ConfigurationError."""
    from spotsafe.telemetry.file_store import read_bodies

    state = AdoptionState()
    try:
        for body in read_bodies(path):
            try:
                record = json.loads(body)
            except ValueError:
                continue
            if isinstance(record, dict):
                state.add(record, received=now)
    except FileNotFoundError:
        raise ConfigurationError(f"--outbox {path}: there is no such file") from None
    except (sqlite3.Error, OSError) as error:
        raise ConfigurationError(f"--outbox {path}: not an outbox file ({type(error).__name__})") from None
    return summarise(state, now=now, environment=environment)


def from_service(service: str, api_key: str | None, environment: str | None) -> AdoptionTable:
    """The table that the service has. Raises ConfigurationError, which names the host and no key."""
    import httpx

    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    query = {"environment": environment} if environment else {}
    try:
        url = httpx.URL(service.rstrip("/") + "/v1/adoption", params=query)
        with httpx.Client(timeout=TIMEOUT, headers=headers) as client, client.stream("GET", url) as answer:
            body = _bounded(answer.iter_bytes()) if answer.status_code == 200 else b""
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, UnicodeError) as error:
        raise ConfigurationError(
            f"the service gave no answer ({type(error).__name__}): is --service right, is it running?"
        ) from None
    if answer.status_code in (401, 403):
        raise ConfigurationError(
            f"the service at {url.host} refuses this key ({answer.status_code}): "
            "pass one with scope admin in SPOTSAFE_API_KEY"
        )
    try:
        return AdoptionTable.from_json(json.loads(body))
    except ValueError:
        raise ConfigurationError(
            f"what answers at {url.host} is not a spotsafe service (status {answer.status_code}): "
            "check --service"
        ) from None


def _bounded(chunks: Iterable[bytes]) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > MAX_ANSWER:
            return b""
    return bytes(body)


def show(table: AdoptionTable, out: Output) -> None:
    """The table for people."""
    if not table.rows and not table.apart:
        out.line("No surface has been reported yet. A process registers when its client starts.")
    if table.rows:
        _show_rows("Surfaces", table.rows, table.as_of, out)
    if table.apart:
        _show_rows("Apart: ci, test and demo", table.apart, table.as_of, out)
    _show_exceptions([*table.rows, *table.apart], table.as_of, out)
    for app, reasons in table.drops.items():
        lost = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
        out.line(f"{app} lost events that are not in this table: {lost}", "warn")
    if table.feedback:
        out.line("Feedback: " + ", ".join(f"{n} {verdict}" for verdict, n in table.feedback.items()))
    for row in table.findings():
        out.line(f"{row.surface} ({row.environment}) {_finding(row)['finding']}", "warn")
    out.line(f"{table.instances} process(es) heard of in the last 7 days", "dim")


def _show_rows(title: str, rows: Iterable[SurfaceRow], as_of: float, out: Output) -> None:
    rows = list(rows)
    out.table(
        title,
        ("team", "surface", "environment", "declared", "seen", "linked", "mode", "traffic", "last", "client"),
        [
            (row.team or None, row.surface, row.environment, row.declared, row.seen, UNLINKED[row.unlinked],
             row.mode or None, row.traffic, _ago(row.last_seen, as_of), " ".join(row.sdks) or None)
            for row in rows
        ],
    )  # fmt: skip
    heads = ("surface", "env", "status", "disposition", "queued", "held", "let through", "bypassed",
             "p50 ms", "p95 ms")  # fmt: skip
    cells = [_decision_cells(row) for row in rows if row.seen]
    if cells:
        out.table("Decisions", heads, cells)


def _decision_cells(row: SurfaceRow) -> tuple[Any, ...]:
    return (
        row.surface,
        row.environment,
        _shares(row.statuses),
        _shares(row.dispositions),
        row.queued,
        row.held,
        row.failed_open,
        row.bypassed,
        _milliseconds(row.p50_ms),
        _milliseconds(row.p95_ms),
    )


def _show_exceptions(rows: Iterable[SurfaceRow], as_of: float, out: Output) -> None:
    """What loosens a surface: waivers and kill switches."""
    exceptions: list[tuple[Any, ...]] = []
    for row in rows:
        for waiver in row.waivers:
            ends = waiver.get("ends")
            until = "unknown" if ends is None else "over" if ends <= as_of else f"in {_span(ends - as_of)}"
            exceptions.append(
                (row.surface, row.environment, "waiver", waiver.get("rule"), waiver.get("owner"), until,
                 waiver.get("uses"))
            )  # fmt: skip
        exceptions += [
            (row.surface, row.environment, "kill switch", switch, None, None, row.bypassed)
            for switch in row.kill_switches
        ]
    if exceptions:
        heads = ("surface", "environment", "exception", "what", "owner", "ends", "uses")
        out.table("Waivers and kill switches", heads, exceptions)


def _finding(row: SurfaceRow) -> dict[str, Any]:
    found = []
    if row.unlinked:
        found.append(REMEDIES[row.unlinked])
    if row.failed_open:
        found.append(
            f"let {row.failed_open} content(s) through unchecked after a failure: see its on_failure"
        )
    return {"team": row.team, "surface": row.surface, "environment": row.environment,
            "finding": "; ".join(found)}  # fmt: skip


def _shares(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{word} {_percent(share)}" for word, share in shares.items())


def _percent(share: float) -> str:
    """Whole percents; what is not nothing and not all never reads as either."""
    if 0 < share < 0.01:
        return "<1%"
    if 0.99 < share < 1:
        return ">99%"
    return f"{share:.0%}"


def _milliseconds(value: float | None) -> str | None:
    return None if value is None else f"{value:.3f}" if value < 1 else f"{value:.1f}"


def _ago(at: float | None, as_of: float) -> str | None:
    return None if at is None else "now" if as_of - at < 1 else f"{_span(as_of - at)} ago"


def _span(seconds: float) -> str:
    for unit, size in (("d", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
