"""Cache keys: a keyed hash of all that a detector's answer depends on, and of nothing else.

Every field is length-prefixed, so no two different contents can collide by concatenation. The key is
the 32-byte hash of (labels, languages, declared context, parts) followed by 16 bytes for the detector's
id and version: a new version switches the namespace without hashing the content again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

from spotsafe.core.content import Content, Part, Text, encoded


def namespace(detector: str, version: str) -> bytes:
    """16 bytes that stand for one version of one detector."""
    return sha256(b"namespace" + _joined((detector, version))).digest()[:16]


def declared(context: Mapping[str, object], fields: Iterable[str]) -> dict[str, object]:
    """The entries of *context* that a detector declared it reads."""
    return {name: context[name] for name in fields if name in context}


class SurfaceKeys:
    """Hashes contents of one surface; what is common to them is hashed once, ahead.

    *secret* keys the hash (any bytes), *labels* are the codes asked for, *languages* the surface's.
    """

    __slots__ = ("_base", "languages", "plain")

    def __init__(self, secret: bytes, labels: Sequence[str], languages: Sequence[str]) -> None:
        self._base = sha256(_field(secret) + _joined(labels)).digest()
        self.languages = tuple(languages)
        self.plain: dict[str, bytes] = {}

    def plain_text(self, name: str) -> bytes:
        """What precedes the UTF-8 of a lone user-written text part called *name*, in the surface's
        languages, without media type and context: ``sha256(plain_text(name) + text)`` is its hash."""
        return self._prefix((Text("", name),), self.languages, {}, b"text")

    def hash(self, content: Content, context: Mapping[str, object]) -> bytes:
        """32 bytes for *content* and the declared *context*."""
        if len(content.parts) == 1 and isinstance(content.parts[0], Text):
            prefix = self._prefix(content.parts, content.languages, context, b"text")
            return sha256(prefix + encoded(content.parts[0].data)).digest()
        prefix = self._prefix(content.parts, content.languages, context, b"parts")
        return sha256(prefix + b"".join(part.digest for part in content.parts)).digest()

    def _prefix(
        self, parts: Sequence[Part], languages: Sequence[str], context: Mapping[str, object], form: bytes
    ) -> bytes:
        """32 bytes over the form, languages, context and the description of each part."""
        whole = sha256(self._base + form + _joined(languages) + len(context).to_bytes(4, "big"))
        for name in sorted(context):
            whole.update(_joined((name, _value(context[name]))))
        whole.update(len(parts).to_bytes(4, "big"))
        for part in parts:
            mime = "" if part.mime is None else "=" + part.mime
            whole.update(_joined((part.kind, part.name, part.provenance, mime)))
        return whole.digest()


def _value(value: object) -> str:
    """A text that tells apart values of different type (``1``, ``1.0``, ``true``, ``"1"``)."""
    if isinstance(value, bool | int | float | str) or value is None:
        return json.dumps(value)
    return f"{type(value).__name__}:{json.dumps(value, default=str, sort_keys=True)}"


def _joined(fields: Sequence[str]) -> bytes:
    return len(fields).to_bytes(4, "big") + b"".join(_field(encoded(field)) for field in fields)


def _field(raw: bytes) -> bytes:
    return len(raw).to_bytes(8, "big") + raw
