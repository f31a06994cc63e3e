"""Reading a request's body: bounded while it arrives, decompressed within the same bound, strict JSON.

Faults name the line and column or the JSON pointer, never what stands there. Member names in pointers
come from :data:`KNOWN_NAMES`; any other is content in the wrong place and shown as ``*``.
"""

from __future__ import annotations

import asyncio
import json
import math
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from anyio import to_thread
from starlette.requests import ClientDisconnect, Request

from spotsafe.service.limits import Limits
from spotsafe.service.problems import (
    MALFORMED,
    MEDIA_TYPE,
    OVERLOADED,
    SLOW_BODY,
    TOO_LARGE,
    Problem,
)

KNOWN_NAMES = frozenset(
    {
        "items", "id", "parts", "name", "type", "text", "data", "mime", "provenance", "languages", "context",
        "labels", "input", "model", "image_url", "url", "events", "state", "note", "verdict", "label",
        "decision_id", "reporter",
    }
)  # fmt: skip
"""Member names that may appear in a pointer."""

_PARSE_INLINE = 64 * 1024
"""Bodies larger than this are parsed in a thread, so that others are answered meanwhile."""

_Path = tuple["_Path", str | int] | None


class BodyBudget:
    """How many bytes of bodies are in memory; used from the event loop only."""

    __slots__ = ("_limit", "used")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.used = 0

    def take(self, size: int) -> None:
        """Count *size* bytes; a 503 problem when the whole budget is used up."""
        if self.used + size > self._limit:
            raise Problem(
                OVERLOADED, "Too many bytes are being received at once. Try again later.", retry_after=1
            )
        self.used += size

    def give(self, size: int) -> None:
        """Take *size* bytes off the count again."""
        self.used -= size


@asynccontextmanager
async def json_body(request: Request, limits: Limits, budget: BodyBudget, *, most: int) -> AsyncIterator[Any]:
    """The parsed JSON body of *request*, at most *most* bytes; its bytes count against *budget* until
    the block ends. Raises :class:`Problem` (400, 408, 413, 415, 503)."""
    encoding = _checked_headers(request, most)
    raw = bytearray()
    try:
        try:
            async with asyncio.timeout(limits.body_seconds):
                await _receive(request, raw, budget, most)
        except TimeoutError:
            raise Problem(SLOW_BODY, f"Send it within {limits.body_seconds:g} seconds.") from None
        except ClientDisconnect:
            raise Problem(MALFORMED, "The connection ended before the body did.") from None
        if len(raw) > _PARSE_INLINE:
            yield await to_thread.run_sync(_read, bytes(raw), encoding, most, limits)
        else:
            yield _read(bytes(raw), encoding, most, limits)
    finally:
        budget.give(len(raw))


def _read(raw: bytes, encoding: str, most: int, limits: Limits) -> Any:
    return parse(_inflated(raw, most) if encoding == "gzip" else raw, limits)


def _checked_headers(request: Request, most: int) -> str:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Problem(MEDIA_TYPE, "Send Content-Type: application/json.")
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise Problem(
            MEDIA_TYPE, "Send the body plain or with gzip.", headers={"accept-encoding": "gzip, identity"}
        )
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:18]) > most:
        raise _too_large(most)
    return encoding


async def _receive(request: Request, raw: bytearray, budget: BodyBudget, most: int) -> None:
    async for chunk in request.stream():
        if len(raw) + len(chunk) > most:
            raise _too_large(most)
        budget.take(len(chunk))
        raw += chunk


def _inflated(raw: bytes, most: int) -> bytes:
    """One gzip member, never more than *most* bytes of it: a bomb is refused at the bound."""
    reader = zlib.decompressobj(wbits=31)
    try:
        data = reader.decompress(raw, most + 1)
    except zlib.error:
        raise Problem(MALFORMED, "The gzip data is damaged. Compress the body anew.") from None
    if len(data) > most:
        raise _too_large(most)
    if not reader.eof or reader.unused_data:
        raise Problem(MALFORMED, "The gzip data is not exactly one complete member.")
    return data


def _too_large(most: int) -> Problem:
    return Problem(TOO_LARGE, f"Send at most {most} bytes (after decompression); split the request.")


class _Refused(ValueError):
    """A value that JSON text may hold but we do not take; the message has fixed words only."""


def parse(data: bytes, limits: Limits) -> Any:
    """The JSON value in *data*. UTF-8 only; no duplicate names, NaN, Infinity, overlong integers, lone
    surrogates; depth and number of values bounded. Raises :class:`Problem` (400)."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Problem(MALFORMED, f"It is not UTF-8 (at byte {error.start}). Encode it as UTF-8.") from None
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=lambda digits: _integer(digits, limits.json_digits),
        )
    except json.JSONDecodeError as error:
        raise Problem(MALFORMED, f"It is not JSON (line {error.lineno}, column {error.colno}).") from None
    except _Refused as error:
        raise Problem(MALFORMED, str(error)) from None
    except RecursionError:
        raise Problem(MALFORMED, f"It is nested deeper than {limits.json_depth} levels.") from None
    _walk(value, limits, surrogates="\\u" in text)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Refused("An object has the same name twice. Send each name once.")
    return found


def _refuse_constant(_: str) -> float:
    raise _Refused("NaN and Infinity are not JSON. Leave the value out.")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise _Refused("A number is too large for a 64-bit float.")
    return value


def _integer(digits: str, most: int) -> int:
    if len(digits) > most:
        raise _Refused(f"An integer has more than {most - 1} digits.")
    return int(digits)


def _walk(value: Any, limits: Limits, *, surrogates: bool) -> None:
    """Check depth, number of values and, where *surrogates* says they could occur, well-formed text."""
    worth_a_look = dict | list | str if surrogates else dict | list
    stack: list[tuple[Any, int, _Path]] = [(value, 1, None)] if isinstance(value, worth_a_look) else []
    count = 0
    while stack:
        found, depth, path = stack.pop()
        if isinstance(found, str):
            if not _well_formed(found):
                raise Problem(
                    MALFORMED, "A string has half a surrogate pair. Send well-formed Unicode.",
                    pointer=_pointer(path),
                )  # fmt: skip
            continue
        if depth > limits.json_depth:
            raise Problem(MALFORMED, f"It is nested deeper than {limits.json_depth} levels.")
        count += len(found)
        if count > limits.json_values:
            raise Problem(MALFORMED, f"It has more than {limits.json_values} values; split the request.")
        if surrogates and isinstance(found, dict) and not all(map(_well_formed, found)):
            raise Problem(MALFORMED, "A name has half a surrogate pair.", pointer=_pointer(path))
        members = found.items() if isinstance(found, dict) else enumerate(found)
        stack.extend(
            (inner, depth + 1, (path, name)) for name, inner in members if isinstance(inner, worth_a_look)
        )


def _well_formed(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _pointer(path: _Path) -> str:
    names: list[str] = []
    while path is not None:
        path, name = path
        names.append(str(name) if isinstance(name, int) or name in KNOWN_NAMES else "*")
    return "".join(f"/{name}" for name in reversed(names))
