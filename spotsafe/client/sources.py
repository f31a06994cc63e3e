"""Detectors as the ladder sees them: what they are, where they run, which version speaks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from importlib.metadata import entry_points

from spotsafe.client.jobs import Jobs
from spotsafe.client.remote import ServiceDetector
from spotsafe.core.errors import ConfigurationError, SpotsafeError, missing_extra
from spotsafe.core.labels import LABELS
from spotsafe.core.seams import Detector
from spotsafe.core.signals import Cause, Signals
from spotsafe.guard.keys import namespace
from spotsafe.guard.retry import Gate

ENTRY_POINTS = "spotsafe.detectors"
INLINE_CHARACTERS = 2_000
"""Texts up to this length are scored by an in-process engine on the calling thread."""

PACKAGE = "spotsafe"

_log = logging.getLogger("spotsafe.client")


class Source:
    """A detector, the namespace of its answers, and how it is called.

    *inline*: it computes in process and is quick, so short texts need no other thread. *gate* admits
    requests to one that can be down; None for the local engine. *beyond* are the labels that it is known
    not to give, by its capabilities or by what its answers said: while it is down they are still
    ``unsupported`` rather than failed, so that an outage does not hold everything for their sake; they are
    what the version *reach_of* does not give, and *learnt* is called when they change. *ready* is False
    while the detector has models still to load; *jobs* is the way for what is checked after the request.
    """

    __slots__ = (
        "_declared", "_version", "beyond", "detector", "fields", "gate", "inline", "jobs", "learnt",
        "reach_of", "ready", "space",
    )  # fmt: skip

    def __init__(self, detector: Detector, *, inline: bool, gate: Gate | None) -> None:
        self.detector = detector
        self.inline = inline
        self.gate = gate
        capabilities = detector.capabilities()
        self.fields = capabilities.context_fields if capabilities is not None else ()
        given = set(LABELS) if capabilities is None else set(capabilities.labels)
        self.beyond = self._declared = frozenset(set(LABELS) - given)
        self.reach_of = detector.version
        self.learnt: Callable[[], object] | None = None
        self.jobs: Jobs | None = None
        self.ready = not callable(getattr(detector, "warm", None))
        self._version = detector.version
        self.space = namespace(detector.id, self._version)

    @property
    def remote(self) -> bool:
        """Whether content leaves the process through the client's own transport."""
        return isinstance(self.detector, ServiceDetector)

    def refresh(self) -> None:
        """Switch the namespace where the detector has announced another version."""
        version = self.detector.version
        if version != self._version:
            self._version = version
            self.space = namespace(self.detector.id, version)

    def learn(self, signals: Signals) -> None:
        """Note from an answer which labels the detector does not give, and which it does after all."""
        gaps = {entry.label for entry in signals.missing if entry.cause is Cause.UNSUPPORTED}
        before = self.beyond if self.reach_of == self._version else self._declared
        known = (before | gaps).difference(signals.by_label)
        if known != self.beyond or self.reach_of != self._version:
            self.reaches(known, self._version)
            if self.learnt is not None:
                self.learnt()

    def reaches(self, without: Iterable[str], version: str) -> None:
        """Note that *version* of the detector does not give the labels *without*."""
        self.beyond, self.reach_of = frozenset(without), version


def local_engine(name: str = "local") -> Detector:
    """The in-process engine behind the entry point *name*.

    Raises ConfigurationError with an install hint where it, or what it needs, is not installed.
    """
    for entry in entry_points(group=ENTRY_POINTS, name=name):
        try:
            made = entry.load()()
        except ImportError as error:
            if (error.name or "").partition(".")[0] == PACKAGE:
                raise  # a broken installation, which no extra mends
            break
        if not isinstance(made, Detector):
            raise ConfigurationError(f"{entry.value} is not a detector: it lacks a method of the seam")
        return made
    else:
        if name != "local":
            known = ", ".join(sorted(entry.name for entry in entry_points(group=ENTRY_POINTS))) or "none"
            raise ConfigurationError(f"no detector {name!r} is installed; installed are: {known}")
    raise missing_extra("local", f"the {name} detection engine")


def warm(source: Source | None, kinds: Iterable[str] = ("text",)) -> None:
    """Have the detector of *source* load what it would load with the first request for parts of *kinds*,
    where it can."""
    if source is None or source.ready:
        return
    by_kind, load = getattr(source.detector, "warm_for", None), getattr(source.detector, "warm", None)
    if callable(by_kind):
        by_kind(kinds)
    elif callable(load):
        load()
    source.ready = True


def optional_engine() -> Detector | None:
    """The local engine where it is installed; None, with a log line, where it is not."""
    try:
        return local_engine()
    except SpotsafeError as error:
        _log.warning(
            "no local engine (%s): when the service cannot answer, on_failure decides; pass "
            "Client(fallback=None) to say that this is meant",
            error,
        )
        return None
