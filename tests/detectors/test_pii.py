"""Personal data: what is found with its exact place, and look-alikes that are left alone."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotsafe.detectors.text import pii_checks, pii_patterns, pii_phones, pii_places
from spotsafe.detectors.text.pii import KINDS, find_pii
from spotsafe.detectors.text.pii_reading import reading

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----"

FOUND = [
    ("email", "john.doe+list@mail.host.org", "write to {} please", "en", 0.9),
    ("email", "jörg@müller.de", "Mail: {}.", "de", 0.9),
    ("email", "jane (at) host (dot) org", "or {}", "en", 0.9),
    ("phone", "+49 30 901820", "ruf {} an", "de", 0.9),
    ("phone", "(415) 555-2671", "at {} any time", "en", 0.7),
    ("phone", "030 901820", "meine Nummer ist {}", "de", 0.85),
    ("phone", "06 12 34 56 78", "appelle le {}", "fr", 0.85),
    ("phone", "612 345 678", "llámame al {}", "es", 0.85),
    ("phone", "(11) 96123-4567", "meu whatsapp {}", "pt", 0.85),
    ("phone", "＋４９ ３０ ９０１８２０", "fon {}", "de", 0.9),
    ("card", "4111 1111 1111 1111", "my card {} ok", "en", 0.98),
    ("card", "5500-0000-0000-0004", "{}", "en", 0.9),
    ("card", "378282246310005", "amex {}", "en", 0.98),
    ("iban", "DE89 3704 0044 0532 0130 00", "IBAN {} bitte", "de", 0.97),
    ("iban", "GB29NWBK60161331926819", "to {}, thanks", "en", 0.97),
    ("iban", "fr1420041010050500013m02606", "iban: {}", "fr", 0.97),
    ("ip", "8.8.4.4", "his ip is {}", "en", 0.85),
    ("ip", "2001:4860:4860::8888", "ping {}", "en", 0.65),
    ("ssn", "536-90-4399", "ssn {}", "en", 0.9),
    ("ssn", "536-90-4399", "it is {}", "en", 0.7),
    ("ssn", "536904399", "my social security number is {}", "en", 0.9),
    ("national_id", "86 095 742 719", "Steuer-ID {}", "de", 0.95),
    ("national_id", "12345678Z", "mi DNI es {}", "es", 0.95),
    ("national_id", "X1234567L", "{}", "es", 0.8),
    ("national_id", "RSSMRA85T10A562S", "sono {}", "it", 0.95),
    ("national_id", "529.982.247-25", "{}", "pt", 0.8),
    ("national_id", "52998224725", "CPF: {}", "pt", 0.95),
    ("national_id", "AB 12 34 56 C", "National Insurance {}", "en", 0.85),
    ("national_id", "2 55 08 14 168 025 38", "numéro de sécurité sociale {}", "fr", 0.95),
    ("national_id", "111222333", "BSN {}", "nl", 0.95),
    ("national_id", "44051401359", "PESEL {}", "pl", 0.95),
    ("national_id", "811218-9876", "personnummer {}", "sv", 0.95),
    ("national_id", "756.9217.0769.85", "AHV {}", "de", 0.95),
    ("document", "C01X00T478", "passport number {}", "en", 0.8),
    ("document", "C01X00T47", "Reisepass Nr. {}", "de", 0.8),
    ("birth_date", "12 March 1990", "born on {}", "en", 0.75),
    ("birth_date", "03.04.1985", "geboren am {}", "de", 0.75),
    ("birth_date", "12 de marzo de 1990", "fecha de nacimiento: {}", "es", 0.75),
    ("address", "742 Evergreen Terrace", "I live at {}", "en", 0.6),
    ("address", "Hauptstraße 12, 10115 Berlin", "{}", "de", 0.75),
    ("address", "12 rue de la Paix, 75002 Paris", "{}", "fr", 0.75),
    ("address", "Calle Mayor 5, 28013 Madrid", "{}", "es", 0.75),
    ("address", "Rua Augusta, 1500", "moro na {}", "pt", 0.75),
    ("wallet", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "send to {}", "en", 0.95),
    ("wallet", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", "{}", "en", 0.95),
    ("wallet", "0x52908400098527886E0F7030069857D2E4169EE7", "eth {}", "en", 0.8),
    ("secret", "AKIAIOSFODNN7EXAMPLE", "key {}", "en", 0.9),
    ("secret", "ghp_" + "a1B2" * 9, "token={}", "en", 0.9),
    ("secret", JWT, "Bearer {}", "en", 0.9),
    ("secret", KEY, "here: {} ok", "en", 0.9),
    ("secret", "hunter22!", "password: {}", "en", 0.6),
    ("geo", "52.520008, 13.404954", "at {}", "en", 0.6),
    ("geo", "48°51'29\"N 2°17'40\"E", "meet {}", "en", 0.6),
]

LEFT_ALONE = [
    "no digits here at all",
    "playlist 1999 2000 2001",
    "the best of 1980-1989 and 1990-1999",
    "episode 12345678",
    "order number 123456789012",
    "tracking 1Z999AA10123456784",
    "ISBN 978-3-16-148410-0",
    "ISBN 0-306-40615-2",
    "9783161484100",
    "at 3:45 or 10:30:45 on 2024-01-02 12:30:45",
    "on 01.02.2003 at 04:05",
    "12/31/2024",
    "$19.99, 1,234,567.89 EUR, 10 000 000 views",
    "v1.2.3.4 and version 10.0.0.1",
    "https://open.spotify.com/track/4uLU6hMCjMI75M1A2tKUQC?si=1234567890",
    "spotify:track:4uLU6hMCjMI75M1A2tKUQC",
    "https://youtu.be/dQw4w9WgXcQ?t=1234567",
    "4111 1111 1111 1112",
    "1234 5678 9012 3456",
    "DE89 3704 0044 0532 0130 01",
    "GB00NWBK60161331926819",
    "000-12-3456",
    "12345678A",
    "529.982.247-24",
    "RSSMRA85T10A562T",
    "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",
    "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdz",
    "@alice and @bob_99",
    "a@b",
    "user@localhost",
    "std::vector and a::b",
    "10:20",
    "track 5 Way Street Music",
    "21 Jump Street",
    "221B Baker Street",
    "Route 66, Area 51, Apollo 11",
    "she was born in 1977",
    "the band was born on stage",
    "passport to fame 2024",
    "commit 3f786850e387550fdab836ed7e6dc881de23001b",
    "d41d8cd98f00b204e9800998ecf8427e",
    "550e8400-e29b-41d4-a716-446655440000",
    "top 100 of 2023: 50 songs, 3 hours 20 minutes",
    "pi is 3.14159265358979",
    "score 3.2345, 4.5 and 101.12345, 9.1",
    "192.168.0.1 is your router",
    "my name is Anna Schmidt from Berlin",
    "password: please",
    "1 2 3 4 5 6 7 8 9 10 11 12",
    "0000 0000 0000 0000",
    "call of duty 4 and 1984",
]


@pytest.mark.parametrize(
    ("kind", "value", "frame", "language", "least"),
    FOUND,
    ids=[f"{i}-{row[0]}" for i, row in enumerate(FOUND)],
)
def test_data_is_found_with_its_exact_place(
    kind: str, value: str, frame: str, language: str, least: float
) -> None:
    """Each kind is found once, where it stands, with at least the stated score."""
    text = frame.format(value)
    found = [f for f in find_pii(text, (language,)) if f.score >= 0.5]
    assert [(f.kind, text[f.start : f.end]) for f in found] == [(kind, value)]
    assert least <= found[0].score <= 1


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_look_alikes_are_left_alone(text: str) -> None:
    """Numbers, links and names that only look like personal data score below one half, in any language."""
    for languages in ((), ("en",), ("de",), ("fr",), ("es", "pt"), ("it", "nl")):
        assert [f for f in find_pii(text, languages) if f.score >= 0.5] == []


def test_offsets_count_code_points_of_the_original() -> None:
    """Emoji and foreign digits before a finding do not shift it."""
    text = "👨‍👩‍👧 ٣ ｶﾞ mail: a.b@host.org"
    (finding,) = find_pii(text)
    assert text[finding.start : finding.end] == "a.b@host.org"


WRITTEN_OTHERWISE = {
    "invisible": ("j\u200bohn.d\u200coe@host.org", "email"),
    "soft hyphen": ("john.doe@ho\u00adst.org", "email"),
    "between groups": ("4111\u200b1111\u20601111\u200b1111", "card"),
    "full width": ("\uff4a\uff4f\uff48\uff4e\uff20host.org", "email"),
    "mathematical": ("\U0001d7d2\U0001d7cf\U0001d7cf\U0001d7cf 1111 1111 1111", "card"),
    "thin blanks": ("DE89\u200a3704\u20090044\u202f0532\u00a00130 00", "iban"),
    "struck through": ("j\u0336o\u0336h\u0336n\u0336@\u0336host.org", "email"),
    "decomposed": ("Mu\u0308nchner Stra\u00dfe 12, 50667 Ko\u0308ln", "address"),
    "Arabic digits": ("\u0664\u0661\u0661\u0661 1111 1111 \u0661\u0661\u0661\u0661", "card"),
}


@pytest.mark.parametrize("before", ["", "\U0001f469\u200d\U0001f467 e\u0301 ", "\u0647\u0630\u0627 \u202a"])
@pytest.mark.parametrize("name", WRITTEN_OTHERWISE)
def test_data_in_other_signs_is_covered_whole(name: str, before: str) -> None:
    """Invisible signs, marks and look-alike letters hide nothing, and what a redaction would cover is all of
    it, also behind emoji, marks and text that runs from right to left."""
    value, kind = WRITTEN_OTHERWISE[name]
    text = f"{before}{value}\u202c \u06dd."
    found = [one for one in find_pii(text, ("de",)) if one.score >= 0.5]
    assert [(one.kind, text[one.start : one.end]) for one in found] == [(kind, value)]


@given(st.text("ab1@. \u200b\u0308\u00ad\u0336\uff41\U0001f469\u0661\ufe0f", max_size=40))
def test_a_reading_finds_its_way_back(text: str) -> None:
    """Each of its characters stands for a range of the original; together, with what is invisible, they are
    all of it, in order."""
    read = reading(text)
    ranges = [read.span(at, at + 1) for at in range(len(read.text))]
    assert all(start < end for start, end in ranges)
    assert all(one[1] <= other[0] for one, other in pairwise(ranges))
    covered = {at for start, end in ranges for at in range(start, end)}
    assert all(text[at] in "\u200b\u0308\u00ad\u0336\ufe0f" for at in set(range(len(text))) - covered)


def test_overlaps_are_resolved_for_the_surer_finding() -> None:
    """An IBAN that contains a phone-like and a card-like number is one finding."""
    found = find_pii("call about DE89 3704 0044 0532 0130 00 or card", ("de",))
    assert [f.kind for f in found] == ["iban"]


def test_several_findings_come_in_order() -> None:
    """Findings are sorted by place and do not overlap."""
    found = find_pii("a@host.org, b@host.org, 8.8.8.8 and 4111111111111111")
    assert [f.kind for f in found] == ["email", "email", "ip", "card"]
    assert all(a.end <= b.start for a, b in pairwise(found))


def test_finding_shows_no_content() -> None:
    """Its repr has kind, place and score only."""
    assert "host" not in repr(find_pii("canary@host.org"))


@given(st.one_of(st.text(), st.text("0123456789 .-/:()@+aAbBxX\n", max_size=300)))
def test_any_text_is_read(text: str) -> None:
    """No string makes it raise; findings lie inside, sorted, apart, with known kinds."""
    found = find_pii(text, ("en", "de"))
    assert all(0 <= f.start < f.end <= len(text) and 0 < f.score <= 1 and f.kind in KINDS for f in found)
    assert all(a.end <= b.start for a, b in pairwise(found))


@given(st.integers(0, 10**15 - 1))
def test_luhn_accepts_exactly_one_check_digit(number: int) -> None:
    """For any number one of the ten check digits is right."""
    assert sum(pii_checks.luhn(f"{number}{digit}") for digit in range(10)) == 1


@given(st.integers(0, 10**18 - 1), st.integers(0, 21), st.integers(1, 9))
def test_iban_check_catches_any_changed_digit(number: int, at: int, step: int) -> None:
    """A German IBAN made with its check digits is valid, and no longer when one digit differs."""
    account = f"{number:018d}"
    check = 98 - int(account + "131400") % 97
    valid = f"DE{check:02d}{account}"
    assert pii_checks.iban(valid)
    if at >= 2:
        changed = valid[:at] + str((int(valid[at]) + step) % 10) + valid[at + 1 :]
        assert not pii_checks.iban(changed)


def _patterns() -> Iterable[tuple[str, re.Pattern[str]]]:
    for module in (pii_patterns, pii_places, pii_phones):
        for name, value in vars(module).items():
            values = (
                value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else (value,)
            )
            for entry in values:
                pattern = entry[0] if isinstance(entry, tuple) and entry else entry
                if isinstance(pattern, re.Pattern):
                    yield f"{module.__name__.rpartition('.')[2]}.{name}", pattern


def _reach(parsed: object) -> int:
    """The most characters that a parsed pattern can take from one start: the product of nested bounds."""
    total = 0
    for operation, argument in parsed:  # type: ignore[attr-defined]  # the parse tree is an untyped sequence
        name = str(operation)
        if name in ("MAX_REPEAT", "MIN_REPEAT"):
            _, high, inner = argument
            total += min(int(high), 10**9) * _reach(inner)
        elif name == "SUBPATTERN":
            total += _reach(argument[-1])
        elif name == "BRANCH":
            total += max(_reach(branch) for branch in argument[1])
        elif name not in ("ASSERT", "ASSERT_NOT", "AT"):
            total += 1
    return total


SEARCHED = [(name, p) for name, p in _patterns() if not name.endswith(("_DATE", "_YEARS", "_ISBN", "_NANP"))]


@pytest.mark.parametrize(
    "pattern", [p for _, p in SEARCHED], ids=[f"{i}-{n}" for i, (n, _) in enumerate(SEARCHED)]
)
def test_every_pattern_has_a_bounded_reach(pattern: re.Pattern[str]) -> None:
    """No pattern can run through a text from each of its positions: repetitions are bounded, nested ones
    too (only tokens with three long parts, tried once per token, reach further)."""
    reach = _reach(re._parser.parse(pattern.pattern, pattern.flags))  # type: ignore[attr-defined]  # not in the stubs
    assert reach <= (13_000 if "eyJ" in pattern.pattern else 600)


HOSTILE = [
    "1",
    "1 ",
    "1-",
    "a@",
    "a.",
    "1.",
    "+1 ",
    "(1",
    "eyJaaaaaaaa.",
    "A",
    "-----BEGIN ",
    "12 Main ",
    "born ",
    ":a",
    "AB12 ",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_repetition_asks_the_library_linearly(piece: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred thousand hostile characters are worked through with few questions to the phone library."""
    asked = 0
    real = pii_phones._valid

    def counted(raw: str, region: str | None) -> bool:
        nonlocal asked
        asked += 1
        assert len(raw) <= 80
        return real(raw, region)

    monkeypatch.setattr(pii_phones, "_valid", counted)
    text = (piece * 100_000)[:100_000]
    assert all(f.end <= len(text) for f in find_pii(text, ("en", "de")))
    assert asked <= len(text) / 7
