"""What ``spotsafe check`` prints of a decision, and the same as a JSON document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from spotsafe.cli.check_parts import Item
from spotsafe.cli.evidence import clock
from spotsafe.cli.output import Output
from spotsafe.cli.unread import Unread
from spotsafe.core.content import Part
from spotsafe.core.decision import Decision, Disposition, Reason
from spotsafe.core.signals import Evidence, Signal, Span, TimeRange
from spotsafe.core.wire import encode_evidence
from spotsafe.policy.actions import Action
from spotsafe.policy.wording import first_few

SHOWN_FROM = 0.1
"""Scores below this are left out of the table (all are in the JSON)."""

FUSED = "local.fused"
"""The detector whose scores come from all parts together; the id that
:data:`spotsafe.detectors.fusion.engine.ID` has, which is not imported for a name."""

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


def show(decision: Decision, item: Item, out: Output, unread: Mapping[str, Unread]) -> dict[str, Any]:
    """Print what was found in *item*, and why parts were *unread* (by name); the same as a JSON document."""
    style = {Disposition.BLOCK: "bad", Disposition.HOLD: "warn", Disposition.LIMIT: "warn"}
    words = ", ".join(Action(decision.disposition, decision.effects).words)
    out.line(f"{words}  ({decision.status.word})", style.get(decision.disposition, "good"))
    for subject in item.subjects:
        if subject.part in unread:
            out.line(f"{subject.title}: {unread[subject.part].message}", "bad")
    _show_scores(decision, item, out)
    if decision.reasons:
        out.table("Rules that fired", ("rule", "label", "because", "does"), _rule_rows(decision.reasons))
    _show_missing(decision, item, out)
    edited = _edited(decision)
    for name, text in edited.items():
        if text != item.texts.get(name):
            out.line()
            out.line(f"After redaction{f' of {name}' if item.is_joint else ''}: {text}")
    return _document(decision, item, edited, unread)


def _show_scores(decision: Decision, item: Item, out: Output) -> None:
    shown = sorted((s for s in decision.signals.scores if s.score >= SHOWN_FROM), key=lambda s: -s.score)
    if not shown:
        count = len({signal.label for signal in decision.signals.scores})
        out.line(f"None of {count} labels scores {SHOWN_FROM} or more." if count else "No label has a score.")
    for signal in shown:
        if signal.detector == FUSED and item.is_joint:
            others = ", ".join(s.part for s in item.subjects if s.part != signal.part)
            out.line(f"{signal.part} together with {others}: {signal.label} {signal.score:.2f}", "warn")
    texts = item.texts
    columns: tuple[str, ...] = ("label", "score", "severity", "seen at", "detector")
    rows: list[tuple[Any, ...]] = [
        (s.label, s.score, s.severity, _places(s, texts.get(s.part, item.text)), s.detector) for s in shown
    ]
    if item.is_joint:
        columns = ("part", *columns)
        rows = [(s.part or None, *row) for s, row in zip(shown, rows, strict=True)]
    out.table(f"Scores from {SHOWN_FROM}", columns, rows)


def _show_missing(decision: Decision, item: Item, out: Output) -> None:
    gaps: dict[tuple[str | None, str], list[str]] = {}
    found = {
        ((m.part or None) if item.is_joint else None, m.label, m.cause.value)
        for m in decision.signals.missing
    }
    for part, label, cause in sorted(found, key=lambda gap: (gap[0] or "", *gap[1:])):
        gaps.setdefault((part, cause), []).append(label)
    scored = {(signal.part if item.is_joint else None, signal.label) for signal in decision.signals.scores}
    partly = any((part, label) in scored for part, label, _ in found)
    columns: tuple[str, ...] = ("cause", "means", "labels")
    rows: list[tuple[str | None, ...]]
    if item.is_joint:
        columns = ("part", *columns)
        parts: dict[tuple[str, str], list[str]] = {}
        for (part, cause), labels in gaps.items():
            parts.setdefault((cause, ", ".join(labels)), []).append(part or "–")
        rows = [(", ".join(ps), cause, MEANINGS[cause], labels) for (cause, labels), ps in parts.items()]
    else:
        rows = [(cause, MEANINGS[cause], ", ".join(labels)) for (_, cause), labels in gaps.items()]
    out.table("No score, or not for all of it" if partly else "No score", columns, rows)


def _rule_rows(reasons: Iterable[Reason]) -> list[tuple[str, str, str, str]]:
    """A row for each rule that a score fired; one for all that fired since the same was missing."""
    rows: dict[object, list[Reason]] = {}
    for reason in reasons:
        alike = (reason.rule, reason.label) if reason.cause is None else (_because(reason), _does(reason))
        rows.setdefault(alike, []).append(reason)
    return [
        (_named(r.rule for r in alike), _named(r.label for r in alike), _because(alike[0]), _does(alike[0]))
        for alike in rows.values()
    ]


def _named(names: Iterable[str]) -> str:
    return first_few(list(dict.fromkeys(names)))


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


def _edited(decision: Decision) -> dict[str, str]:
    parts: Iterable[Part] = () if decision.content is None else decision.content
    return {part.name: part.data for part in parts if isinstance(part.data, str)}


def _document(
    decision: Decision, item: Item, edited: Mapping[str, str], unread: Mapping[str, Unread]
) -> dict[str, Any]:
    first = item.subjects[0]
    document = {
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
        "evidence": [_signal(signal) for signal in decision.signals.scores if signal.evidence],
        "missing": {m.label: m.cause.value for m in decision.signals.missing},
    }
    if not item.is_joint:
        why = {"unread": unread[first.part]._asdict()} if unread else {}
        file = {"file": str(first.path)} if first.path is not None else {}
        return {**file, **document, "text": edited.get(first.part), **why}
    document["together"] = [_signal(s) for s in decision.signals.scores if s.detector == FUSED]
    parts: dict[str, dict[str, Any]] = {}
    for subject in item.subjects:
        scored = [s for s in decision.signals.scores if s.part == subject.part]
        parts[subject.part] = {
            "kind": subject.kind,
            "file": None if subject.path is None else str(subject.path),
            "scores": {s.label: round(s.score, 4) for s in sorted(scored, key=lambda s: s.score)},
            "missing": {m.label: m.cause.value for m in decision.signals.missing if m.part == subject.part},
            "text": edited.get(subject.part),
        }
        if subject.part in unread:
            parts[subject.part]["unread"] = unread[subject.part]._asdict()
    return {**document, "parts": parts}


def _signal(signal: Signal) -> dict[str, Any]:
    return {
        "label": signal.label,
        "score": round(signal.score, 4),
        "part": signal.part,
        "detector": signal.detector,
        "places": [encode_evidence(place) for place in signal.evidence],
    }
