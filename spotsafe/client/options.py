"""What a client is made of, checked when it is constructed: no I/O, no threads, no event loop."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from spotsafe.core.errors import ConfigurationError
from spotsafe.core.seams import Detector

CACHE_ITEMS = 10_000
CACHE_BYTES = 32 * 2**20
LEAST_KEY = 16
"""Bytes of a tenant key at least."""


class Options(NamedTuple):
    """The arguments of :class:`spotsafe.client.client.Client`, normalised. *tenant_key* is 32 bytes;
    *lasting_key* says whether it outlives the process."""

    manifests: tuple[Path, ...]
    waivers: Path | None
    service: str | None
    api_key: str | None
    detector: Detector | str | None
    fallback: Detector | str | None
    app: str | None
    environment: str | None
    tenant_key: bytes
    lasting_key: bool
    outbox: Path | None
    cache_items: int
    cache_bytes: int
    telemetry: bool
    transport: Any

    def __repr__(self) -> str:
        return f"<Options service={self.service is not None} manifests={len(self.manifests)}>"


Paths = str | Path | Iterable[str | Path] | None


def paths_of(value: Paths) -> tuple[Path, ...]:
    """One path or several as a tuple."""
    if value is None:
        return ()
    if isinstance(value, str | os.PathLike):
        return (Path(value),)
    return tuple(Path(entry) for entry in value)


def tenant_key_of(given: str | bytes | None, environ: Mapping[str, str], api_key: str | None) -> bytes | None:
    """32 bytes: from the option, ``SPOTSAFE_TENANT_KEY``, or derived from the API key; None without any
    of them. ConfigurationError where a given key is too short to keep a secret."""
    stated = given if given is not None else environ.get("SPOTSAFE_TENANT_KEY")
    if stated is not None:
        raw = stated.encode() if isinstance(stated, str) else bytes(stated)
        if len(raw) < LEAST_KEY:
            raise ConfigurationError(
                f"the tenant key has fewer than {LEAST_KEY} bytes; make one with: openssl rand -hex 32"
            )
        return sha256(b"spotsafe tenant\0" + raw).digest()
    return sha256(b"spotsafe api key\0" + api_key.encode()).digest() if api_key else None


def checked_service(url: str | None) -> str | None:
    """*url* if it is one that a client can use, or None."""
    return None if url is None else checked_address(url)


def checked_address(url: str) -> str:
    """*url* if it is an address that can be asked."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError("Client(service=…) must be the http:// or https:// address of the service")
    return url


def checked_detector(value: object, option: str) -> Detector | str | None:
    """*value* if it is a detector, the name of one, or None."""
    if value is None or isinstance(value, str | Detector):
        return value
    raise ConfigurationError(
        f"Client({option}=…) must be a detector (id, version, capabilities, detect), the name of an "
        f"installed one, or None; it is {type(value).__name__}"
    )


def checked_bound(value: int, option: str) -> int:
    """*value* if it is a positive whole number."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigurationError(f"Client({option}=…) must be a whole number of at least 1")
    return value


def options_from(
    environ: Mapping[str, str],
    *,
    manifests: Paths,
    service: str | None,
    api_key: str | None,
    waivers: str | os.PathLike[str] | None,
    detector: object,
    fallback: object,
    app: str | None,
    environment: str | None,
    tenant_key: bytes | str | None,
    outbox: str | os.PathLike[str] | None,
    cache_items: int,
    cache_bytes: int,
    telemetry: bool,
    transport: Any,
) -> Options:
    """The arguments of a client, checked. Raises ConfigurationError that names the option."""
    key = tenant_key_of(tenant_key, environ, api_key)
    return Options(
        manifests=paths_of(manifests),
        waivers=None if waivers is None else Path(waivers),
        service=checked_service(service),
        api_key=api_key,
        detector=checked_detector(detector, "detector"),
        fallback=checked_detector(fallback, "fallback"),
        app=app,
        environment=environment,
        tenant_key=key or secrets.token_bytes(32),
        lasting_key=key is not None,
        outbox=None if outbox is None else Path(outbox),
        cache_items=checked_bound(cache_items, "cache_items"),
        cache_bytes=checked_bound(cache_bytes, "cache_bytes"),
        telemetry=telemetry,
        transport=transport,
    )
