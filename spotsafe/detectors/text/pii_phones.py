"""Phone numbers: candidates by pattern, validity by ``phonenumbers``, doubt by what stands around them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from spotsafe.detectors.text.pii_patterns import PHONE, WORDS

# Where a language's speakers most likely write national numbers from.
REGIONS: dict[str, tuple[str, ...]] = {
    "en": ("US", "GB"), "de": ("DE", "AT", "CH"), "fr": ("FR", "BE"), "es": ("ES", "MX", "AR"),
    "pt": ("BR", "PT"),
    "it": ("IT",), "nl": ("NL", "BE"), "sv": ("SE",), "da": ("DK",), "no": ("NO",), "fi": ("FI",),
    "pl": ("PL",),
    "cs": ("CZ",), "hu": ("HU",), "ro": ("RO",), "el": ("GR",), "tr": ("TR",), "ru": ("RU",), "uk": ("UA",),
    "ar": ("SA", "EG"), "he": ("IL",), "hi": ("IN",), "id": ("ID",), "vi": ("VN",), "th": ("TH",),
    "ja": ("JP",),
    "ko": ("KR",), "zh": ("CN", "TW"),
}  # fmt: skip
_DATE = re.compile(
    r"[0-9]{1,2}([./-])[0-9]{1,2}\1(?:[0-9]{2}|[0-9]{4})(?: .*)?"
    r"|[0-9]{4}([./-])[0-9]{1,2}\2[0-9]{1,2}(?:[ T].*)?"
)
_YEARS = re.compile(r"(?:1[5-9]|20)[0-9]{2}(?:[ ./-]{1,3}(?:(?:1[5-9]|20)[0-9]{2}|[0-9]{2}))+")
_ISBN = re.compile(r"(?:97[89][- ]?)?[0-9][- ][0-9]{1,7}[- ][0-9]{1,7}[- ][0-9X]|97[89][0-9]{10}")
_NANP = re.compile(r"(?:\+?1[ .-]?)?\(?[2-9][0-9]{2}\)?[ .-]?[0-9]{3}[ .-][0-9]{4}(?: ?(?:x|ext).*)?")
_SPLIT = re.compile(r"[ ().\-/]")


def phones(text: str, languages: Sequence[str]) -> Iterator[tuple[int, int, float]]:
    """(start, end, score) of each phone number. International and valid 0.9; national ones by format, region
    of the *languages* (English where none is given) and words nearby."""
    regions = [region for code in languages or ("en",) for region in REGIONS.get(code[:2], ())]
    for match in PHONE.finditer(text):
        raw, start = match.group(), match.start()
        if raw[0] == "(" and ")" not in raw:
            raw, start = raw[1:], start + 1
        if _DATE.fullmatch(raw) or _YEARS.fullmatch(raw) or _ISBN.fullmatch(raw):
            continue
        before = text[max(0, start - 40) : start]
        around = f"{before} {text[match.end() : match.end() + 12]}"
        score = _score(
            raw, tuple(regions), spoken=WORDS["phone"].search(around) is not None,
            doubtful=WORDS["not a phone"].search(before[-20:]) is not None,
        )  # fmt: skip
        if score:
            yield start, match.end(), score


def _score(raw: str, regions: tuple[str, ...], *, spoken: bool, doubtful: bool) -> float:
    grouped = _SPLIT.search(raw) is not None
    if doubtful and not (spoken and grouped):
        return 0.0
    if raw.startswith(("+", "00", "(+")):
        return 0.93 if _valid(raw, None) else 0.6 if spoken else 0.0
    national = raw.lstrip("(").startswith("0") or _NANP.fullmatch(raw) is not None
    valid = any(_valid(raw, region) for region in regions) if national or spoken else False
    if valid:
        return 0.9 if spoken else 0.75 if grouped else 0.4
    if not spoken:
        return 0.0
    return 0.6 if grouped or national else 0.5


def _valid(raw: str, region: str | None) -> bool:
    import phonenumbers

    if raw.startswith("00"):
        raw = "+" + raw[2:]
    try:
        number = phonenumbers.parse(raw, region)
    except phonenumbers.NumberParseException:
        return False
    return bool(phonenumbers.is_valid_number(number))
