"""What a handler returns or yields: where its content is, and how an edit gets into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from spotsafe.core.content import Content, Part
from spotsafe.core.errors import ConfigurationError
from spotsafe.surface.declared import Carrier, Matched, leaves, match, path_shape
from spotsafe.surface.handler import Handler, Kind
from spotsafe.surface.hints import Place, ShapeCompiler, streamed
from spotsafe.surface.parts import Edits, Parts
from spotsafe.surface.shapes import Leaf, Loose, OneOf

if TYPE_CHECKING:
    from spotsafe.surface.seams import SurfacePolicy

RESPONSE_REMEDY = (
    "guard the generator that makes the text, not the route that streams it, and return "
    "`StreamingResponse(await aopened(answer(…)))`"
)
OUTPUT = "output"
"""The name of the part where a handler returns plain text and the manifest has no name for it."""


class Answer:
    """Takes content out of a returned value or of one item of a stream, and puts edits back."""

    __slots__ = ("_carriers", "_languages", "_names", "_provenance", "_where")

    def __init__(self, matched: Matched, languages: Sequence[str], where: str, provenance: str) -> None:
        self._carriers = matched.carriers
        self._names = matched.names
        self._languages = languages
        self._where = where
        self._provenance = provenance

    def content(self, value: Any) -> Content:
        """The content of *value*; ConfigurationError where it is not what was declared."""
        if is_response(type(value)):
            kind = type(value).__name__
            raise ConfigurationError(f"{self._where}: a {kind} was returned: {RESPONSE_REMEDY}")
        parts = Parts(self._names)
        for _, shape, name in self._carriers:
            shape.collect(value, name, "", parts)
        return parts.content(self._languages)

    def edited(self, value: Any, edits: Mapping[str, Part]) -> Any:
        """*value* with redacted content, as a copy."""
        lookup = Edits(self._names, edits)
        for _, shape, name in self._carriers:
            value = shape.rebuild(value, name, "", lookup)
        return value

    def text_part(self) -> tuple[str, str]:
        """Name and provenance of the one text that each item of a stream carries."""
        found = [
            (self._names.get(path, path), kind)
            for _, shape, name in self._carriers
            for path, kind in leaves(shape, name)
        ]
        if len(found) != 1 or found[0][1] != "text":
            raise ConfigurationError(
                f"{self._where}: a stream is checked as one text, but each of its items carries "
                f"{', '.join(f'{name} ({kind})' for name, kind in found)}: declare one text field"
            )
        return found[0][0], self._provenance

    def text(self, item: Any) -> str:
        """The text of one item of a stream; empty for an item without any."""
        texts = [part.data for part in self.content(item) if isinstance(part.data, str)]
        if len(texts) > 1:
            raise ConfigurationError(
                f"{self._where}: one item of the stream carries {len(texts)} texts: yield them one by one"
            )
        return texts[0] if texts else ""

    def with_text(self, item: Any, text: str) -> Any:
        """A copy of an item of a stream with another text."""
        part = next(iter(self.content(item)))
        return self.edited(item, {part.name: part.replaced(text)})


def compile_answer(
    handler: Handler, policy: SurfacePolicy, hint: Any, leftover: Sequence[str], direction: str
) -> Answer:
    """How to read what *handler* returns, from its return hint and the manifest's *leftover* keys."""
    provenance = "tool" if direction == "tool" else "generated"
    if is_response(hint):
        raise ConfigurationError(f"{handler.where}: it returns a {hint.__name__}: {RESPONSE_REMEDY}")
    item = streamed(hint) if hint is not None else Any
    place = Place(handler.surface, handler.name, "the returned value")
    shape = ShapeCompiler(provenance).compile(item, place)
    wanted = {key: policy.content[key] for key in leftover}
    if shape is not None:
        name = _root_name(wanted, handler) if isinstance(shape, (Leaf, Loose)) or _is_list(shape) else ""
        declared = wanted if wanted else {}
        matched = match({"": (shape, name)}, declared, handler.where)
        return Answer(matched, policy.languages, handler.where, provenance)
    carriers = _by_path(wanted, item, provenance) or _plain_text(handler, item, provenance)
    return Answer(Matched(tuple(carriers), {}, ()), policy.languages, handler.where, provenance)


def is_response(kind: Any) -> bool:
    """Whether *kind* is the class of a streamed response (Starlette's, by name: it is not imported here)."""
    return isinstance(kind, type) and any(base.__name__ == "StreamingResponse" for base in kind.__mro__)


def _is_list(shape: Any) -> bool:
    """Whether all of the value is content, without fields: a list of texts."""
    return [path for path, _ in leaves(shape, "")] == [""]


def _root_name(wanted: Mapping[str, object], handler: Handler) -> str:
    """The manifest's name for an answer that is content as a whole."""
    if len(wanted) > 1 and OUTPUT not in wanted:
        raise ConfigurationError(
            f"{handler.where}: the handler returns one piece of content, but the manifest names "
            f"{', '.join(wanted)}: name one of them {OUTPUT!r}, or return an object with these fields"
        )
    return OUTPUT if OUTPUT in wanted or not wanted else next(iter(wanted))


def _by_path(wanted: Mapping[str, Any], item: Any, provenance: str) -> list[Carrier]:
    """Carriers for the manifest's keys in an answer that no annotation describes."""
    carriers = []
    whole = len(wanted) == 1
    for key, part in wanted.items():
        fields = tuple(part.path or key.split("."))
        leaf = Leaf(part.kind, provenance)
        if whole and len(fields) == 1 and item in (str, bytes):
            carriers.append(Carrier("", leaf, key))
        elif whole and len(fields) == 1 and item in (Any, object):
            # Not said: text as a whole, or an object with that field.
            carriers.append(Carrier("", _WholeOrField(key, leaf, path_shape(part, fields, provenance)), ""))
        else:
            carriers.append(Carrier("", path_shape(part, fields, provenance), ""))
    return carriers


class _WholeOrField(OneOf):
    """An answer whose type nobody states: the content itself, or an object that has it as a field."""

    __slots__ = ("_key", "_leaf")

    def __init__(self, key: str, leaf: Leaf, field: Any) -> None:
        super().__init__((leaf, field))
        self._key = key
        self._leaf = leaf

    def collect(self, value: Any, name: str, index: str, parts: Parts) -> None:
        chosen = self._chosen(value, name)
        if chosen is not None:
            chosen.collect(value, self._key if chosen is self._leaf else name, index, parts)

    def rebuild(self, value: Any, name: str, index: str, edits: Edits) -> Any:
        chosen = self._chosen(value, name)
        if chosen is None:
            return value
        return chosen.rebuild(value, self._key if chosen is self._leaf else name, index, edits)


def _plain_text(handler: Handler, item: Any, provenance: str) -> list[Carrier]:
    if item in (str, Any, object) or item == (str | None):
        return [Carrier("", Leaf("text", provenance), OUTPUT)]
    what = "yields" if handler.kind in (Kind.GENERATOR, Kind.ASYNC_GENERATOR) else "returns"
    raise ConfigurationError(
        f"{handler.where} {what} a type in which no content is declared: annotate the field that carries it, "
        "as in `text: Annotated[str, Text]`, or name it in the manifest's content"
    )
