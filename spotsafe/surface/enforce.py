"""Enforcement: a decision becomes an exception, an edit, or nothing.

What the public may see of a refusal is the notice, the decision's id and the remedy; rules, scores and
thresholds stay in the decision.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NoReturn

from spotsafe.core.content import Content, Part
from spotsafe.core.decision import Decision, Disposition, Effect
from spotsafe.core.errors import SurfaceBlocked, SurfaceHeld
from spotsafe.surface.seams import Guard, SurfacePolicy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spotsafe.core.signals import Span

_HOLD, _BLOCK, _REDACT = Disposition.HOLD, Disposition.BLOCK, Effect.REDACT


def enforce(
    guard: Guard,
    policy: SurfacePolicy,
    decision: Decision,
    *,
    item: str | None = None,
    language: str | None = None,
) -> None:
    """Raise SurfaceBlocked or SurfaceHeld (with a receipt) where *decision* says so."""
    if decision.verdict.disposition >= _HOLD:
        refuse(guard, policy, decision, item, language)


def refuse(
    guard: Guard, policy: SurfacePolicy, decision: Decision, item: str | None, language: str | None
) -> NoReturn:
    """Raise what a decision to block or hold means."""
    speech = language or (policy.languages[0] if policy.languages else None)
    notice = policy.notice(decision.verdict.notice, speech)
    if decision.verdict.disposition is _BLOCK:
        raise SurfaceBlocked(policy.name, decision.id, notice)
    receipt = guard.hold(decision, policy, item=item)
    raise SurfaceHeld(policy.name, decision.id, receipt, notice)


def redactions(decision: Decision, content: Content) -> Mapping[str, Part]:
    """Parts of *content* as the decision's redaction left them, by name; empty where nothing changed."""
    if _REDACT not in decision.verdict.effects or decision.content is None:
        return {}
    from spotsafe.surface.folding import FoldedContent

    joined = content.redacted(decision.verdict.edits) if isinstance(content, FoldedContent) else {}
    before = {part.name: part for part in content}
    return joined | {
        part.name: part
        for part in decision.content
        if part.name in before and part.data != before[part.name].data
    }


def redacted_spans(decision: Decision, part: str) -> Iterable[Span]:
    """Spans of *part* that redaction masks, in code points of the text that was checked."""
    from spotsafe.surface.masking import spans_of

    return spans_of(decision.verdict.edits, part) if _REDACT in decision.verdict.effects else ()
