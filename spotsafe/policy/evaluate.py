"""``evaluate``: signals, context and time in, verdict out. Pure, and quick where nothing fires.

A rule fires, label by label, on any present score ≥ ``at``; otherwise, where the label is missing on a
part that the rule reads, its failure action joins. Firing rules join by strictness, never by score. A
label that a detector neither scored nor reported missing counts as missing with cause ``error``: what
nobody looked at is not clean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from spotsafe.core.decision import Disposition, Edit, Effect, Mode, Reason, Status, Verdict
from spotsafe.core.signals import Cause, Missing, Signal, Signals, Span
from spotsafe.policy.actions import HOLD, Action
from spotsafe.policy.kill import KillSwitch
from spotsafe.policy.redact import merge_edits
from spotsafe.policy.surface import Check, SurfacePolicy

_UNSUPPORTED = Cause.UNSUPPORTED

UNCHECKED_NOTICE = "held"
"""The key of the notice for content that is held because it could not be checked; the floor has its texts."""


def evaluate(
    policy: SurfacePolicy,
    signals: Signals,
    context: Mapping[str, object] | None,
    now: float,
    *,
    origin: Status = Status.CHECKED,
    bucket: float | None = None,
    kill: Sequence[KillSwitch] = (),
    redacted: bool = False,
) -> Verdict:
    """The verdict of *policy* on *signals*.

    *now* is Unix seconds (waivers and kill switches end); *kill* are the switches that are on; *origin*
    says where the signals came from; *bucket* in [0, 100) places the subject for canaries, None is
    outside of them; *redacted* marks the second pass over redacted content, in which ``redact`` has
    nothing more to do. Where nothing fires, the verdict is one shared object per policy and status.
    """
    peaks = signals.peaks
    if not signals.missing:
        try:
            for label, gate in policy.gates:
                if not peaks[label] < gate:
                    break
            else:
                return policy.clear[origin]
        except KeyError:
            pass  # a label that nobody scored
    elif _clear_but_for_unsupported(policy, signals):
        return policy.clear[origin]
    return _judge(policy, signals, _Circumstances(context or {}, now, origin, bucket, tuple(kill), redacted))


def _clear_but_for_unsupported(policy: SurfacePolicy, signals: Signals) -> bool:
    """Whether every label is below every threshold or one that the policy, in the open, goes without."""
    peaks, quiet = signals.peaks, policy.quiet
    unsupported = set()
    for label, _, cause in signals.missing:
        if cause is not _UNSUPPORTED or label not in quiet:
            return False
        unsupported.add(label)
    looked_at = False
    for label, gate in policy.gates:
        peak = peaks.get(label)
        if peak is not None:
            looked_at = True
            if not peak < gate:
                return False
        elif label not in unsupported:
            return False
    return looked_at


class _Gathered:
    """Contributions of rules, joined as they come."""

    __slots__ = ("action", "edits", "reasons")

    def __init__(self) -> None:
        self.action = Action()
        self.reasons: list[Reason] = []
        self.edits: list[Edit] = []

    def add(self, reasons: Sequence[Reason], edits: Sequence[Edit]) -> None:
        for reason in reasons:
            self.action = self.action.joined(Action(reason.disposition, reason.effects))
        self.reasons.extend(reasons)
        self.edits.extend(edits)

    def verdict(
        self, policy: SurfacePolicy, status: Status, waivers: Sequence[str], would: Verdict | None = None
    ) -> Verdict:
        return Verdict(
            *self.action,
            status=status,
            reasons=self.reasons,
            edits=merge_edits(self.edits),
            notice=_notice(policy, self.action.disposition, self.reasons),
            waivers=dict.fromkeys(waivers),
            would=would,
        )


class _Circumstances(NamedTuple):
    """What evaluation depends on besides policy and signals."""

    context: Mapping[str, object]
    now: float
    origin: Status
    bucket: float | None
    kill: tuple[KillSwitch, ...]
    redacted: bool

    def applies(self, check: Check) -> bool:
        """Whether what *check* says is applied, rather than only noted in ``would``."""
        stopped = any(switch.stops_rule(check.rule, self.now) for switch in self.kill)
        return not stopped and check.enforced(self.bucket)


def _judge(policy: SurfacePolicy, signals: Signals, given: _Circumstances) -> Verdict:
    missing = _missing_by_label(policy, signals)
    status = _status(policy, signals, missing, given.origin)
    stopped = any(switch.stops_surface(policy.name, given.now) for switch in given.kill)
    applied, full = _Gathered(), _Gathered()
    waivers: list[str] = []
    held_back = False
    for check in policy.checks:
        reasons, edits = _apply(check, signals, missing.get(check.label, ()), given)
        if not reasons:
            continue
        if check.waiver is not None and given.now < check.waiver.ends:
            waivers.append(check.rule)
            continue
        full.add(reasons, edits)
        if not stopped and given.applies(check):
            applied.add(reasons, edits)
        else:
            held_back = held_back or any(reason.disposition or reason.effects for reason in reasons)
    if policy.broken:
        status = Status.UNCHECKED
        full.add([_UNREADABLE], ())
        if not stopped:
            applied.add([_UNREADABLE], ())
        held_back = held_back or stopped
    if not full.reasons and not waivers:
        return policy.clear[status]
    would = full.verdict(policy, status, waivers) if held_back else None
    return applied.verdict(policy, status, waivers, would)


_UNREADABLE = Reason(
    "baseline/floor#unreadable", "*", "failure", HOLD.disposition, HOLD.effects, cause=Cause.ERROR.value
)
"""Why everything is held while manifests cannot be read."""


def _apply(
    check: Check, signals: Signals, missing: Sequence[Missing], given: _Circumstances
) -> tuple[Sequence[Reason], Sequence[Edit]]:
    """What one check contributes: reasons (whose actions join) and edits."""
    label, parts = check.label, check.parts
    firing = [
        signal
        for signal in signals.by_label.get(label, ())
        if not 0.0 <= signal.score < check.at  # what is no score at all fires
        and (not parts or reads(parts, signal.part))
    ]
    causes = () if firing else _causes(missing, parts)
    if not firing and not causes:
        return (), ()
    holds = True if check.condition is None else check.condition(given.context)
    if holds is False:
        return (), ()
    if causes:
        return [reason for cause in causes if (reason := _missing_reason(check, cause)) is not None], ()
    if check.then is None:
        return (), ()
    if holds is None:
        # A condition that cannot be told is a missing value, so the rule's answer to those applies.
        return [_reason(check, check.unknown.without_spans(), "missing", cause="context")], ()
    return _fired(check, check.then, firing, given.redacted)


def _fired(
    check: Check, then: Action, firing: Sequence[Signal], redacted: bool
) -> tuple[Sequence[Reason], Sequence[Edit]]:
    edits: list[Edit] = []
    if Effect.REDACT in then.effects:
        if redacted:
            then = Action(then.disposition, then.effects - {Effect.REDACT})
            if not then.effects and not then.disposition:
                return (), ()
        else:
            spans = [
                tuple(e for e in s.evidence if isinstance(e, Span) and 0 <= e.start < e.end) for s in firing
            ]
            edits = [Edit(s.part, found) for s, found in zip(firing, spans, strict=True) if found]
            if not edits:
                then = then.without_spans()
            elif any(
                len(found) != len(s.evidence) or not found for s, found in zip(firing, spans, strict=True)
            ):
                then = Action(max(then.disposition, Disposition.HOLD), then.effects)
    score = max(signal.score if 0.0 <= signal.score <= 1.0 else 1.0 for signal in firing)
    return [_reason(check, then, "score", score=score)], edits


def _missing_reason(check: Check, cause: Cause) -> Reason | None:
    """The contribution of a missing label. A failure that is let through is still a reason (the record
    counts it); a gap that is let through is not."""
    if cause.is_failure:
        return _reason(check, check.failure.without_spans(), "failure", cause=cause.value)
    action = check.reach[cause]
    if not action.disposition and not action.effects:
        return None
    return _reason(check, action.without_spans(), "missing", cause=cause.value)


def _reason(
    check: Check, action: Action, trigger: str, *, score: float | None = None, cause: str | None = None
) -> Reason:
    threshold = None if score is None else check.at
    return Reason(check.rule, check.label, trigger, *action, score, threshold, cause, check.notice)


def reads(parts: Sequence[str], name: str) -> bool:
    """Whether a rule limited to *parts* reads the part *name*; a list's entries (``tags[0]``, ``tags.0``)
    belong to the part that the manifest names."""
    return any(name == part or name.startswith((f"{part}[", f"{part}.")) for part in parts)


def _causes(entries: Sequence[Missing], parts: Sequence[str]) -> Sequence[Cause]:
    found = [e.cause for e in entries if not parts or not e.part or reads(parts, e.part)]
    return tuple(dict.fromkeys(found))


def _missing_by_label(policy: SurfacePolicy, signals: Signals) -> Mapping[str, Sequence[Missing]]:
    """Missing labels that count: a label that cannot occur in a kind of part is not missing there."""
    grouped: dict[str, list[Missing]] = {}
    reported = set()
    for entry in signals.missing:
        reported.add(entry.label)
        if entry.cause is Cause.MODALITY and (entry.label, entry.part) in policy.inapplicable:
            continue
        grouped.setdefault(entry.label, []).append(entry)
    for label, _ in policy.gates:
        if label not in reported and label not in signals.by_label:
            grouped[label] = [Missing(label, "", Cause.ERROR)]
    return grouped


def _status(
    policy: SurfacePolicy, signals: Signals, missing: Mapping[str, Sequence[Missing]], origin: Status
) -> Status:
    """*origin*, or worse: ``partial`` where a label that rules read is missing for another cause than
    ``unsupported``, ``unchecked`` where none has a score."""
    labels = policy.labels
    if labels and not any(label in signals.by_label for label in labels):
        return Status.UNCHECKED
    gaps = any(e.cause is not _UNSUPPORTED for label in labels for e in missing.get(label, ()))
    return max(origin, Status.PARTIAL) if gaps else origin


def _notice(policy: SurfacePolicy, disposition: Disposition, reasons: Sequence[Reason]) -> str | None:
    """The notice key of the strictest reason that has one and fired on a score: a failure says nothing
    about what a person wrote or feels. Ties go to the last: a surface's own rules come after its
    baseline's, and its words fit better. What only a failure holds gets the notice ``held``."""
    best: Reason | None = None
    for reason in reasons:
        if reason.trigger != "score" or reason.notice is None:
            continue
        if best is None or reason.disposition >= best.disposition:
            best = reason
    if best is not None:
        return best.notice
    scored = any(reason.trigger == "score" and reason.disposition >= Disposition.HOLD for reason in reasons)
    if disposition is Disposition.HOLD and not scored and UNCHECKED_NOTICE in policy.notices:
        return UNCHECKED_NOTICE
    return None


def enforced_mode(policy: SurfacePolicy) -> bool:
    """Whether anything at all may be altered or held: False where every rule is in shadow."""
    return policy.broken or any(check.mode is not Mode.SHADOW for check in policy.checks)
