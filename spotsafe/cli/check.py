"""``spotsafe check``: a text or files against a surface: scores, the rules that fired, and the places."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from spotsafe.cli.evidence import clock, show_evidence
from spotsafe.cli.output import Output
from spotsafe.cli.sources import DEFAULT, policies_of, surface_of
from spotsafe.cli.subjects import Subject, subjects
from spotsafe.cli.unread import Unread, unread
from spotsafe.cli.waiting import PATIENCE, decided
from spotsafe.core.content import Content
from spotsafe.core.decision import Decision, Disposition, Reason
from spotsafe.core.signals import Evidence, Signal, Span, TimeRange
from spotsafe.core.wire import encode_evidence
from spotsafe.policy.actions import Action
from spotsafe.policy.load import builtin

UNDECLARED = "check"
"""The name under which the floor decides where no surface is named."""

SHOWN_FROM = 0.1
"""Scores below this are left out of the table (all are in the JSON)."""


MEANINGS = {
    "unsupported": "no detector here gives it",
    "language": "not in this language",
    "modality": "nothing here reads this kind",
    "size": "too large, too long, or too much in it",
    "timeout": "there was no time for it",
    "error": "it could not be read",
    "stale": "known of old only",
}
"""Causes in words."""

FINE, FINDINGS, UNUSABLE = 0, 1, 2


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument(
        "content",
        nargs="*",
        help="a text, or files: pictures, sound, video; '-' or nothing reads a text",
    )
    parser.add_argument("--surface", help="surface whose policy decides (default: the floor)")
    parser.add_argument(
        "--manifests", type=Path, help=f"file or folder of manifests (default: {DEFAULT}/ where it exists)"
    )
    parser.add_argument("--service", help="address of a service; without it the local engine checks")
    parser.add_argument("--api-key", help="key of the service; better in $SPOTSAFE_API_KEY, which ps hides")
    parser.add_argument("--language", action="append", default=[], help="language of the content, e.g. de")
    parser.add_argument(
        "--evidence", type=Path, metavar="FOLDER", help="save pictures here, with boxes around what was found"
    )


def run(args: argparse.Namespace, out: Output) -> int:
    """0 when everything passes, 1 when something is limited, held or blocked, 2 when something that the
    policy lets pass could not be checked at all."""
    from spotsafe.client.client import Client

    given = subjects(args.content, sys.stdin)
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
    documents: list[dict[str, Any]] = []
    blind = False
    with _errors_only(), client:
        policy = client.policy(args.surface or UNDECLARED).changed(deadline=PATIENCE)
        for subject in given:
            out.progress(f"checking {subject.title}")
            waited = decided(client, policy, Content([subject.part_for(policy)], args.language))
            decision = waited.decision
            if len(given) > 1 or subject.path is not None:
                out.line(subject.title, "bold")
            why = unread(subject, decision, service=bool(args.service))
            document = _shown(decision, subject, out, why) | waited.document
            if waited.message is not None:
                out.line(f"{subject.title}: {waited.message}", "bad")
            documents.append(document | _drawn(decision, subject, out, args.evidence))
            blind = blind or not decision.signals.scores
    out.json(documents[0] if len(documents) == 1 else documents)
    if not all(document["disposition"] == Disposition.ALLOW.word for document in documents):
        return FINDINGS
    return UNUSABLE if blind else FINE


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


def _shown(decision: Decision, subject: Subject, out: Output, why: Unread | None) -> dict[str, Any]:
    """Print what was found, or *why* nothing was; the same as a JSON document."""
    text = subject.text or ""
    style = {Disposition.BLOCK: "bad", Disposition.HOLD: "warn", Disposition.LIMIT: "warn"}
    words = ", ".join(Action(decision.disposition, decision.effects).words)
    out.line(f"{words}  ({decision.status.word})", style.get(decision.disposition, "good"))
    if why is not None:
        out.line(f"{subject.title}: {why.message}", "bad")
    shown = sorted((s for s in decision.signals.scores if s.score >= SHOWN_FROM), key=lambda s: -s.score)
    if not shown:
        count = len({signal.label for signal in decision.signals.scores})
        out.line(f"None of {count} labels scores {SHOWN_FROM} or more." if count else "No label has a score.")
    out.table(
        f"Scores from {SHOWN_FROM}", ("label", "score", "severity", "seen at", "detector"),
        [(s.label, s.score, s.severity, _places(s, text), s.detector) for s in shown],
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
        scored = {signal.label for signal in decision.signals.scores}
        partly = any(label in scored for label, _ in missing)
        out.table(
            "No score, or not for all of it" if partly else "No score", ("cause", "means", "labels"),
            [(c, MEANINGS[c], ", ".join(ls)) for c, ls in by_cause.items()],
        )  # fmt: skip
    edited = _edited(decision)
    if edited is not None and edited != text:
        out.line()
        out.line(f"After redaction: {edited}")
    document = _document(decision, edited)
    if subject.path is not None:
        document = {"file": str(subject.path), **document}
    return document | ({"unread": why._asdict()} if why else {})


def _drawn(decision: Decision, subject: Subject, out: Output, folder: Path | None) -> dict[str, Any]:
    """Show the evidence; where it was saved, as a part of the JSON document."""
    saved = show_evidence(subject, decision, out, folder)
    return {"evidence_saved_to": [str(path) for path in saved]} if saved else {}


def _places(signal: Signal, text: str) -> str:
    found = [_place(evidence, text) for evidence in signal.evidence[:3]]
    return ", ".join(found) or "–"


def _place(evidence: Evidence, text: str) -> str:
    if isinstance(evidence, Span):
        return f"{evidence.start}–{evidence.end} “{text[evidence.start : evidence.end]}”"
    if isinstance(evidence, TimeRange):
        return f"{clock(evidence.start)}–{clock(evidence.end)}"
    return f"box {evidence.left:.0%}, {evidence.top:.0%} to {evidence.right:.0%}, {evidence.bottom:.0%}"


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
        "scores": {label: round(score, 4) for label, score in decision.signals.peaks.items()},
        "evidence": [
            {
                "label": s.label,
                "score": round(s.score, 4),
                "part": s.part,
                "detector": s.detector,
                "places": [encode_evidence(place) for place in s.evidence],
            }
            for s in decision.signals.scores
            if s.evidence
        ],
        "missing": {m.label: m.cause.value for m in decision.signals.missing},
        "text": edited,
    }
