"""Checksums and number formats behind personal data. Every function takes text and says yes or no.

Sources: ISO/IEC 7812 (Luhn), ISO 13616 (IBAN registry lengths, release 98), ISO 7064 (Steuer-ID), and the
national rules named at each function.
"""

from __future__ import annotations

import re
from hashlib import sha256

IBAN_LENGTHS: dict[str, int] = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27,
    "BR": 29,
    "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20,
    "EG": 29,
    "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27,
    "GT": 28,
    "HN": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30,
    "KZ": 20,
    "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22,
    "MK": 19,
    "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28,
    "PS": 29,
    "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19,
    "SK": 24,
    "SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24,
    "XK": 20,
    "YE": 30,
}  # fmt: skip

# Issuer prefixes and lengths, ISO/IEC 7812 as published by the schemes.
_ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|6(?:011|5\d\d|4[4-9]\d)\d{12,15}|3(?:0[0-5]|[68]\d)\d{11}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}"
)
_MAESTRO = re.compile(r"(?:50|5[6-8]|6304|6759|676|67)\d{8,17}")
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
_CF_ODD = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        b"\x01\x00\x05\x07\x09\x0d\x0f\x11\x13\x15" * 2
        + bytes((2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)),
        strict=True,
    )
)


def luhn(digits: str) -> bool:
    """Mod-10 check over decimal *digits*."""
    doubled = [(0, 2, 4, 6, 8, 1, 3, 5, 7, 9)[int(d)] for d in digits[-2::-2]]
    return (sum(doubled) + sum(map(int, digits[-1::-2]))) % 10 == 0


def card(digits: str, *, maestro: bool = False) -> bool:
    """A payment card number: issuer prefix with its length, and Luhn. *maestro* admits its loose lengths."""
    known = _ISSUERS.fullmatch(digits) or (maestro and 12 <= len(digits) <= 19 and _MAESTRO.fullmatch(digits))
    return bool(known) and len(set(digits)) > 1 and luhn(digits)


def iban(text: str) -> bool:
    """An IBAN without blanks: the country's length and mod 97."""
    text = text.upper()
    if IBAN_LENGTHS.get(text[:2]) != len(text) or not text.isascii() or not text.isalnum():
        return False
    return int("".join([str(int(char, 36)) for char in text[4:] + text[:4]])) % 97 == 1


def ssn(digits: str) -> bool:
    """A US social security number that can have been issued (no 000, 666, 9xx area; no zero group)."""
    return (
        len(digits) == 9
        and digits[:3] not in ("000", "666")
        and digits[0] != "9"
        and digits[3:5] != "00"
        and digits[5:] != "0000"
        and digits not in ("123456789", "078051120", "219099999")
    )


def steuer_id(digits: str) -> bool:
    """German tax identification number: one digit of the first ten two or three times, ISO 7064 mod 11,10."""
    if len(digits) != 11 or digits[0] == "0":
        return False
    counts = sorted([digits[:10].count(d) for d in set(digits[:10])], reverse=True)
    if counts[0] not in (2, 3) or counts[1] != 1:
        return False
    product = 10
    for digit in digits[:10]:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == int(digits[10])


def dni(text: str) -> bool:
    """Spanish DNI or NIE: the letter is the number modulo 23 (X, Y, Z count as 0, 1, 2)."""
    number = text[:-1].replace("X", "0").replace("Y", "1").replace("Z", "2")
    return number.isdigit() and _DNI_LETTERS[int(number) % 23] == text[-1]


def codice_fiscale(text: str) -> bool:
    """Italian codice fiscale: sum of odd and even places modulo 26 gives the last letter."""
    if len(text) != 16 or not text[:15].isascii():
        return False
    odd = sum(_CF_ODD[char] for char in text[0:15:2])
    even = sum(int(char) if char.isdigit() else ord(char) - 65 for char in text[1:15:2])
    return chr((odd + even) % 26 + 65) == text[15]


def cpf(digits: str) -> bool:
    """Brazilian CPF: two check digits modulo 11."""
    if len(digits) != 11 or len(set(digits)) == 1:
        return False
    for size in (9, 10):
        total = sum(int(d) * (size + 1 - i) for i, d in enumerate(digits[:size]))
        if total * 10 % 11 % 10 != int(digits[size]):
            return False
    return True


def nir(text: str) -> bool:
    """French NIR: the key is 97 minus the number modulo 97 (2A and 2B of Corsica as 19 and 18)."""
    number = text[:13].replace("2A", "19", 1).replace("2B", "18", 1)
    return (
        len(text) == 15
        and number.isdigit()
        and text[13:].isdigit()
        and 97 - int(number) % 97 == int(text[13:])
    )


def bsn(digits: str) -> bool:
    """Dutch BSN: the eleven test over nine digits."""
    total = sum(int(d) * w for d, w in zip(digits, (9, 8, 7, 6, 5, 4, 3, 2, -1), strict=False))
    return len(digits) == 9 and len(set(digits)) > 1 and total % 11 == 0


def pesel(digits: str) -> bool:
    """Polish PESEL: weighted sum modulo 10, and a month that exists in its century code."""
    weights = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)
    total = sum(int(d) * w for d, w in zip(digits, weights, strict=False))
    return (
        len(digits) == 11
        and total % 10 == 0
        and 1 <= int(digits[2:4]) % 20 <= 12
        and 1 <= int(digits[4:6]) <= 31
    )


def personnummer(digits: str) -> bool:
    """Swedish personnummer of ten digits: a date and Luhn."""
    return 1 <= int(digits[2:4]) <= 12 and 1 <= int(digits[4:6]) <= 31 and luhn(digits)


def ahv(digits: str) -> bool:
    """Swiss AHV number: 756 and the EAN-13 check digit."""
    total = sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(digits))
    return len(digits) == 13 and digits.startswith("756") and total % 10 == 0


def base58check(text: str) -> bool:
    """A base58 Bitcoin address: version byte, 20 bytes, first four bytes of the double SHA-256."""
    number = 0
    for char in text:
        at = _BASE58.find(char)
        if at < 0:
            return False
        number = number * 58 + at
    if number.bit_length() > 200:
        return False
    raw = number.to_bytes(25, "big")
    return raw[0] in (0, 5) and sha256(sha256(raw[:21]).digest()).digest()[:4] == raw[21:]


def bech32(text: str) -> bool:
    """A segregated-witness Bitcoin address: BIP 173 or BIP 350 checksum."""
    if text.lower() != text and text.upper() != text:
        return False
    prefix, _, data = text.lower().rpartition("1")
    values = (
        [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix] + [_BECH32.find(c) for c in data]
    )
    if -1 in values or len(data) < 8:
        return False
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if top >> bit & 1 else 0
    return check in (1, 0x2BC830A3)
