"""From type hints to shapes: finds ``Annotated[str, Text]`` wherever a hint can carry it.

Followed: Optional and unions, lists, sets, homogeneous tuples, mapping values, and the fields of
dataclasses, pydantic models, typed dicts, named tuples and attrs classes, recursive ones included.
A hint that cannot be resolved could hide content, so it is an error and never skipped.
"""

from __future__ import annotations

import collections.abc
import types
import typing
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Annotated, Any, ForwardRef, NamedTuple, TypeVar, Union, get_args, get_origin

from spotsafe.core.content import Part
from spotsafe.core.errors import ConfigurationError
from spotsafe.surface.shapes import Each, Leaf, OneOf, Record, Shape, Values


class Place(NamedTuple):
    """Where a hint stands, for messages: the surface's name, the callable, and the path in its signature."""

    surface: str
    function: str
    path: str

    def below(self, step: str) -> Place:
        return self._replace(path=f"{self.path}{step}")

    def error(self, problem: str, remedy: str) -> ConfigurationError:
        return ConfigurationError(f"{self.surface}: {self.function}: {self.path} {problem}: {remedy}")


_ShapeOf = Callable[[Any, Place], "Shape | None"]


class ShapeCompiler:
    """Compiles hints to shapes; one per side (input or output) of one guarded callable."""

    def __init__(self, provenance: str = "user") -> None:
        self._provenance = provenance
        self._records: dict[type, Record] = {}

    def compile(self, hint: Any, place: Place) -> Shape | None:
        """The shape of the content that *hint* declares, or None where it declares none."""
        shape = self._shape(hint, place)
        for record in self._records.values():  # only now is each recursive class complete
            record.fields = {f: inner for f, inner in record.fields.items() if _reaches_leaf(inner, set())}
        return shape if shape is not None and _reaches_leaf(shape, set()) else None

    def _shape(self, hint: Any, place: Place) -> Shape | None:
        hint = _plain(hint)
        if isinstance(hint, (str, ForwardRef)):
            raise place.error("has a type hint that cannot be resolved", UNRESOLVED)
        origin = get_origin(hint)
        if origin is Annotated:
            return self._annotated(hint, place)
        if origin in (Union, types.UnionType):
            return self._union(get_args(hint), lambda member: self._shape(member, place))
        if isinstance(origin, type):
            return self._generic(origin, get_args(hint), place, self._shape)
        if isinstance(hint, TypeVar):
            return None if hint.__bound__ is None else self._shape(hint.__bound__, place)
        if isinstance(hint, type):
            return self._record(hint, place)
        return None

    def _annotated(self, hint: Any, place: Place) -> Shape | None:
        base, *metadata = get_args(hint)
        kinds = {kind for entry in metadata if (kind := _marked_kind(entry)) is not None}
        if not kinds:
            return self._shape(base, place)
        if len(kinds) > 1:
            raise place.error("is annotated as several kinds of content", "keep one of them")
        return self._marked(base, kinds.pop(), place)

    def _marked(self, base: Any, kind: str, place: Place) -> Shape:
        """``Annotated[base, Text]``: the mark holds for each item of a list or union."""
        base = _plain(base)
        origin = get_origin(base)
        if origin is Annotated:
            return self._marked(get_args(base)[0], kind, place)
        if origin in (Union, types.UnionType):
            members = [member for member in get_args(base) if member is not type(None)]
            shapes = [self._marked(member, kind, place) for member in members]
            _nullable(shapes, len(members) < len(get_args(base)))
            return shapes[0] if len(shapes) == 1 else OneOf(shapes)
        if isinstance(origin, type):
            below = self._generic(origin, get_args(base), place, lambda h, p: self._marked(h, kind, p))
            if below is not None:
                return below
        if isinstance(base, type) and not _carries(base, kind):
            carrier = "str" if kind == "text" else "bytes, a pathlib.Path, a file or an upload"
            raise place.error(
                f"is annotated as {kind} but is a {base.__name__}",
                f"annotate a {carrier}, or the field of it that carries the {kind}",
            )
        return Leaf(kind, self._provenance)

    def _union(self, members: Sequence[Any], shape_of: Callable[[Any], Shape | None]) -> Shape | None:
        shapes: list[Shape] = []
        plain: list[type] = []
        for member in members:
            shape = shape_of(member)
            if shape is not None:
                shapes.append(shape)
            elif (bare := _runtime_class(member)) is not None:
                plain.append(bare)
        if not shapes:
            return None
        _nullable(shapes, types.NoneType in plain)
        return (
            shapes[0] if len(shapes) == 1 and set(plain) <= {types.NoneType} else OneOf(shapes, tuple(plain))
        )

    def _generic(
        self,
        origin: type,
        args: tuple[Any, ...],
        place: Place,
        shape_of: _ShapeOf,
    ) -> Shape | None:
        if issubclass(origin, tuple) and not (len(args) == 2 and args[1] is Ellipsis):
            inner = [shape_of(arg, place.below(f"[{i}]")) for i, arg in enumerate(args)]
            if not any(inner):
                return None
            if len(set(args)) == 1:
                return Each(inner[0]) if inner[0] else None
            raise place.error(
                "carries content in a tuple of different items", "use a NamedTuple or a dataclass"
            )
        if issubclass(origin, Mapping):
            if args and self._shape(args[0], place) is not None:
                raise place.error("carries content in the keys of a mapping", "carry it in the values")
            shape = shape_of(args[1], place.below("{}")) if len(args) == 2 else None
            return None if shape is None else Values(shape)
        if issubclass(origin, (Sequence, Set)):
            shape = shape_of(args[0], place.below("[]")) if args else None
            return None if shape is None else Each(shape)
        return self._other_generic(origin, args, place)

    def _other_generic(self, origin: type, args: tuple[Any, ...], place: Place) -> Shape | None:
        for arg in args:
            if not isinstance(arg, (list, types.EllipsisType)) and self._shape(arg, place) is not None:
                raise place.error(
                    f"carries content inside a generic {origin.__name__}, which cannot be read",
                    "use a list, a mapping, or a class of its own whose field is annotated",
                )
        return self._record(origin, place)

    def _record(self, cls: type, place: Place) -> Record | None:
        known = self._records.get(cls)
        if known is not None:
            return known
        hints = field_hints(cls, place)
        if hints is None:
            return None

        def refine(variant: type) -> Mapping[str, Shape]:
            record = ShapeCompiler(self._provenance)._record(variant, place)
            return {} if record is None else record.fields

        # Registered before its fields are compiled: a recursive class finds itself.
        record = self._records[cls] = Record(cls, refine)
        for field, hint in hints.items():
            shape = self._shape(hint, place.below(f".{field}"))
            if shape is not None:
                record.fields[field] = shape
        return record


def _carries(base: type, kind: str) -> bool:
    """Whether values of *base* can be one piece of content of that kind. A class that reads like a file, or
    has one (an upload), can be media; whether a value does is seen when it is there."""
    if base is object or issubclass(base, Part):
        return True
    if kind == "text":
        return issubclass(base, str)
    if issubclass(base, (bytes, bytearray, memoryview)):
        return True
    return hasattr(base, "__fspath__") or callable(getattr(base, "read", None))


UNRESOLVED = (
    "make the name importable at run time (not only under TYPE_CHECKING), or define it before the first call"
)


def field_hints(cls: type, place: Place) -> dict[str, Any] | None:
    """Field → hint of a class that is known to carry data; None for any other class."""
    if getattr(cls, "__pydantic_complete__", True) is False and hasattr(cls, "model_rebuild"):
        cls.model_rebuild(raise_errors=False)
    # ``model_fields`` before pydantic 2.10.
    pydantic_fields = getattr(cls, "__pydantic_fields__", None) or getattr(cls, "model_fields", None)
    if isinstance(pydantic_fields, dict):
        return {
            name: Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
            for name, field in pydantic_fields.items()
        }
    if hasattr(cls, "__dataclass_fields__"):
        names = tuple(cls.__dataclass_fields__)
    elif hasattr(cls, "__attrs_attrs__"):
        names = tuple(entry.name for entry in cls.__attrs_attrs__)
    elif typing.is_typeddict(cls) or (issubclass(cls, tuple) and hasattr(cls, "_fields")):
        names = tuple(getattr(cls, "_fields", None) or cls.__annotations__)
    else:
        return None
    try:
        hints = typing.get_type_hints(cls, include_extras=True)
    except (NameError, AttributeError, TypeError):
        raise place.error(
            f"is a {cls.__name__} with a field hint that cannot be resolved", UNRESOLVED
        ) from None
    return {name: hints[name] for name in names if name in hints}


STREAMS = (
    collections.abc.Iterator,
    collections.abc.Iterable,
    collections.abc.Generator,
    collections.abc.AsyncIterator,
    collections.abc.AsyncIterable,
    collections.abc.AsyncGenerator,
)


def streamed(hint: Any) -> Any:
    """The hint of one item of a stream (``AsyncIterator[str]`` gives ``str``); any other hint itself."""
    plain = _plain(hint)
    if get_origin(plain) in STREAMS:
        args = get_args(plain)
        return args[0] if args else Any
    return Any if plain in STREAMS else hint


def allows_none(hint: Any, fields: Sequence[str] = ()) -> bool:
    """Whether *hint*, or a hint on the way along *fields* of the class that it names, lists None."""
    plain = _plain(hint)
    while get_origin(plain) is Annotated:
        plain = _plain(get_args(plain)[0])
    if get_origin(plain) in (Union, types.UnionType):
        return types.NoneType in get_args(plain) or any(allows_none(arg, fields) for arg in get_args(plain))
    if not fields or not isinstance(plain, type):
        return plain is types.NoneType
    below = field_hints(plain, Place("", "", plain.__name__)) or {}
    return fields[0] in below and allows_none(below[fields[0]], fields[1:])


def _nullable(shapes: Sequence[Shape], allowed: bool) -> None:
    """Tell the leaves of a union that it lists None."""
    for shape in shapes:
        if isinstance(shape, Leaf):
            shape.nullable = shape.nullable or allowed


def is_marked(hint: Any) -> bool:
    """Whether *hint* itself (or the item of the stream it is) carries a mark such as ``Text``."""
    inner = _plain(streamed(hint))
    return get_origin(inner) is Annotated and any(_marked_kind(entry) for entry in get_args(inner)[1:])


def _marked_kind(entry: Any) -> str | None:
    """The kind that an ``Annotated`` entry marks: ``Text`` itself, or a part used as a marker."""
    if isinstance(entry, type) and issubclass(entry, Part):
        return entry.kind
    return entry.kind if isinstance(entry, Part) else None


def _plain(hint: Any) -> Any:
    """*hint* without the wrappers that say nothing about content: NewType, type aliases, Required."""
    while True:
        if hasattr(hint, "__supertype__"):
            hint = hint.__supertype__
        elif type(hint).__name__ == "TypeAliasType":
            hint = hint.__value__
        elif get_origin(hint) in (typing.Required, typing.NotRequired, typing.Final, typing.ClassVar):
            hint = get_args(hint)[0]
        else:
            return hint


def _runtime_class(member: Any) -> type | None:
    """A class for isinstance that stands for a union member without content."""
    if member is None:
        return types.NoneType
    if member is Any:
        return object
    origin = get_origin(member)
    if origin is typing.Literal:
        return str if any(isinstance(value, str) for value in get_args(member)) else object
    if origin is Annotated:
        return _runtime_class(get_args(member)[0])
    if isinstance(origin, type):
        return origin
    return member if isinstance(member, type) else None


def _reaches_leaf(shape: Shape, seen: set[int]) -> bool:
    if id(shape) in seen:
        return False
    seen.add(id(shape))
    if isinstance(shape, (Each, Values)):
        return _reaches_leaf(shape.inner, seen)
    if isinstance(shape, Record):
        return any(_reaches_leaf(inner, seen) for inner in shape.fields.values())
    if isinstance(shape, OneOf):
        return any(_reaches_leaf(inner, seen) for inner in shape.alternatives)
    return True
