"""Putting a client together when it starts: transport, reporting, policies, detectors."""

from __future__ import annotations

import logging

from spotsafe.client.http import Exchange
from spotsafe.client.jobs import LocalJobs, RemoteJobs
from spotsafe.client.options import Options
from spotsafe.client.remote import ServiceDetector
from spotsafe.client.sources import Source, local_engine, optional_engine
from spotsafe.core.content import Destination
from spotsafe.core.errors import ConfigurationError
from spotsafe.core.faults import FaultCounter
from spotsafe.core.seams import Detector
from spotsafe.guard.retry import Gate
from spotsafe.policy.surface import PolicySet, SurfacePolicy

_reach_log = logging.getLogger("spotsafe.client.reach")


class Equipment:
    """The detectors of a started client: *primary*, *fallback* (None where there is none) and *local*,
    the engine for surfaces whose content must not leave the process."""

    __slots__ = ("fallback", "local", "primary")

    def __init__(self, primary: Source, fallback: Source | None, local: Source | None) -> None:
        self.primary = primary
        self.fallback = fallback
        self.local = local

    def sources(self, policy: SurfacePolicy) -> tuple[Source | None, Source | None]:
        """Primary and fallback for one surface."""
        if policy.broken:
            return None, None
        if policy.privacy_send is Destination.LOCAL and self.primary is not self.local:
            return self.local, None
        return self.primary, self.fallback

    def after_fork(self) -> None:
        """In a forked child: what a thread of the parent knew of the service is not known here."""
        for source in (self.primary, self.fallback, self.local):
            if source is not None and source.gate is not None:
                source.gate = Gate()
            if source is not None and isinstance(source.jobs, LocalJobs):
                source.jobs.after_fork()


def equip(options: Options, exchange: Exchange | None, faults: FaultCounter) -> Equipment:
    """Resolve the detectors that *options* name. Raises ConfigurationError, with an install hint where
    a detector is not installed."""
    primary = _primary(options, exchange)
    fallback = _fallback(options, primary)
    for source in (primary, fallback):
        if source is not None:
            if source.remote and exchange is not None:
                source.jobs = RemoteJobs(exchange, faults)
            else:
                source.jobs = LocalJobs(source.detector, faults)
    local = next((source for source in (primary, fallback) if source is not None and source.inline), None)
    return Equipment(primary, fallback, local)


def _primary(options: Options, exchange: Exchange | None) -> Source:
    chosen = options.detector
    if chosen is None and exchange is not None:
        return Source(ServiceDetector(exchange), inline=False, gate=Gate())
    return _source("local" if chosen is None else chosen)


def _fallback(options: Options, primary: Source) -> Source | None:
    if options.fallback is None or (options.fallback == "auto" and primary.inline):
        return None
    if options.fallback == "auto":
        engine = optional_engine()
        return None if engine is None else Source(engine, inline=True, gate=None)
    return _source(options.fallback)


def _source(chosen: Detector | str) -> Source:
    if isinstance(chosen, str):
        return Source(local_engine(chosen), inline=True, gate=None)
    inline = bool(getattr(chosen, "inline", False))
    return Source(chosen, inline=inline, gate=None if inline else Gate())


def unsupported(policy: SurfacePolicy, source: Source | None) -> tuple[str, ...]:
    """Labels that the surface's rules read and its primary detector can never give, as far as known."""
    return () if source is None else tuple(label for label in policy.labels if label in source.beyond)


def checked_privacy(policies: PolicySet, equipment: Equipment) -> None:
    """Raise ConfigurationError where a surface keeps its content in the process but nothing there can
    check it."""
    for policy in policies.surfaces.values():
        if policy.privacy_send is Destination.LOCAL and equipment.sources(policy)[0] is None:
            raise ConfigurationError(
                f"surface {policy.name!r} sends no content to the service (privacy.send: local), and there "
                "is no local engine: pip install 'spotsafe[local]' and use Client(fallback='local')"
            )


def lacking(policies: PolicySet, equipment: Equipment) -> dict[str, list[str]]:
    """Each label that rules read and no configured primary detector can give, with the surfaces that read
    it."""
    found: dict[str, list[str]] = {}
    for policy in policies.surfaces.values():
        for label in unsupported(policy, equipment.sources(policy)[0]):
            found.setdefault(label, []).append(policy.name)
    return found


def warn_unsupported(policies: PolicySet, equipment: Equipment) -> None:
    """One log line where rules read labels that no configured primary detector can give."""
    labels = sorted(lacking(policies, equipment))
    if labels:
        _reach_log.warning(
            "no configured detector gives %d of the labels that rules read: %s; their if_missing decides "
            "(client.stats()['unsupported'] has them all, with their surfaces)",
            len(labels), ", ".join(labels[:3]) + (" …" if len(labels) > 3 else ""),
        )  # fmt: skip
    blind = unread_kinds(policies, equipment)
    for kind, surfaces in blind.items():
        _reach_log.warning(
            "surface %s carries %s, and no configured detector reads that: its labels are missing with cause "
            "modality and if_missing decides; pip install 'spotsafe[media]', or use a service that has it",
            surfaces[0] + (f" and {len(surfaces) - 1} more" if len(surfaces) > 1 else ""), kind,
        )  # fmt: skip


def unread_kinds(policies: PolicySet, equipment: Equipment) -> dict[str, list[str]]:
    """Each kind of part that surfaces declare and their primary detector is known not to read, with these
    surfaces."""
    found: dict[str, list[str]] = {}
    for policy in policies.surfaces.values():
        source = equipment.sources(policy)[0]
        reach = None if source is None else source.detector.capabilities()
        for kind in dict.fromkeys(part.kind for part in policy.content.values()):
            if reach is not None and kind not in reach.kinds:
                found.setdefault(kind, []).append(policy.name)
    return found
