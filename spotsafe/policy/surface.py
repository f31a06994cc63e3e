"""Compiled policies: what guard, surface and telemetry read. Frozen; shared between threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from spotsafe.core.content import Content, Destination
from spotsafe.core.decision import Mode, Status, Verdict
from spotsafe.core.errors import ConfigurationError, Fault
from spotsafe.core.receipts import Keeper, OnExpiry
from spotsafe.core.signals import Cause
from spotsafe.policy.actions import Action
from spotsafe.policy.durations import IMAGE_DEADLINE
from spotsafe.policy.wording import nearest, shown

CONTEXT_TYPES = ("string", "int", "double", "bool", "strings")
"""Types of context fields; ``strings`` is a list of strings."""


class PartSpec(NamedTuple):
    """One declared part: its *kind*, whether it may be absent, and the *path* of its manifest key."""

    kind: str
    optional: bool = False
    path: tuple[str, ...] = ()


class ContextField(NamedTuple):
    """One declared context field: *type* from :data:`CONTEXT_TYPES`, and whether records carry it."""

    type: str
    record: bool = False


class HoldPolicy(NamedTuple):
    """Who keeps held content, for how many seconds, and what expiry means."""

    keep: Keeper = Keeper.PRODUCT
    ttl: float = 259_200.0
    on_expiry: OnExpiry = OnExpiry.REJECT


class Waiver(NamedTuple):
    """The platform's leave for one *surface* to go without one baseline *rule*
    (``baseline/public-ugc#profanity``) until *ends* (Unix seconds)."""

    rule: str
    surface: str
    owner: str
    reason: str
    approver: str
    ends: float


Condition = Callable[[Mapping[str, object]], "bool | None"]
"""A compiled ``when``: True, False, or None where it cannot be told (a context field is missing)."""


class Rule(NamedTuple):
    """One rule as it is in force on a surface, before it is split by label: for explain, diff and lint.

    *source* is the layer that states it: a baseline's name or the surface's.
    """

    id: str
    source: str
    labels: tuple[str, ...]
    patterns: tuple[str, ...]
    at: float
    then: Action
    mode: Mode
    canary: float
    when: str | None
    parts: tuple[str, ...]
    notice: str | None
    waiver: Waiver | None
    file: str
    line: int
    column: int

    @property
    def name(self) -> str:
        """The qualified id, e.g. ``baseline/floor#threats``."""
        return f"{self.source}#{self.id}"


class Origin(NamedTuple):
    """Where a field's effective value comes from: the layer's name or ``default``; *stated* is what the
    surface itself says, None where it says nothing. Values are as manifests write them."""

    field: str
    value: str
    source: str
    stated: str | None = None

    @property
    def tightened(self) -> bool:
        """Whether a baseline is stricter than what the surface states."""
        return self.stated is not None and self.stated != self.value


class Check(NamedTuple):
    """One rule for one label, compiled. *then* is None for an overlay: a surface's stricter failure
    actions on a baseline's rule. *reach* answers the causes of ``if_missing``, *failure* those of
    ``on_failure``, *unknown* a ``when`` that could not be told."""

    rule: str
    label: str
    at: float
    then: Action | None
    parts: tuple[str, ...]
    condition: Condition | None
    mode: Mode
    canary: float
    notice: str | None
    reach: Mapping[Cause, Action]
    failure: Action
    unknown: Action
    waiver: Waiver | None

    def enforced(self, bucket: float | None) -> bool:
        """Whether the check's mode applies what it says to a subject in *bucket* (None: outside)."""
        if self.mode is Mode.ENFORCE:
            return True
        return self.mode is Mode.CANARY and bucket is not None and bucket < self.canary


class SurfacePolicy:
    """Everything in force on one surface. Built by :mod:`spotsafe.policy.compile`; see its fields there.

    ``deadline`` in seconds, None = async; ``cache_ttl``, ``cache_stale``, ``retain`` in seconds;
    ``canary`` in percent; ``labels`` are the concrete codes its rules read, in the taxonomy's order;
    ``static``: the verdict depends on nothing but signals; ``unlinked``: the floor of a surface without
    a manifest; ``broken``: everything is held because no policy could be read.
    """

    __slots__ = (
        "about", "audience", "baseline", "broken", "cache_stale", "cache_ttl", "canary", "checks", "clear",
        "content", "context", "deadline", "direction", "gates", "hold", "inapplicable", "labels",
        "language_places", "languages", "mode", "name", "notices", "origins", "owner", "privacy_send",
        "quiet", "retain", "rules", "service", "static", "team", "unlinked", "version",
    )  # fmt: skip

    name: str
    team: str
    owner: str
    about: str
    direction: str
    audience: str
    content: Mapping[str, PartSpec]
    context: Mapping[str, ContextField]
    languages: tuple[str, ...]
    language_places: Mapping[str, tuple[str, int, int]]
    mode: Mode
    canary: float
    deadline: float | None
    cache_ttl: float
    cache_stale: float
    privacy_send: Destination
    retain: float
    hold: HoldPolicy
    service: str
    labels: tuple[str, ...]
    version: str
    unlinked: bool
    static: bool
    broken: bool
    baseline: str
    rules: tuple[Rule, ...]
    origins: tuple[Origin, ...]
    notices: Mapping[str, Mapping[str, str]]
    checks: tuple[Check, ...]
    gates: tuple[tuple[str, float], ...]
    quiet: frozenset[str]
    inapplicable: frozenset[tuple[str, str]]
    clear: tuple[Verdict, ...]

    def __init__(self, fields: Mapping[str, Any]) -> None:
        for name in self.__slots__:
            object.__setattr__(self, name, fields[name])

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a policy is frozen; {name} cannot be set")

    def __copy__(self) -> SurfacePolicy:
        return self

    def __deepcopy__(self, memo: object) -> SurfacePolicy:
        return self

    def fields(self) -> dict[str, Any]:
        """A copy of everything in it, by name."""
        return {name: getattr(self, name) for name in self.__slots__}

    def changed(self, **fields: Any) -> SurfacePolicy:
        """A copy with some fields replaced."""
        return SurfacePolicy({**self.fields(), **fields})

    def notice(self, key: str | None, language: str | None) -> str | None:
        """The text for people under *key* (``Verdict.notice``), in *language*, else in its primary tag,
        else in English, else in the first language stated; None where there is no such notice."""
        texts = self.notices.get(key) if key is not None else None
        if not texts:
            return None
        for tag in (language, (language or "").partition("-")[0], "en"):
            if tag and tag in texts:
                return texts[tag]
        return next(iter(texts.values()))

    def patience(self, content: Content) -> float | None:
        """Seconds that a check of *content* may take, None = async: ``deadline``, or as much as a picture
        needs where the surface states none. What a handler annotates, no manifest may know."""
        if self.deadline is None or not any(part.kind == "image" for part in content):
            return self.deadline
        stated = any(origin.field == "deadline" and origin.stated is not None for origin in self.origins)
        return self.deadline if stated else max(self.deadline, IMAGE_DEADLINE)

    def __repr__(self) -> str:
        return f"<SurfacePolicy {self.name} {self.version}>"


class Example:
    """One example of a manifest: content by part, and what is expected. ``repr`` shows no content.

    *number* counts from 1 in the order of the manifest; *scores* and *missing* script the signals
    where given, otherwise a detector is asked.
    """

    __slots__ = ("content", "context", "expect", "file", "languages", "line", "missing", "number", "scores")

    def __init__(
        self,
        number: int,
        content: Mapping[str, str],
        expect: tuple[str, ...],
        *,
        scores: Mapping[str, float] | None = None,
        missing: Mapping[str, str] | None = None,
        context: Mapping[str, object] | None = None,
        languages: tuple[str, ...] = (),
        place: tuple[str, int] = ("", 0),
    ) -> None:
        self.number = number
        self.content = dict(content)
        self.expect = expect
        self.scores = None if scores is None else dict(scores)
        self.missing = None if missing is None else dict(missing)
        self.context = dict(context or {})
        self.languages = languages
        self.file, self.line = place

    def __repr__(self) -> str:
        return f"<Example {self.number} of {len(self.content)} parts>"


class PolicySet:
    """All surfaces of all manifests, compiled, with the floor for those that have none."""

    __slots__ = (
        "_baselines",
        "_broken",
        "_floor",
        "_floors",
        "examples",
        "surfaces",
        "version",
        "waivers",
        "warnings",
    )

    def __init__(
        self,
        version: str,
        surfaces: Mapping[str, SurfacePolicy],
        floor: SurfacePolicy,
        *,
        waivers: tuple[Waiver, ...] = (),
        warnings: tuple[Fault, ...] = (),
        examples: Mapping[str, tuple[Example, ...]] | None = None,
        baselines: Mapping[str, SurfacePolicy] | None = None,
    ) -> None:
        self._baselines = dict(baselines or {})
        self.version = version
        self.surfaces = dict(surfaces)
        self.waivers = waivers
        self.warnings = warnings
        self.examples = dict(examples or {})
        self._floor = floor
        self._floors: dict[str, SurfacePolicy] = {}
        self._broken: dict[str, SurfacePolicy] = {}

    def surface(self, name: str) -> SurfacePolicy | None:
        """The policy that a manifest declares for *name*, or None."""
        return self.surfaces.get(name)

    @property
    def baselines(self) -> tuple[str, ...]:
        """The names of all baselines, shipped ones first."""
        return tuple(self._baselines)

    def baseline(self, name: str) -> SurfacePolicy:
        """A baseline alone (``baseline/public-ugc``), as the policy of a surface that adds nothing to it.
        KeyError for an unknown name."""
        return self._baselines[name]

    def floor(self, name: str) -> SurfacePolicy:
        """``baseline/floor`` for a surface without a manifest; the same object on every call."""
        found = self._floors.get(name)
        if found is None:
            found = self._floors.setdefault(name, self._floor.changed(name=name, unlinked=True))
        return found

    def broken(self, name: str) -> SurfacePolicy:
        """What a surface runs under when manifests cannot be read: the floor, and everything held with
        status ``unchecked``; the same object on every call."""
        found = self._broken.get(name)
        if found is None:
            # The gate that nothing passes keeps evaluation off its short path.
            held = self.floor(name).changed(
                broken=True, version=f"{self._floor.version}-held", gates=(*self._floor.gates, ("", 0.0))
            )
            found = self._broken.setdefault(name, held)
        return found

    def __repr__(self) -> str:
        return f"<PolicySet {self.version} {len(self.surfaces)} surfaces, {len(self.warnings)} warnings>"


def required_surface(policies: PolicySet, name: str) -> SurfacePolicy:
    """The declared policy of *name*; ConfigurationError that names the nearest, or what is declared."""
    found = policies.surface(name)
    if found is None:
        known = ", ".join(sorted(policies.surfaces)) or "none"
        close = nearest(name, list(policies.surfaces))
        hint = f"{close} (declared are: {known})" if close else f"declared are: {known}"
        raise ConfigurationError(f"no manifest declares the surface {shown(name)}; {hint}")
    return found


def clear_verdicts() -> tuple[Verdict, ...]:
    """One shared verdict "nothing fired" per status, indexed by it."""
    return tuple(Verdict(status=status) for status in Status)
