"""Identifiers: UUIDv7 decision ids and keyed digests of what may not leave the process in clear."""

from __future__ import annotations

import hmac
from hashlib import sha256
from random import Random


def uuid7(milliseconds: int, random: Random) -> str:
    """A UUIDv7 (RFC 9562, section 5.7) from a Unix time in milliseconds and 74 random bits."""
    bits = random.getrandbits(74)
    head = (milliseconds & 0xFFFFFFFFFFFF) << 80 | 0x7 << 76
    value = head | (bits >> 62) << 64 | 0x2 << 62 | bits & ((1 << 62) - 1)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def keyed(key: bytes, domain: str, value: str | bytes) -> str:
    """HMAC-SHA-256 of *value* under the tenant's *key*, hex. *domain* (``actor``, ``item``, ``content``)
    keeps equal values of different kinds apart."""
    raw = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    return hmac.new(key, domain.encode() + b"\0" + raw, sha256).hexdigest()


def bucket(key: bytes, surface: str, subject: str) -> float:
    """A stable place of *subject* in [0, 100) for roll-outs, independent between surfaces."""
    digest = hmac.new(key, f"canary\0{surface}\0{subject}".encode("utf-8", "surrogatepass"), sha256).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 * 100
