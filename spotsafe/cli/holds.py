"""``spotsafe holds list | release | reject``: decide on held content, at a service or in a holds file."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spotsafe.cli.desk import ServiceDesk, instant
from spotsafe.core.errors import ConfigurationError
from spotsafe.core.receipts import HoldState

if TYPE_CHECKING:
    from spotsafe.cli.output import Output

COLUMNS = ("decision", "surface", "reason", "state", "expires", "note")
_ACTS = {"release": HoldState.RELEASED, "reject": HoldState.REJECTED}


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("action", choices=("list", *_ACTS), help="what to do")
    parser.add_argument("decision", nargs="*", help="decision ids to release or reject")
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--service", metavar="URL", help="ask the central service (default: $SPOTSAFE_SERVICE)"
    )
    source.add_argument(
        "--outbox", metavar="FILE", type=Path, help="the outbox file of a client without a service"
    )
    parser.add_argument(
        "--api-key", metavar="KEY", help="key with scope admin; better in $SPOTSAFE_API_KEY, which ps hides"
    )
    parser.add_argument(
        "--state", choices=[state.value for state in HoldState], default="pending", help="which to list"
    )
    parser.add_argument("--note", help="why; shown to whoever asks for the verdict")


def run(args: argparse.Namespace, out: Output) -> int:
    """List or decide; 1 where a decision id was not pending. Raises ConfigurationError."""
    desk = _desk(args)
    try:
        return _run(args, desk, out)
    finally:
        desk.close()


def _desk(args: argparse.Namespace) -> _File | _Service:
    if args.outbox is not None:
        return _File(args.outbox)
    service = args.service or os.environ.get("SPOTSAFE_SERVICE")
    if not service:
        raise ConfigurationError(
            "name where to look: --service URL (or SPOTSAFE_SERVICE), or --outbox FILE of a client"
        )
    return _Service(service, args.api_key or os.environ.get("SPOTSAFE_API_KEY"))


def _run(args: argparse.Namespace, desk: _File | _Service, out: Output) -> int:
    if args.action == "list":
        if args.decision:
            raise ConfigurationError("list takes no decision ids; --state chooses which holds are shown")
        return _listed(desk.listed(args.state), out)
    if not args.decision:
        raise ConfigurationError(f"name the decisions to {args.action}; `spotsafe holds list` shows them")
    return _decided(desk, args.decision, _ACTS[args.action], args.note, out)


def _listed(holds: list[dict[str, Any]], out: Output) -> int:
    out.json({"holds": holds})
    rows = [
        (h["decision_id"], h["surface"], h["reason"], h["state"], instant(h["expires"]), h.get("note"))
        for h in holds
    ]
    if not rows:
        out.line("nothing held")
    out.table(f"{len(rows)} held", COLUMNS, rows)
    return 0


def _decided(
    desk: _File | _Service, decisions: list[str], state: HoldState, note: str | None, out: Output
) -> int:
    outcomes = {decision: desk.decide(decision, state, note) for decision in decisions}
    rows = [{"decision_id": d, "state": state.value, "done": done} for d, done in outcomes.items()]
    out.json({"decided": rows})
    for decision, done in outcomes.items():
        if done:
            out.line(f"{decision} {state.value}", "good")
        else:
            out.line(f"{decision} is not pending, or not known here: nothing changed", "warn")
    return 0 if all(outcomes.values()) else 1


class _File:
    """The holds file beside an outbox file."""

    def __init__(self, outbox: Path) -> None:
        from spotsafe.client.hold_store import FileHolds, holds_path
        from spotsafe.core.clock import SystemClock

        path = holds_path(outbox)
        if not path.exists():
            raise ConfigurationError(f"there is no holds file {path}; name the outbox file of the client")
        self._store = FileHolds(path, SystemClock())
        self._store.check()

    def listed(self, state: str) -> list[dict[str, Any]]:
        """Holds in *state*; ``expired`` are pending ones past their time."""
        now = time.time()
        pending = [held._asdict() for held in self._store.listed("pending")]
        if state == "expired":
            return [held for held in pending if held["expires"] <= now]
        if state == "pending":
            return [held for held in pending if held["expires"] > now]
        return [held._asdict() for held in self._store.listed(state)]

    def decide(self, decision: str, state: HoldState, note: str | None) -> bool:
        """Whether the hold was pending and is now in *state*."""
        return self._store.decide(decision, state, note, time.time())

    def close(self) -> None:
        """Nothing is kept open."""


class _Service:
    """The holds of a service."""

    def __init__(self, url: str, api_key: str | None) -> None:
        self._desk = ServiceDesk(url, api_key, "holds")

    def listed(self, state: str) -> list[dict[str, Any]]:
        """Every hold in *state*."""
        return self._desk.listed("v1/holds", "holds", state)

    def decide(self, decision: str, state: HoldState, note: str | None) -> bool:
        """Whether the service has the hold in *state* now; False where it is not known there, or was decided
        otherwise."""
        change = {"state": state.value, **({"note": note} if note else {})}
        hold = self._desk.changed("v1/holds", decision, change)
        return hold is not None and hold.get("state") == state.value

    def close(self) -> None:
        """Let go of the connection."""
        self._desk.close()
