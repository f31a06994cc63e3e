"""``spotsafe check``: one text against a surface, with the scores, the rules that fired, and the places."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from spotsafe.cli.output import Output
from spotsafe.cli.sources import DEFAULT, policies_of, surface_of
from spotsafe.core.content import Content, Text
from spotsafe.core.decision import Decision, Disposition, Reason
from spotsafe.core.errors import ConfigurationError
from spotsafe.core.signals import Signal, Span
from spotsafe.policy.actions import Action
from spotsafe.policy.load import builtin

UNDECLARED = "check"
"""The name under which the floor decides where no surface is named."""

PATIENCE = 60.0
"""Seconds that a check may take: a person waits, and a first check loads the engine. The surface's own
deadline, which may be ``async``, is for requests."""

SHOWN_FROM = 0.1
"""Scores below this are left out of the table (all are in the JSON)."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("text", nargs="?", help="the text; '-' or nothing reads standard input")
    parser.add_argument("--surface", help="surface whose policy decides (default: the floor)")
    parser.add_argument(
        "--manifests", type=Path, help=f"file or folder of manifests (default: {DEFAULT}/ where it exists)"
    )
    parser.add_argument("--service", help="address of a service; without it the local engine checks")
    parser.add_argument("--api-key", help="key of the service; better in $SPOTSAFE_API_KEY, which ps hides")
    parser.add_argument("--language", action="append", default=[], help="language of the text, e.g. de")


def run(args: argparse.Namespace, out: Output) -> int:
    """0 when the text passes, 1 when it is limited, held or blocked."""
    from spotsafe.client.client import Client

    text = _read() if args.text in (None, "-") else args.text
    if not text.strip():
        raise ConfigurationError("there is no text to check: pass it as an argument or on standard input")
    manifests = args.manifests or (DEFAULT if DEFAULT.is_dir() else None)
    if args.surface:
        # Raises for faults and for an unknown surface: a product would go on and hold, a person corrects.
        surface_of(policies_of([manifests], None) if manifests else builtin(), args.surface)
    client = Client(
        manifests=manifests,
        service=args.service,
        api_key=args.api_key or os.environ.get("SPOTSAFE_API_KEY"),
        app="spotsafe-check",
        telemetry=False,
    )
    with _errors_only(), client:
        policy = client.policy(args.surface or UNDECLARED).changed(deadline=PATIENCE)
        part = next((name for name, spec in policy.content.items() if spec.kind == "text"), "text")
        content = Content([Text(text, part)], args.language)
        decision = client.check_content(policy, content)
    _show(decision, text, out)
    return 0 if decision.disposition is Disposition.ALLOW else 1


def _read() -> str:
    try:
        return sys.stdin.read()
    except UnicodeDecodeError:
        raise ConfigurationError("standard input is not UTF-8 text") from None


@contextmanager
def _errors_only() -> Iterator[None]:
    """Warnings of a client's start are for operators; ``spotsafe lint`` shows them to people."""
    log = logging.getLogger("spotsafe")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def _show(decision: Decision, text: str, out: Output) -> None:
    style = {Disposition.BLOCK: "bad", Disposition.HOLD: "warn", Disposition.LIMIT: "warn"}
    words = ", ".join(Action(decision.disposition, decision.effects).words)
    out.line(f"{words}  ({decision.status.word})", style.get(decision.disposition, "good"))
    shown = sorted((s for s in decision.signals.scores if s.score >= SHOWN_FROM), key=lambda s: -s.score)
    if not shown:
        count = len({signal.label for signal in decision.signals.scores})
        out.line(f"None of {count} labels scores {SHOWN_FROM} or more." if count else "No label has a score.")
    out.table(
        f"Scores from {SHOWN_FROM}", ("label", "score", "severity", "seen at", "detector"),
        [(s.label, s.score, s.severity, _places(s, text), f"{s.detector} {s.version}") for s in shown],
    )  # fmt: skip
    if decision.reasons:
        out.table(
            "Rules that fired", ("rule", "label", "because", "does"),
            [(r.rule, r.label, _because(r), _does(r)) for r in decision.reasons],
        )  # fmt: skip
    missing = sorted({(m.label, m.cause.value) for m in decision.signals.missing})
    if missing:
        by_cause: dict[str, list[str]] = {}
        for label, cause in missing:
            by_cause.setdefault(cause, []).append(label)
        out.table("No score", ("cause", "labels"), [(c, ", ".join(ls)) for c, ls in by_cause.items()])
    edited = _edited(decision)
    if edited is not None and edited != text:
        out.line()
        out.line(f"After redaction: {edited}")
    out.json(_document(decision, edited))


def _places(signal: Signal, text: str) -> str:
    spans = [e for e in signal.evidence if isinstance(e, Span)]
    return ", ".join(f"{s.start}–{s.end} “{text[s.start : s.end]}”" for s in spans[:3]) or "–"


def _because(reason: Reason) -> str:
    if reason.score is not None and reason.threshold is not None:
        return f"{reason.score:.2f} ≥ {reason.threshold:.2f}"
    return f"{reason.trigger}: {reason.cause}"


def _does(reason: Reason) -> str:
    return ", ".join(Action(reason.disposition, reason.effects).words)


def _edited(decision: Decision) -> str | None:
    if decision.content is None:
        return None
    data = decision.content.parts[0].data
    return data if isinstance(data, str) else None


def _document(decision: Decision, edited: str | None) -> dict[str, Any]:
    return {
        "action": decision.action,
        "disposition": decision.disposition.word,
        "effects": sorted(effect.value for effect in decision.effects),
        "status": decision.status.word,
        "decision_id": decision.id,
        "reasons": [
            {"rule": r.rule, "label": r.label, "because": _because(r), "does": _does(r)}
            for r in decision.reasons
        ],
        "scores": {s.label: round(s.score, 4) for s in decision.signals.scores},
        "missing": {m.label: m.cause.value for m in decision.signals.missing},
        "text": edited,
    }
