"""Shapes: where content sits inside a value, how to take it out, and how to put an edit back in.

A shape is compiled once, from a type hint (:mod:`spotsafe.surface.hints`) or a manifest path, and is
then applied to values. ``collect`` adds one named part per leaf; ``rebuild`` returns a copy of the
value with edited leaves, sharing everything that did not change, and never alters the caller's object.

A leaf is named by its path, and by the positions on the way to it at the end: ``body``,
``payload.body``, ``tags[0]``, ``payload.tracks.title[3]``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any, Protocol

from spotsafe.core.content import PART_TYPES, Part
from spotsafe.core.errors import ConfigurationError
from spotsafe.surface.copies import with_fields, with_items
from spotsafe.surface.parts import Edits, Parts

MAX_DEPTH = 32
"""Levels of nesting that are followed: JSON of a sane product is far below, a cycle is not."""

_ABSENT = object()


class Shape(Protocol):
    """Where content sits inside a value."""

    def accepts(self, value: object) -> bool:
        """Whether *value* looks like what this shape was compiled for."""
        ...

    def collect(self, value: Any, name: str, index: str, parts: Parts) -> None:
        """Add the parts of *value*; ConfigurationError where it is not what was declared."""
        ...

    def rebuild(self, value: Any, name: str, index: str, edits: Edits) -> Any:
        """*value* with *edits* applied to a copy; *value* itself where none concerns it."""
        ...


class Leaf:
    """The value is one piece of content: text, media (see :func:`spotsafe.client.media.is_media`), or a
    ready-made part. None is none, and noted as absent unless *nullable*: its hint or manifest says that it
    may be."""

    __slots__ = ("kind", "nullable", "part_type", "provenance")

    def __init__(self, kind: str, provenance: str = "user", *, nullable: bool = False) -> None:
        self.kind = kind
        self.nullable = nullable
        self.part_type = PART_TYPES[kind]
        self.provenance = provenance

    def accepts(self, value: object) -> bool:
        if self.kind == "text":
            return value is None or isinstance(value, (str, self.part_type))
        if value is None or isinstance(value, (bytes, self.part_type)):
            return True
        from spotsafe.client.media import is_media

        return is_media(value)

    def collect(self, value: Any, name: str, index: str, parts: Parts) -> None:
        if value is None:
            if not self.nullable:
                parts.lacks(name, index)
            return
        if not self.accepts(value):
            wanted = "str" if self.kind == "text" else "bytes, a pathlib.Path, a binary file, an upload"
            raise ConfigurationError(
                f"{name or 'the returned value'} is declared as {self.kind} but is a {type(value).__name__}: "
                f"pass {wanted} (or spotsafe.{self.part_type.__name__}), or declare another kind"
            )
        label = parts.names.get(name, name) + index
        if isinstance(value, Part):
            part = self.part_type(value.data, label, mime=value.mime, provenance=value.provenance)
        elif isinstance(value, str):
            # Of a subclass only its characters count: what it overrides could show a detector other ones.
            part = self.part_type(str.__str__(value), label, provenance=self.provenance)
        else:
            from spotsafe.client.media import read_media

            data, mime = read_media(value, name)
            part = self.part_type(data, label, mime=mime, provenance=self.provenance)
        parts.found.append(part)

    def rebuild(self, value: Any, name: str, index: str, edits: Edits) -> Any:
        edited = None if value is None else edits.part(name, index)
        if edited is None or self.kind != "text":  # nothing edits media, and an upload stays the handler's
            return value
        before = value.data if isinstance(value, Part) else value
        if edited.data == before:
            return value
        return value.replaced(edited.data) if isinstance(value, Part) else edited.data


class Each:
    """Every item of a list, tuple or set."""

    __slots__ = ("inner",)

    def __init__(self, inner: Shape) -> None:
        self.inner = inner

    def accepts(self, value: object) -> bool:
        return isinstance(value, (Sequence, Set)) and not isinstance(value, (str, bytes, bytearray))

    def collect(self, value: Any, name: str, index: str, parts: Parts) -> None:
        if value is None:
            return
        if not self.accepts(value):
            raise ConfigurationError(
                f"{name} is declared as a list but is a {type(value).__name__}: pass a list, tuple or set "
                "(an iterator could be read only once)"
            )
        for position, item in enumerate(value):
            self.inner.collect(item, name, f"{index}[{position}]", parts)

    def rebuild(self, value: Any, name: str, index: str, edits: Edits) -> Any:
        if value is None:
            return None
        old = list(value)
        new = [self.inner.rebuild(item, name, f"{index}[{i}]", edits) for i, item in enumerate(old)]
        if all(after is before for after, before in zip(new, old, strict=True)):
            return value
        return type(value)(new)


class Values:
    """Every value of a mapping; keys are not content."""

    __slots__ = ("inner",)

    def __init__(self, inner: Shape) -> None:
        self.inner = inner

    def accepts(self, value: object) -> bool:
        return isinstance(value, Mapping)

    def collect(self, value: Any, name: str, index: str, parts: Parts) -> None:
        if value is None:
            return
        if not self.accepts(value):
            raise ConfigurationError(f"{name} is declared as a mapping but is a {type(value).__name__}")
        # Keys can be what a person wrote: parts are numbered, not named after them.
        for position, item in enumerate(value.values()):
            self.inner.collect(item, name, f"{index}[{position}]", parts)

    def rebuild(self, value: Any, name: str, index: str, edits: Edits) -> Any:
        if value is None:
            return None
        changes = {}
        for position, (key, item) in enumerate(value.items()):
            new = self.inner.rebuild(item, name, f"{index}[{position}]", edits)
            if new is not item:
                changes[key] = new
        return with_items(value, changes) if changes else value


class Record:
    """Fields of a dataclass, pydantic model, typed dict, named tuple or attrs class.

    *cls* is the declared class. A subclass may carry more content than it: *refine* compiles the
    fields of a class met at run time, once per class.
    """

    __slots__ = ("_refine", "_variants", "cls", "fields")

    def __init__(self, cls: type, refine: Callable[[type], Mapping[str, Shape]] | None = None) -> None:
        self.cls = cls
        self.fields: dict[str, Shape] = {}
        self._refine = refine
        self._variants: dict[type, Mapping[str, Shape]] = {}

    def accepts(self, value: object) -> bool:
        return isinstance(value, dict if issubclass(self.cls, dict) else self.cls)

    def fields_of(self, value: object) -> Mapping[str, Shape]:
        kind = type(value)
        if kind is self.cls or kind is dict or self._refine is None or not issubclass(kind, self.cls):
            return self.fields  # a typed dict is a plain dict at run time and knows no subclass
        known = self._variants.get(kind)
        if known is None:
            known = self._variants[kind] = self._refine(kind)
        return known

    def collect(self, value: Any, name: str, index: str, parts: Parts) -> None:
        if value is None:
            return
        _bounded(name)
        loose = isinstance(value, dict)  # a key of a typed dict may be NotRequired
        for field, shape in self.fields_of(value).items():
            if loose and field not in value:
                continue
            shape.collect(field_of(value, field, name), joined(name, field), index, parts)

    def rebuild(self, value: Any, name: str, index: str, edits: Edits) -> Any:
        if value is None:
            return None
        changes = {}
        loose = isinstance(value, dict)
        for field, shape in self.fields_of(value).items():
            old = field_of(value, field, name, optional=loose)
            new = shape.rebuild(old, joined(name, field), index, edits)
            if new is not old:
                changes[field] = new
        return with_fields(value, changes) if changes else value


class Step:
    """One step of a manifest path: a key or attribute, in each item where a list is met. *optional*: the
    field may be missing; *nullable*: what has it may be None."""

    __slots__ = ("field", "inner", "nullable", "optional")

    def __init__(self, field: str, inner: Shape, *, optional: bool = False, nullable: bool = False) -> None:
        self.field = field
        self.inner = inner
        self.optional = optional
        self.nullable = nullable or optional

    def accepts(self, value: object) -> bool:
        return not isinstance(value, (str, bytes, bytearray))

    def collect(self, value: Any, name: str, index: str, parts: Parts) -> None:
        if value is None:
            if not self.nullable:
                parts.lacks(joined(name, self.field), index)
            return
        if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
            Each(self).collect(value, name, index, parts)
            return
        item = field_of(value, self.field, name, optional=self.optional)
        self.inner.collect(item, joined(name, self.field), index, parts)

    def rebuild(self, value: Any, name: str, index: str, edits: Edits) -> Any:
        if value is None:
            return None
        if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
            return Each(self).rebuild(value, name, index, edits)
        old = field_of(value, self.field, name, optional=self.optional)
        new = self.inner.rebuild(old, joined(name, self.field), index, edits)
        return value if new is old else with_fields(value, {self.field: new})


class Loose:
    """A leaf at the end of a manifest path: one piece of content, or a list of them."""

    __slots__ = ("_each", "_leaf", "kind", "provenance")

    def __init__(self, leaf: Leaf) -> None:
        self.kind = leaf.kind
        self.provenance = leaf.provenance
        self._leaf = leaf
        self._each = Each(leaf)

    def _chosen(self, value: object) -> Shape:
        return self._each if isinstance(value, (list, tuple, set, frozenset)) else self._leaf

    def accepts(self, value: object) -> bool:
        return self._chosen(value).accepts(value)

    def collect(self, value: Any, name: str, index: str, parts: Parts) -> None:
        self._chosen(value).collect(value, name, index, parts)

    def rebuild(self, value: Any, name: str, index: str, edits: Edits) -> Any:
        return self._chosen(value).rebuild(value, name, index, edits)


class OneOf:
    """A union: the first alternative that accepts the value; *plain* are its members without content."""

    __slots__ = ("alternatives", "plain")

    def __init__(self, alternatives: Sequence[Shape], plain: tuple[type, ...] = ()) -> None:
        self.alternatives = tuple(alternatives)
        self.plain = plain

    def accepts(self, value: object) -> bool:
        return isinstance(value, self.plain) or any(shape.accepts(value) for shape in self.alternatives)

    def _chosen(self, value: object, name: str) -> Shape | None:
        for shape in self.alternatives:
            if shape.accepts(value):
                return shape
        if value is None or isinstance(value, self.plain):
            return None
        raise ConfigurationError(
            f"{name or 'the returned value'} is a {type(value).__name__}, which its annotation does not "
            "list: what is not declared cannot be checked"
        )

    def collect(self, value: Any, name: str, index: str, parts: Parts) -> None:
        chosen = self._chosen(value, name)
        if chosen is not None:
            chosen.collect(value, name, index, parts)

    def rebuild(self, value: Any, name: str, index: str, edits: Edits) -> Any:
        chosen = self._chosen(value, name)
        return value if chosen is None else chosen.rebuild(value, name, index, edits)


def field_of(value: Any, field: str, name: str, *, optional: bool = False) -> Any:
    """*field* of *value*, by key of a mapping or as an attribute; where it is absent, None if *optional*,
    else ConfigurationError."""
    keyed = isinstance(value, Mapping)
    found = value.get(field, _ABSENT) if keyed else getattr(value, field, _ABSENT)
    if found is not _ABSENT:
        return found
    if optional:
        return None
    raise ConfigurationError(
        f"{name or 'the value'} ({type(value).__name__}) has no field {field!r}: correct the path in the "
        "manifest or the annotation"
    )


def joined(name: str, field: str) -> str:
    return f"{name}.{field}" if name else field


def _bounded(name: str) -> None:
    if name.count(".") >= MAX_DEPTH:
        raise ConfigurationError(
            f"{name.partition('.')[0]} nests deeper than {MAX_DEPTH} levels or contains itself: "
            "name the content by a manifest path instead"
        )
