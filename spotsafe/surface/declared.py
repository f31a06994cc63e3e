"""Bringing annotations and manifest together: which leaf is which declared part.

Both may name content. What both name must agree; what the manifest alone names is read by path; what
only an annotation names is an error as soon as the manifest lists content at all, for then the rules
that a reviewer read do not cover it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

from spotsafe.core.errors import ConfigurationError
from spotsafe.surface.shapes import Each, Leaf, Loose, OneOf, Record, Shape, Step, Values, joined


class DeclaredPart(Protocol):
    """What is read of a manifest's part: its kind, whether it may be absent, its path."""

    @property
    def kind(self) -> str: ...

    @property
    def optional(self) -> bool: ...

    @property
    def path(self) -> tuple[str, ...]: ...


class Carrier(NamedTuple):
    """One value that carries content: a parameter (*root* its name) or the answer (*root* empty), the
    shape of its content, and the name its parts begin with."""

    root: str
    shape: Shape
    name: str


class Matched(NamedTuple):
    """Carriers, the manifest's names for leaves that are called otherwise, and the keys left over."""

    carriers: tuple[Carrier, ...]
    names: Mapping[str, str]
    leftover: tuple[str, ...]


def leaves(shape: Shape, name: str, seen: frozenset[int] = frozenset()) -> Iterator[tuple[str, str]]:
    """``(path, kind)`` of each leaf of *shape*; a recursive class is walked once."""
    if id(shape) in seen:
        return
    seen = seen | {id(shape)}
    if isinstance(shape, (Leaf, Loose)):
        yield name, shape.kind
    elif isinstance(shape, Step):
        yield from leaves(shape.inner, joined(name, shape.field), seen)
    elif isinstance(shape, (Each, Values)):
        yield from leaves(shape.inner, name, seen)
    elif isinstance(shape, OneOf):
        for inner in shape.alternatives:
            yield from leaves(inner, name, seen)
    elif isinstance(shape, Record):
        for field, inner in shape.fields.items():
            yield from leaves(inner, joined(name, field), seen)


def match(
    annotated: Mapping[str, tuple[Shape, str]], declared: Mapping[str, DeclaredPart], where: str
) -> Matched:
    """Match *annotated* (root → shape and part name) with the manifest's *declared* parts.

    A key fits a leaf of the same path (``payload.body``), else the only leaf whose last component it
    is (``body``). ConfigurationError where kinds disagree or a leaf is not declared.
    """
    carriers = tuple(Carrier(root, shape, name) for root, (shape, name) in annotated.items())
    if not declared:
        return Matched(carriers, {}, ())
    kinds = {path: kind for carrier in carriers for path, kind in leaves(carrier.shape, carrier.name)}
    names: dict[str, str] = {}
    leftover = []
    for key, part in declared.items():
        path = _fitting(key, kinds, names)
        if path is None:
            leftover.append(key)
            continue
        if kinds[path] != part.kind:
            raise ConfigurationError(
                f"{where}: {path or 'the returned value'} is annotated as {kinds[path]}, but the manifest "
                f"says {key}: {part.kind}: change one of them"
            )
        names[path] = key
    for path, kind in kinds.items():
        if path not in names:
            raise ConfigurationError(
                f"{where}: {path or 'the returned value'} is annotated as {kind}, but the manifest's content "
                f"lists only {', '.join(declared)}: add `{path or 'output'}: {kind}` to it"
            )
    return Matched(carriers, {path: key for path, key in names.items() if path != key}, tuple(leftover))


def _fitting(key: str, kinds: Mapping[str, str], taken: Mapping[str, str]) -> str | None:
    if key in kinds:
        return key
    near = [path for path in kinds if path.rpartition(".")[2] == key and path not in taken]
    return near[0] if len(near) == 1 else None


def path_shape(
    part: DeclaredPart, fields: tuple[str, ...], provenance: str, *, nullable: bool = False
) -> Shape:
    """The shape behind a manifest path: *fields* still to go, then one piece of content or a list. Any of
    them may be None where the manifest says that the part is optional, or a hint says so (*nullable*)."""
    nullable = nullable or part.optional
    shape: Shape = Loose(Leaf(part.kind, provenance, nullable=nullable))
    for field in reversed(fields):
        shape = Step(field, shape, optional=part.optional, nullable=nullable)
    return shape
