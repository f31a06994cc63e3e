"""Reading lists of known items: CSV, JSON lines, or one hash per line, as exchanges hand them out.

Columns are found by name whatever their order: the hash as ``hash``, ``pdq``, ``sha256``, ``indicator``
(ThreatExchange), ``hashValue`` (StopNCII) and the like, beside it ``quality``, ``type``, ``label``,
``source``, ``expires``, ``note``, ``id``. A line that cannot be read is reported by its number and does not
stop the rest; its content is never repeated.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from spotsafe.detectors.match.entries import Bank, BankError, Terms

MAX_LINE = 1 << 20
"""Characters of one line."""

VALUE_NAMES = (
    "hash", "pdq", "pdq_hash", "sha256", "hash_value", "hashvalue", "indicator", "signal", "value", "text",
    "fingerprint",
)  # fmt: skip
_HASH = re.compile("[0-9a-fA-F]{64}")
"""PDQ hashes and SHA-256 digests alike."""

_TYPE_NAMES = ("type", "signal_type", "signaltype", "hash_type", "hashtype")
_TYPES = {
    Bank.IMAGE: ("pdq", "hash_pdq", "imagepdq"),
    Bank.EXACT: ("sha256", "hash_sha256", "sha-256"),
    Bank.TEXT: ("text", "raw_text"),
    Bank.AUDIO: ("chromaprint", "fingerprint"),
}


class Row(NamedTuple):
    """One line that could be read: its number, the known item as written, PDQ's quality where given."""

    line: int
    value: Any
    terms: Terms
    quality: int | None = None


class BadLine(NamedTuple):
    """One line that could not be read or added, and why."""

    line: int
    reason: str


def rows(lines: Iterable[str], bank: Bank, defaults: Terms) -> Iterator[Row | BadLine]:
    """The rows of a list for *bank*; what a row does not say is taken from *defaults*. Blank lines and lines
    that begin with ``#`` are skipped."""
    columns: list[str] | None = None
    for number, line in enumerate(lines, 1):
        bare = line.strip().lstrip("\ufeff")
        if not bare or bare.startswith("#"):
            continue
        try:
            if len(bare) > MAX_LINE:
                raise BankError(f"longer than {MAX_LINE} characters")
            if bare.startswith("{"):
                fields = _json_fields(bare)
            elif bank is Bank.TEXT and columns is None and not _is_header(_cells(bare)):
                fields = {"text": bare}
            else:
                cells = _cells(bare)
                if columns is None:
                    columns = _columns(cells, bank)
                    if _is_header(cells):
                        continue
                fields = dict(zip(columns, cells, strict=False))
            yield _row(number, fields, bank, defaults)
        except BankError as error:
            yield BadLine(number, str(error))


def _json_fields(line: str) -> dict[str, Any]:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        raise BankError("no JSON object") from None
    if not isinstance(document, dict):
        raise BankError("no JSON object")
    return {str(name).lower(): value for name, value in document.items()}


def _cells(line: str) -> list[str]:
    try:
        (cells,) = csv.reader([line], strict=True)
    except (csv.Error, ValueError):
        raise BankError("no CSV row; quotes must be closed on the same line") from None
    return [cell.strip() for cell in cells]


def _columns(cells: Sequence[str], bank: Bank) -> list[str]:
    """What the columns of a list are called whose first usable row is *cells*."""
    if _is_header(cells):
        return _named(cells)
    if bank in {Bank.IMAGE, Bank.EXACT} and not any(_HASH.fullmatch(cell) for cell in cells):
        known = ", ".join(VALUE_NAMES[:4])
        raise BankError(f"neither a hash nor a head line; call the column of the hash one of {known} …")
    return ["hash", "quality"]


def _is_header(cells: Sequence[str]) -> bool:
    return any(name in VALUE_NAMES for name in _named(cells))


def _named(cells: Sequence[str]) -> list[str]:
    return [cell.lower() for cell in cells]


def _row(line: int, fields: Mapping[str, Any], bank: Bank, defaults: Terms) -> Row:
    kind = next((str(fields[name]) for name in _TYPE_NAMES if fields.get(name)), "")
    if kind and kind.lower() not in _TYPES[bank]:
        raise BankError(f"this type of hash does not belong into the {bank.value} bank")
    value = next((fields[name] for name in VALUE_NAMES if fields.get(name)), None)
    if value is None:
        raise BankError("no value; name its column hash, text or fingerprint")
    terms = Terms(
        label=_text(fields, "label") or defaults.label,
        source=_text(fields, "source") or defaults.source,
        expires=instant(fields["expires"]) if fields.get("expires") else defaults.expires,
        note=_text(fields, "note") or defaults.note,
        id=_text(fields, "id"),
    )
    return Row(line, value, terms, _quality(fields.get("quality")))


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return "" if value is None else str(value).strip()


def _quality(value: Any) -> int | None:
    if value in (None, ""):
        return None
    try:
        return int(value)
    except (TypeError, ValueError):
        raise BankError("quality is no whole number from 0 to 100") from None


def instant(value: Any) -> float:
    """An instant as Unix seconds, or as ISO 8601 (UTC where it names no offset) → Unix seconds. Raises
    :class:`BankError`."""
    try:
        seconds = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        seconds = math.nan
    if math.isfinite(seconds):
        return seconds
    try:
        when = datetime.fromisoformat(str(value).strip())
    except ValueError:
        raise BankError("expires is neither ISO 8601, such as 2027-01-31, nor Unix seconds") from None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
