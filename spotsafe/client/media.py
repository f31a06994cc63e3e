"""Media as products have them: bytes, a path, an open file, a framework's upload."""

from __future__ import annotations

import os
from inspect import iscoroutinefunction
from typing import Any, BinaryIO

from spotsafe.core.errors import ConfigurationError

MOST = 1024 * 1024 * 1024
"""Bytes of one part that are read into memory; the service takes no larger ones either."""


def is_media(value: object) -> bool:
    """Whether *value* can be read as media: bytes-like, a path object, a binary file, or an upload that has
    one (Starlette's and FastAPI's ``UploadFile``, Werkzeug's ``FileStorage``, Django's ``UploadedFile``)."""
    return isinstance(value, (bytes, bytearray, memoryview, os.PathLike)) or _file(value) is not None


def read_media(value: Any, name: str) -> tuple[bytes, str | None]:
    """The bytes of *value* and its media type where it states one. A file is read whole and left as it was
    found, so that the handler reads it from where it would have. Raises ConfigurationError naming the part
    *name* where it cannot be read, or not twice."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value), None
    if isinstance(value, os.PathLike):
        return _read_path(value, name), None
    file = _file(value)
    if file is None:
        raise ConfigurationError(
            f"{name} is a {type(value).__name__}: pass bytes, a pathlib.Path, or a file opened with 'rb'"
        )
    said = getattr(value, "content_type", None) or getattr(value, "mimetype", None)
    return _read_file(file, name), said if isinstance(said, str) and 0 < len(said) <= 100 else None


def _file(value: object) -> BinaryIO | None:
    """The binary file that *value* is or has. An upload's own ``read`` may have to be awaited; its file's
    never has."""
    for candidate in (getattr(value, "file", None), getattr(value, "stream", None), value):
        if all(callable(getattr(candidate, method, None)) for method in ("read", "seek", "tell")):
            return candidate  # type: ignore[return-value]  # checked by what it can do
    return None


def _read_path(path: os.PathLike[str], name: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return _bounded(file, name)
    except OSError as error:
        raise ConfigurationError(f"{name}: the file cannot be read ({error.strerror})") from None


def _read_file(file: BinaryIO, name: str) -> bytes:
    if any(iscoroutinefunction(getattr(file, method)) for method in ("read", "seek", "tell")):
        raise ConfigurationError(
            f"{name} is a file that has to be awaited, which a check cannot do: read it first, and pass its "
            "bytes"
        )
    try:
        start = file.tell()
        try:
            # From its beginning, wherever it stands: the handler may go back, too.
            file.seek(0)
            return _bounded(file, name)
        finally:
            file.seek(start)
    except (OSError, ValueError):  # closed, or a stream that cannot go back
        raise ConfigurationError(
            f"{name} is a file that cannot be read twice: pass its bytes, and give the handler the same"
        ) from None


def _bounded(file: BinaryIO, name: str) -> bytes:
    # A raw stream may give less than was asked for; what is not read here would go unchecked.
    pieces, size = [], 0
    while size <= MOST and (piece := file.read(MOST + 1 - size)):
        if not isinstance(piece, bytes):
            raise ConfigurationError(f"{name} is a file opened as text: open it with 'rb'")
        pieces.append(piece)
        size += len(piece)
    data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    if len(data) > MOST:
        raise ConfigurationError(
            f"{name} has more than {MOST // 2**20} MiB: bound uploads where they are received"
        )
    return data
