"""Waivers: which count, which have ended, which end soon, and which are only requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from spotsafe.core.errors import Fault
from spotsafe.policy.document import Document, Path
from spotsafe.policy.durations import format_instant
from spotsafe.policy.layers import Baseline
from spotsafe.policy.model import WaiverModel
from spotsafe.policy.surface import Waiver
from spotsafe.policy.wording import nearest, shown

WARN_AHEAD = 30 * 86_400.0
"""Seconds before its end from which a waiver is warned of."""

Entry = tuple[WaiverModel, Document, Path]


def check_waivers(
    entries: Sequence[Entry],
    baselines: Mapping[str, Baseline],
    surfaces: Sequence[str],
    *,
    now: float,
    faults: list[Fault],
    warnings: list[Fault],
) -> list[Waiver]:
    """The waivers of the platform that run at *now*. One for a rule that no baseline has is a fault; one
    for a surface that is not declared here, one that has ended or ends within 30 days a warning."""
    rules = {
        f"{layer.name}#{rule.id}"
        for baseline in baselines.values()
        for layer in baseline.layers
        for rule in layer.model.rules
    }
    running = []
    for model, document, path in entries:
        waiver = Waiver(**model.model_dump())
        if waiver.rule not in rules:
            hint = nearest(waiver.rule, sorted(rules)) or "`spotsafe explain SURFACE` lists its rules"
            faults.append(document.fault((*path, "rule"), "no baseline has this rule", hint))
            continue
        if waiver.surface not in surfaces:
            hint = nearest(waiver.surface, list(surfaces)) or "it may belong to another application"
            message = f"no manifest here declares the surface {shown(waiver.surface)}"
            warnings.append(document.fault((*path, "surface"), message, hint))
        left = waiver.ends - now
        if left <= 0:
            message = f"the waiver of {waiver.rule} for {waiver.surface} ended {format_instant(waiver.ends)}"
            warnings.append(document.fault((*path, "ends"), message, "it no longer counts; remove it"))
            continue
        if left <= WARN_AHEAD:
            message = f"the waiver of {waiver.rule} for {waiver.surface} ends {format_instant(waiver.ends)}"
            hint = f"settle with {waiver.owner} what follows; the rule counts again then"
            warnings.append(document.fault((*path, "ends"), message, hint))
        running.append(waiver)
    return running


def requested_waivers(entries: Iterable[Entry]) -> list[Fault]:
    """A warning for each waiver that stands outside the platform's file: it is a request."""
    return [
        document.fault(
            path,
            f"a waiver of {model.rule} outside the platform's file is a request and does not count",
            "ask the platform to put it into the file given as Client(waivers=…)",
        )
        for model, document, path in entries
    ]
