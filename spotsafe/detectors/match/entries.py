"""What banks hold and what they answer: entries, matches, and the errors of bad input."""

from __future__ import annotations

import math
from enum import Enum
from hashlib import sha256
from typing import NamedTuple

from spotsafe.core.errors import ConfigurationError
from spotsafe.core.labels import LABELS

MAX_FIELD = 500
"""Characters of a source or a note: enough to say where an entry comes from, too few to keep content in."""


class BankError(ConfigurationError):
    """An entry cannot be added, a list cannot be read, a bank cannot be used; says why and the remedy."""


class Bank(str, Enum):
    """The kinds of banks."""

    IMAGE = "image"
    AUDIO = "audio"
    EXACT = "exact"
    TEXT = "text"


class Entry(NamedTuple):
    """One known item. *label* is a taxonomy code; *added* and *expires* are Unix seconds, *expires* None
    for never; *source* says who vouches for it; *note* is for people and holds no content."""

    id: str
    bank: Bank
    label: str
    source: str
    added: float
    expires: float | None = None
    note: str = ""


class Terms(NamedTuple):
    """What is said of an entry when it is added; *id* empty: made from source, label and content."""

    label: str
    source: str
    expires: float | None = None
    note: str = ""
    id: str = ""


class Match(NamedTuple):
    """One known item found again.

    *distance* is 0 for identical: differing bits of 256 (image), share of differing bits (audio), share of
    differing features (text), 0 (exact). *how* names what of the entry was met, for example
    ``left 5 %, mirrored``. *frame* is the picture's index among those asked about; *start* and *end* are
    seconds in the sound asked about.
    """

    label: str
    entry_id: str
    bank: Bank
    source: str
    distance: float
    how: str = ""
    frame: int | None = None
    start: float | None = None
    end: float | None = None


class Added(NamedTuple):
    """What adding did: the entry's *id*, and whether it is *new*, or recognised by something new; else it was
    there already."""

    id: str
    new: bool


def checked(terms: Terms) -> Terms:
    """*terms* as given. Raises :class:`BankError` for a label outside the taxonomy, an empty source, an
    expiry that is no instant, or fields that are too long."""
    if terms.label not in LABELS:
        raise BankError("unknown label; `spotsafe explain --labels` lists the taxonomy's codes")
    if not terms.source.strip():
        raise BankError("an entry needs a source: who vouches for it, for example ncmec or in-house")
    if terms.expires is not None and not math.isfinite(terms.expires):
        raise BankError("an entry expires at an instant, in Unix seconds, or (None) never")
    for name in ("source", "note", "id"):
        if len(getattr(terms, name)) > MAX_FIELD:
            raise BankError(f"{name} is longer than {MAX_FIELD} characters; shorten it")
    return terms


def new_entry(bank: Bank, terms: Terms, value: bytes, now: float) -> Entry:
    """The entry for *value* (a hash, a digest, a signature) added at *now*.

    Without *terms.id* the id is made from bank, source, label and value, so that the same item from the same
    source is one entry however often a list is read. Raises :class:`BankError` as :func:`checked` does.
    """
    checked(terms)
    whole = "\0".join((bank.value, terms.source, terms.label)).encode() + b"\0" + value
    made = terms.id or f"{bank.value}-{sha256(whole).hexdigest()[:20]}"
    return Entry(made, bank, terms.label, terms.source, now, terms.expires, terms.note)


def live(entry: Entry, now: float) -> bool:
    """Whether *entry* counts at *now* (Unix seconds): it has not expired."""
    return entry.expires is None or entry.expires > now
