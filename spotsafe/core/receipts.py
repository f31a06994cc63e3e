"""Receipts: what a product keeps of a held content, and the answers it can get for one."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from enum import Enum, StrEnum
from hashlib import sha256
from typing import Any, NamedTuple

from spotsafe.core.errors import ConfigurationError


class HoldReason(str, Enum):
    """Why a content is held: a rule said so, or nobody could say."""

    POLICY = "policy"
    OUTAGE = "outage"


class Keeper(StrEnum):
    """Who keeps held content: the product (its draft), or the client's encrypted outbox."""

    PRODUCT = "product"
    OUTBOX = "outbox"


class OnExpiry(StrEnum):
    """What a hold means that nobody decided in time."""

    REJECT = "reject"
    RELEASE = "release"


class HoldState(str, Enum):
    """Where a hold stands."""

    PENDING = "pending"
    RELEASED = "released"
    REJECTED = "rejected"
    EXPIRED = "expired"


class Receipt(NamedTuple):
    """A held content. *item* and *digest* are keyed (HMAC-SHA-256, hex), *expires* is a Unix time in
    seconds. It carries no content and may be stored by the product as :meth:`token`."""

    decision_id: str
    surface: str
    item: str
    digest: str
    expires: float
    reason: HoldReason

    def token(self, key: bytes) -> str:
        """A JSON-safe, signed string of at most a few hundred characters."""
        body = json.dumps([1, *self[:5], self.reason.value], separators=(",", ":")).encode()
        return _b64(body) + "." + _b64(hmac.new(key, b"receipt\0" + body, sha256).digest())

    @classmethod
    def parse(cls, token: str, key: bytes) -> Receipt:
        """The receipt in *token*; ConfigurationError where it was altered or made under another key."""
        try:
            head, _, tail = token.partition(".")
            body, signature = _unb64(head), _unb64(tail)
            if not hmac.compare_digest(signature, hmac.new(key, b"receipt\0" + body, sha256).digest()):
                raise ValueError
            fields: list[Any] = json.loads(body)
            if fields[0] != 1:
                raise ValueError
            return cls(fields[1], fields[2], fields[3], fields[4], float(fields[5]), HoldReason(fields[6]))
        except (ValueError, IndexError, TypeError, AttributeError):
            raise ConfigurationError(
                "this receipt was not made by this client: pass the token unchanged, with the same tenant key"
            ) from None


class HoldVerdict(NamedTuple):
    """The answer for a receipt: its state and, where a person decided, when (Unix seconds) and a note."""

    state: HoldState
    decided_at: float | None = None
    note: str | None = None


def _b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
