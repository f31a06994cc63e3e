"""Content: what a surface carries, as ordered, named parts whose ``repr`` never shows them.

``Text``, ``Image``, ``Audio`` and ``Video`` serve twice: as values, and as markers in
``Annotated[str, Text]``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from hashlib import sha256
from typing import ClassVar

PROVENANCES = ("user", "generated", "retrieved", "tool")
"""Who wrote a part: a person, a model, a search index, a tool."""

DIRECTIONS = ("input", "output", "both", "tool")
"""Which way the content of a surface goes: from people, to them, both, or between programs."""

LATER_KINDS = ("audio", "video")
"""Kinds of parts that are never checked inside a request."""


class Destination(StrEnum):
    """Where content may go: to the detection service, or nowhere out of the process."""

    SERVICE = "service"
    LOCAL = "local"


class Part:
    """One named piece of content.

    *data* is ``str`` for text and ``bytes`` for media; *mime* is a media type such as
    ``image/png``; *provenance* is one of :data:`PROVENANCES`.
    """

    __slots__ = ("_digest", "data", "mime", "name", "provenance")
    kind: ClassVar[str] = ""

    def __init__(
        self, data: str | bytes, name: str = "", *, mime: str | None = None, provenance: str = "user"
    ) -> None:
        self.data = data
        self.name = name
        self.mime = mime
        self.provenance = provenance
        self._digest: bytes | None = None

    @property
    def digest(self) -> bytes:
        """SHA-256 of the data (32 bytes), computed once. It stays inside the process: a digest of a
        short text can be guessed back, so what leaves is keyed (:func:`spotsafe.core.ids.keyed`)."""
        if self._digest is None:
            self._digest = sha256(encoded(self.data)).digest()
        return self._digest

    def replaced(self, data: str | bytes) -> Part:
        """The same part with other data: how a redaction is applied."""
        return type(self)(data, self.name, mime=self.mime, provenance=self.provenance)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Part):
            return NotImplemented
        return (self.kind, self.name, self.data, self.mime, self.provenance) == (
            other.kind, other.name, other.data, other.mime, other.provenance,
        )  # fmt: skip

    def __hash__(self) -> int:
        return hash((self.kind, self.name, self.digest))

    def __repr__(self) -> str:
        unit = "characters" if isinstance(self.data, str) else "bytes"
        return f"<{type(self).__name__} {self.name!r} {len(self.data)} {unit}>"


class Text(Part):
    """A text part; *data* is ``str``."""

    __slots__ = ()
    kind = "text"
    data: str


class Image(Part):
    """A picture; *data* is the encoded file as ``bytes``."""

    __slots__ = ()
    kind = "image"
    data: bytes


class Audio(Part):
    """A sound recording; *data* is the encoded file as ``bytes``."""

    __slots__ = ()
    kind = "audio"
    data: bytes


class Video(Part):
    """A video; *data* is the encoded file as ``bytes``."""

    __slots__ = ()
    kind = "video"
    data: bytes


PART_TYPES: dict[str, type[Part]] = {part.kind: part for part in (Text, Image, Audio, Video)}

KINDS = tuple(PART_TYPES)
"""Every kind of part, in the order in which documents list them."""


class Content:
    """Ordered parts with the languages they are said to be in (BCP 47 primary tags, may be empty)."""

    __slots__ = ("languages", "parts")

    def __init__(self, parts: Sequence[Part], languages: Sequence[str] = ()) -> None:
        self.parts = tuple(parts)
        self.languages = tuple(languages)

    def __iter__(self) -> Iterator[Part]:
        return iter(self.parts)

    def __len__(self) -> int:
        return len(self.parts)

    def part(self, name: str) -> Part | None:
        """The first part of that name, or None."""
        for part in self.parts:
            if part.name == name:
                return part
        return None

    def digest(self) -> bytes:
        """SHA-256 (32 bytes) over kind, name, provenance and digest of each part, length-prefixed so
        that no two different contents can collide by concatenation."""
        whole = sha256()
        for part in self.parts:
            for field in (part.kind, part.name, part.provenance, part.mime or ""):
                raw = encoded(field)
                whole.update(len(raw).to_bytes(4, "big") + raw)
            whole.update(part.digest)
        return whole.digest()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Content):
            return NotImplemented
        return self.parts == other.parts and self.languages == other.languages

    def __hash__(self) -> int:
        return hash((self.parts, self.languages))

    def __repr__(self) -> str:
        return f"<Content {', '.join(map(repr, self.parts)) or 'empty'}>"


class LoneText(Content):
    """Content of one text that a person wrote, without a media type: what most guarded calls carry.

    Equal to ``Content((Text(text, name),), languages)``; the part is made when somebody asks for it, which
    on a cache hit nobody does within the call. *languages* is a tuple.
    """

    __slots__ = ("_made", "name", "text")

    def __init__(self, text: str, name: str, languages: tuple[str, ...]) -> None:
        self.text = text
        self.name = name
        self.languages = languages
        self._made: tuple[Part, ...] | None = None

    @property
    def parts(self) -> tuple[Part, ...]:  # type: ignore[override]  # read-only, and made late
        made = self._made
        if made is None:
            made = self._made = (Text(self.text, self.name),)
        return made

    def __reduce__(self) -> tuple[type[Content], tuple[tuple[Part, ...], tuple[str, ...]]]:
        return Content, (self.parts, self.languages)


def encoded(data: str | bytes) -> bytes:
    """UTF-8 of *data*. Lone surrogates are kept (``surrogatepass``) so that broken text still has a
    digest of its own rather than an exception."""
    return data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
