"""From texts to a compiled :class:`PolicySet`: sort documents, validate, resolve, check, compile."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

from spotsafe.core.errors import Fault
from spotsafe.policy.advice import advise
from spotsafe.policy.chains import baseline_layer, known_baselines, resolve, shipped_layers
from spotsafe.policy.compile import compile_surface
from spotsafe.policy.consistency import check_layer, check_surface
from spotsafe.policy.document import Document, Path, read_document
from spotsafe.policy.examples import examples_of
from spotsafe.policy.layers import FLOOR, Baseline, Layer
from spotsafe.policy.model import ManifestModel, PlatformModel, SurfaceModel, WaiverModel
from spotsafe.policy.surface import Example, PolicySet, SurfacePolicy, Waiver
from spotsafe.policy.validation import validated
from spotsafe.policy.waivers import check_waivers, requested_waivers
from spotsafe.policy.wording import shown


class Declared(NamedTuple):
    """One surface as a manifest declares it."""

    layer: Layer
    team: str
    owner: str
    extends: str
    extends_at: Path


class Sorted(NamedTuple):
    """Documents by what they are."""

    surfaces: dict[str, Declared]
    baselines: dict[str, Layer]
    waivers: list[tuple[WaiverModel, Document, Path]]
    requests: list[tuple[WaiverModel, Document, Path]]
    services: list[str]


def assemble(
    sources: Mapping[str, str | bytes], platform: Mapping[str, str | bytes], now: float, faults: list[Fault]
) -> PolicySet:
    """Everything in *sources* and the *platform*'s files, compiled. Faults go to *faults*; with any, the
    result is not to be used."""
    found = Sorted({}, {layer.name: layer for layer in shipped_layers()}, [], [], [])
    for file, raw in platform.items():
        if (document := read_document(file, raw, faults)) is not None:
            _take_platform(document, found, faults, counts=True)
    for file, raw in sources.items():
        if (document := read_document(file, raw, faults)) is not None:
            _take(document, found, faults)
    baselines = resolve(found.baselines, faults)
    for layer in found.baselines.values():
        check_layer(layer, baselines[layer.name], faults)
    warnings: list[Fault] = []
    waivers = check_waivers(
        found.waivers, baselines, list(found.surfaces), now=now, faults=faults, warnings=warnings
    )
    warnings.extend(requested_waivers(found.requests))
    surfaces: dict[str, SurfacePolicy] = {}
    examples: dict[str, tuple[Example, ...]] = {}
    for name, declared in found.surfaces.items():
        surfaces[name] = _compiled(name, declared, baselines, waivers, faults)
        warnings.extend(_advice(declared, baselines, surfaces[name], found.services))
        examples[name] = examples_of(declared.layer)
    alone = {name: compile_surface(name, baseline, None) for name, baseline in baselines.items()}
    floor = alone[FLOOR]
    return PolicySet(
        _version(floor, surfaces),
        surfaces,
        floor,
        waivers=tuple(waivers),
        warnings=tuple(warnings),
        examples=examples,
        baselines=alone,
    )


def _version(floor: SurfacePolicy, surfaces: Mapping[str, SurfacePolicy]) -> str:
    versions = [floor.version, *(f"{name}={policy.version}" for name, policy in sorted(surfaces.items()))]
    return sha256("\n".join(versions).encode()).hexdigest()[:12]


def _take(document: Document, found: Sorted, faults: list[Fault]) -> None:
    """Put a document beside manifests where it belongs, by the keys at its top."""
    data = document.data
    if "baseline" in data:
        layer = baseline_layer(document, (), faults, platform=False)
        if layer is not None:
            _add_baseline(layer, found, faults)
    elif "surfaces" not in data and ("waivers" in data or "baselines" in data):
        _take_platform(document, found, faults, counts=False)
    else:
        _take_manifest(document, found, faults)


def _take_manifest(document: Document, found: Sorted, faults: list[Fault]) -> None:
    manifest = validated(ManifestModel, document, (), faults)
    if manifest is None:
        return
    for name, surface in manifest.surfaces.items():
        path: Path = ("surfaces", name)
        if name in found.surfaces:
            other = found.surfaces[name].layer.document
            line = other.place(path)[0]
            faults.append(
                document.fault(
                    path,
                    f"the surface {shown(name)} is declared twice",
                    f"first declared in {other.file}, line {line}",
                    key=True,
                )
            )
            continue
        own = surface.extends is not None
        found.surfaces[name] = Declared(
            Layer(name, surface, document, path),
            manifest.team,
            manifest.owner,
            surface.extends or manifest.extends,
            (*path, "extends") if own else ("extends",),
        )
    for index, waiver in enumerate(manifest.waivers):
        found.requests.append((waiver, document, document.entry(("waivers",), index)))


def _take_platform(document: Document, found: Sorted, faults: list[Fault], *, counts: bool) -> None:
    """The platform's file, or one that looks like it but was not given as such: then its waivers are
    requests and its baselines nobody's but the team's."""
    platform = validated(PlatformModel, document, (), faults)
    if platform is None:
        return
    for index, waiver in enumerate(platform.waivers):
        entry = (waiver, document, document.entry(("waivers",), index))
        (found.waivers if counts else found.requests).append(entry)
    if counts:
        found.services.extend(platform.services)
    for index in range(len(platform.baselines)):
        layer = baseline_layer(document, document.entry(("baselines",), index), [], platform=counts)
        if layer is not None:
            _add_baseline(layer, found, faults)


def _add_baseline(layer: Layer, found: Sorted, faults: list[Fault]) -> None:
    if layer.name in found.baselines:
        first = found.baselines[layer.name].document.file
        hint = f"it is defined in {first}; choose another name"
        at = (*layer.path, "baseline")
        faults.append(layer.document.fault(at, f"the baseline {shown(layer.name)} exists", hint))
        return
    found.baselines[layer.name] = layer


def _compiled(
    name: str,
    declared: Declared,
    baselines: Mapping[str, Baseline],
    waivers: list[Waiver],
    faults: list[Fault],
) -> SurfacePolicy:
    document = declared.layer.document
    baseline = baselines.get(declared.extends)
    if baseline is None:
        hint = known_baselines(declared.extends, baselines)
        faults.append(document.fault(declared.extends_at, "no such baseline", hint))
        baseline = baselines[FLOOR]
    conditions = check_layer(declared.layer, baseline, faults)
    policy = compile_surface(
        name,
        baseline,
        declared.layer,
        identity=(declared.team, declared.owner),
        conditions=conditions,
        waivers=waivers,
    )
    check_surface(declared.layer, baseline, policy, faults)
    return policy


def _advice(
    declared: Declared, baselines: Mapping[str, Baseline], policy: SurfacePolicy, services: list[str]
) -> list[Fault]:
    surface = declared.layer.model
    if not isinstance(surface, SurfaceModel):
        return []
    return advise(declared.layer, surface, baselines[policy.baseline], policy, services)
