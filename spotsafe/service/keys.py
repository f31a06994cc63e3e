"""API keys: high-entropy secrets, kept as SHA-256, with scopes and the application they stand for.

The keys file has one key a line: ``NAME SCOPES sha256:HEX``, scopes joined by commas; ``#`` starts a
comment. A plain hash is enough because the keys are 256 random bits of our own making: there is nothing
to guess, so a slow hash would only slow every request (NIST SP 800-63B, section 5.1.2, asks for
salted and stretched hashes only below 112 bits).
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
import stat
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from spotsafe.core.errors import ConfigurationError

SCOPES = ("detect", "events", "admin")
"""``detect``: have content checked; ``events``: deliver records, ask for holds; ``admin``: all of it,
decide holds, read adoption."""

KEY_PREFIX = "spot_"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HASH = re.compile(r"sha256:([0-9a-f]{64})")


class Principal(NamedTuple):
    """Who calls: the application of the key, and what it may do."""

    application: str
    scopes: frozenset[str]

    def may(self, scope: str) -> bool:
        """Whether the key has *scope*; ``admin`` includes the others."""
        return scope in self.scopes or "admin" in self.scopes


LOCAL = Principal("local", frozenset(SCOPES))
"""Everybody, where no keys are configured: then the service listens on loopback only."""


class StoredKey(NamedTuple):
    """One line of the file."""

    principal: Principal
    digest: str


class KeyRing:
    """The keys of one file, read again when the file changes, so that a revoked key is out at once."""

    __slots__ = ("_keys", "_path", "_seen")

    def __init__(self, keys: Iterable[StoredKey], path: Path | None = None) -> None:
        self._keys = tuple(keys)
        self._path = path
        self._seen = _stamp(path)

    @classmethod
    def read(cls, path: Path) -> KeyRing:
        """The keys in *path*. ConfigurationError for an unreadable, unsafe, empty or broken file."""
        return cls(_read(path), path)

    def principal(self, key: str) -> Principal | None:
        """Whose *key* it is, or None. Every stored hash is compared, in constant time each."""
        self._refresh()
        digest = hashed(key)
        found = None
        for stored in self._keys:
            if hmac.compare_digest(stored.digest, digest):
                found = stored.principal
        return found

    def _refresh(self) -> None:
        """Take over a changed file. A file that can no longer be read revokes nothing and adds nothing:
        the last good keys stay, for a typing mistake must not lock every client out."""
        stamp = _stamp(self._path)
        if self._path is None or stamp == self._seen:
            return
        self._seen = stamp
        try:
            self._keys = _read(self._path)
        except ConfigurationError:
            return


def _stamp(path: Path | None) -> tuple[int, int, int] | None:
    if path is None:
        return None
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read(path: Path) -> tuple[StoredKey, ...]:
    try:
        mode = path.stat().st_mode
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(
            f"the keys file {path} cannot be read: make one with "
            f"'spotsafe serve --api-keys {path} --new-key NAME'"
        ) from None
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigurationError(f"others may write the keys file {path}: chmod 600 {path}")
    found = []
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        if words:
            found.append(_parsed(words, f"{path}:{number}"))
    if not found:
        raise ConfigurationError(f"the keys file {path} has no key: add one with --new-key NAME")
    return tuple(found)


def _parsed(words: list[str], place: str) -> StoredKey:
    if len(words) != 3:
        raise ConfigurationError(f"{place}: expected NAME SCOPES sha256:HEX")
    name, scopes, digest = words
    if (match := _HASH.fullmatch(digest)) is None:
        raise ConfigurationError(f"{place}: the third word must be sha256: and 64 hexadecimal digits")
    return StoredKey(checked_principal(name, scopes.split(","), place), match[1])


def checked_principal(name: str, scopes: Iterable[str], place: str) -> Principal:
    """A principal of a valid *name* and known *scopes*; ConfigurationError naming *place*."""
    wanted = frozenset(scopes)
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"{place}: a key's name is 1 to 64 letters, digits, dots, dashes")
    if not wanted or wanted - set(SCOPES):
        raise ConfigurationError(f"{place}: scopes are {', '.join(SCOPES)}, joined by commas")
    return Principal(name, wanted)


def hashed(key: str) -> str:
    """SHA-256 of *key*, hex: what the file keeps."""
    return sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def new_key() -> str:
    """A key of 256 random bits. Shown once, never stored."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def add_key(path: Path, name: str, scopes: Iterable[str]) -> str:
    """Append a new key for the application *name* to the file (made with mode 0600) and return it.
    ConfigurationError where the file or an argument is not usable."""
    principal = checked_principal(name, scopes, "--new-key")
    if path.exists() and path.stat().st_size:
        try:
            _read(path)
        except ConfigurationError as error:
            if "has no key" not in str(error):
                raise
    key = new_key()
    ordered = ",".join(scope for scope in SCOPES if scope in principal.scopes)
    line = f"{principal.application} {ordered} sha256:{hashed(key)}\n"
    try:
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(handle, "a", encoding="utf-8") as file:
            file.write(line)
    except OSError as error:
        raise ConfigurationError(f"the keys file {path} cannot be written: {error.strerror}") from None
    return key
