"""Personal data in text, with exact places: ``privacy.pii_exposure``.

Patterns propose, checksums and the words nearby decide. Names and places alone are no finding here. A finding
carries a kind and a place, never what stands there.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import NamedTuple

from spotsafe.detectors.text import pii_checks as checks
from spotsafe.detectors.text import pii_patterns as patterns
from spotsafe.detectors.text import pii_places as places
from spotsafe.detectors.text.pii_phones import phones
from spotsafe.detectors.text.pii_reading import reading

NEAR = 40
"""Code points before a number in which words speak for it (and half as many after it)."""


class PiiFinding(NamedTuple):
    """*kind*: one of :data:`KINDS`; half-open code-point offsets in the text; score in [0, 1]
    (checksum valid: about 0.95 and above)."""

    kind: str
    start: int
    end: int
    score: float


KINDS = (
    "address", "birth_date", "card", "document", "email", "geo", "iban", "ip", "national_id", "phone",
    "secret",
    "ssn", "wallet",
)  # fmt: skip


def find_pii(text: str, languages: tuple[str, ...] = ()) -> list[PiiFinding]:
    """Personal data in *text*, by start, without overlaps (of two the checksum-valid, then the longer stays).

    *languages*: codes whose countries' national phone numbers are to be recognised; English if empty.
    Linear in the text; never raises on any string.
    """
    read = reading(text)
    text = read.text
    if patterns.ANY.search(text) is None:
        return []
    found: list[PiiFinding] = []
    for gate, finders in _STAGES:
        if gate(text):
            for finder in finders:
                found += finder(text)
    if patterns.NUMBER.search(text) is not None:
        found += [PiiFinding("phone", *place) for place in phones(text, languages)]
    kept = _resolved(found)
    if read.places is None:
        return kept
    return [PiiFinding(one.kind, *read.span(one.start, one.end), one.score) for one in kept]


def _resolved(found: Iterable[PiiFinding]) -> list[PiiFinding]:
    """Without overlaps; sure findings first, then longer, then better ones."""
    starts: list[int] = []
    kept: list[PiiFinding] = []
    for finding in sorted(found, key=lambda f: (f.score < 0.9, f.start - f.end, -f.score, f.start)):
        at = bisect_left(starts, finding.start)
        if at < len(kept) and kept[at].start < finding.end:
            continue
        if at and kept[at - 1].end > finding.start:
            continue
        starts.insert(at, finding.start)
        kept.insert(at, finding)
    return kept


def _near(text: str, start: int, end: int, words: re.Pattern[str]) -> bool:
    return words.search(text[max(0, start - NEAR) : start] + " " + text[end : end + NEAR // 2]) is not None


def _emails(text: str) -> Iterator[PiiFinding]:
    for match in patterns.EMAIL.finditer(text):
        start = match.start() + len(match.group()) - len(match.group().lstrip(".%+-"))
        address = text[start : match.end()]
        score = 0.96
        if patterns.RESERVED_DOMAIN.search(address):
            score = 0.6
        elif patterns.ROLE.match(address):
            score = 0.7
        yield PiiFinding("email", start, match.end(), score)


def _cards(text: str) -> Iterator[PiiFinding]:
    for match in patterns.CARD.finditer(text):
        digits = _bare(match.group())
        spoken = _near(text, *match.span(), patterns.WORDS["card"])
        if checks.card(digits, maestro=spoken):
            usual = len(digits) in (15, 16)
            yield PiiFinding("card", *match.span(), 0.99 if spoken else 0.96 if usual else 0.7)
        elif spoken and 13 <= len(digits) <= 16 and len(set(digits)) > 3:
            yield PiiFinding("card", *match.span(), 0.5)


def _ibans(text: str) -> Iterator[PiiFinding]:
    for match in patterns.IBAN_HEAD.finditer(text):
        length = checks.IBAN_LENGTHS.get(match.group()[:2].upper())
        if length is None:
            continue
        end = _counted(text, match.start(), length)
        if end is not None and checks.iban(_bare(text[match.start() : end])):
            yield PiiFinding("iban", match.start(), end, 0.98)


def _counted(text: str, start: int, length: int) -> int | None:
    """Where *length* letters and digits from *start*, single blanks and hyphens between, end."""
    seen = 0
    for at in range(start, min(len(text), start + 2 * length)):
        char = text[at]
        if char.isascii() and char.isalnum():
            seen += 1
            if seen == length:
                follows = text[at + 1 : at + 2]
                return None if follows.isalnum() else at + 1
        elif char not in " -" or text[at - 1] in " -":
            return None
    return None


def _ssns(text: str) -> Iterator[PiiFinding]:
    for match in patterns.SSN.finditer(text):
        digits = _bare(match.group())
        spoken = _near(text, *match.span(), patterns.WORDS["ssn"])
        if spoken:
            yield PiiFinding("ssn", *match.span(), 0.92 if checks.ssn(digits) else 0.6)
        elif match[2] == "-" and checks.ssn(digits):
            yield PiiFinding("ssn", *match.span(), 0.75)


_UNCHECKED_KINDS: dict[str, Callable[[str], bool]] = {"nino": lambda text: True}
_FORMATTED = {"cpf": ".", "personnummer": "-+", "ahv": "."}
_CHECKSUM_ALONE = frozenset(("dni", "codice_fiscale", "nir", "nino"))


def _national_ids(text: str) -> Iterator[PiiFinding]:
    """Numbers with a checksum; those that any long number may satisfy only with their signs or words."""
    for kind, pattern in patterns.NATIONAL.items():
        valid = _UNCHECKED_KINDS.get(kind) or getattr(checks, kind)
        for match in pattern.finditer(text):
            bare = _bare(match.group()).upper()
            if not valid(bare[-10:] if kind == "personnummer" else bare):
                continue
            spoken = _near(text, *match.span(), patterns.NATIONAL_WORDS[kind])
            signs = _FORMATTED.get(kind, "")
            if spoken or kind == "codice_fiscale":
                yield PiiFinding("national_id", *match.span(), 0.9 if kind == "nino" else 0.97)
            elif kind in _CHECKSUM_ALONE or (signs and any(sign in match.group() for sign in signs)):
                yield PiiFinding("national_id", *match.span(), 0.7 if kind == "nino" else 0.88)


def _documents(text: str) -> Iterator[PiiFinding]:
    for match in patterns.DOCUMENT.finditer(text):
        if sum(char.isdigit() for char in match["number"]) >= 5:
            yield PiiFinding("document", *match.span("number"), 0.85 if match["passport"] else 0.75)


def _births(text: str) -> Iterator[PiiFinding]:
    for match in patterns.BIRTH.finditer(text):
        yield PiiFinding("birth_date", *match.span("date"), 0.8)


def _ips(text: str) -> Iterator[PiiFinding]:
    for pattern, kind in ((patterns.IPV4, IPv4Address), (patterns.IPV6, IPv6Address)):
        for match in pattern.finditer(text):
            start, end = match.span()
            groups = [group for group in re.split("[.:]", match.group()) if group]
            before = text[max(0, start - 12) : start]
            if (
                len(groups) < 3
                or not any(map(str.isdigit, match.group()))
                or patterns.WORDS["version"].search(before)
            ):
                continue
            try:
                address = kind(match.group())
            except AddressValueError:
                continue
            if address.is_global:
                yield PiiFinding(
                    "ip", start, end, 0.9 if _near(text, start, end, patterns.WORDS["ip"]) else 0.7
                )
            else:
                yield PiiFinding("ip", start, end, 0.3)


def _geos(text: str) -> Iterator[PiiFinding]:
    for match in patterns.GEO.finditer(text):
        numbers = [float(number) for number in re.findall(r"-?[0-9]{1,3}(?:\.[0-9]+)?", match.group())]
        first, second = numbers[0], numbers[1] if "°" not in match.group() else 0.0
        if abs(first) <= 90 and abs(second) <= 180:
            spoken = _near(text, *match.span(), patterns.WORDS["geo"])
            yield PiiFinding("geo", *match.span(), 0.85 if spoken else 0.65)


def _addresses(text: str) -> Iterator[PiiFinding]:
    """A street with a number: doubtful alone (it may be a title), likely with words, sure with a postcode."""
    for pattern in places.STREETS:
        for match in pattern.finditer(text):
            start, end = match.span()
            tail = places.TAIL.match(text, end)
            spoken = _near(text, start, end, patterns.WORDS["home"])
            score = 0.45 if pattern is places.STREETS[0] else 0.55
            if tail is not None:
                end, score = tail.end(), 0.8
            yield PiiFinding("address", start, end, min(score + 0.25, 0.9) if spoken else score)


def _stated_places(text: str) -> Iterator[PiiFinding]:
    """What the text itself calls an address, up to its last number."""
    for match in places.STATED.finditer(text):
        start = match.start("place")
        numbered = places.LAST_NUMBER.match(match["place"])
        if numbered is not None and any(map(str.isalpha, numbered.group())) and numbered.end() > 6:
            yield PiiFinding("address", start, start + numbered.end(), 0.7)


def _secrets(text: str) -> Iterator[PiiFinding]:
    for pattern, score in patterns.SECRETS:
        for match in pattern.finditer(text):
            yield PiiFinding("secret", *match.span("part" if "part" in pattern.groupindex else 0), score)


def _wallets(text: str) -> Iterator[PiiFinding]:
    for match in patterns.BASE58.finditer(text):
        if checks.base58check(match.group()):
            yield PiiFinding("wallet", *match.span(), 0.97)
    for match in patterns.BECH32.finditer(text):
        if checks.bech32(match.group()):
            yield PiiFinding("wallet", *match.span(), 0.97)
    for match in patterns.ETHEREUM.finditer(text):
        yield PiiFinding("wallet", *match.span(), 0.85)


def _private_keys(text: str) -> Iterator[PiiFinding]:
    at = 0
    while (head := patterns.PRIVATE_KEY.search(text, at)) is not None:
        end = patterns.PRIVATE_KEY_END.search(text, head.end())
        at = end.end() if end is not None else len(text)
        yield PiiFinding("secret", head.start(), at, 0.98)


def _passwords(text: str) -> Iterator[PiiFinding]:
    for match in patterns.PASSWORD.finditer(text):
        part = match["part"]
        if not part.isalpha():
            yield PiiFinding("secret", *match.span("part"), 0.7)


def _bare(text: str) -> str:
    """Letters and digits only."""
    return "".join([char for char in text if char.isalnum()])


def _words(parts: Sequence[str]) -> Callable[[str], object]:
    """A look for any of *parts*, in any case."""

    def look(text: str) -> object:
        small = text.lower()
        return any(part in small for part in parts)

    return look


_DIGIT = re.compile("[0-9]")
_Finder = Callable[[str], Iterable[PiiFinding]]
# A cheap look first, then the patterns that need what it looked for.
_STAGES: Sequence[tuple[Callable[[str], object], tuple[_Finder, ...]]] = (
    (patterns.EMAIL_GATE.search, (_emails,)),
    (patterns.LONG_NUMBER.search, (_cards, _ssns)),
    (patterns.NATIONAL_GATE.search, (_national_ids,)),
    (patterns.GEO_GATE.search, (_geos,)),
    (patterns.IP_GATE.search, (_ips,)),
    (patterns.IBAN_HEAD.search, (_ibans,)),
    (_words(patterns.BIRTH_GATE), (_births,)),
    (_words(patterns.DOCUMENT_GATE), (_documents,)),
    (places.may_have_street, (_addresses,)),
    (lambda text: _DIGIT.search(text) and places.may_state_place(text), (_stated_places,)),
    (patterns.TOKEN.search, (_secrets, _wallets)),
    (lambda text: "-----BEGIN" in text, (_private_keys,)),
    (_words(patterns.PASSWORD_GATE), (_passwords,)),
)
