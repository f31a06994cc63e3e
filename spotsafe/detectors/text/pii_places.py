"""Postal addresses: conservative patterns of seven languages, number and street together."""

from __future__ import annotations

import re

_WORD = r"[^\W\d_][\w'’.-]{0,30}"
_CAPITAL = r"[A-ZÀ-ÖØ-Þ][\w'’.-]{0,30}"
_FLAT = r"(?:,? {0,2}(?:[Aa]pt\.?|[Aa]partment|[Ss]uite|[Uu]nit|[Ff]lat|#) ?[0-9A-Za-z-]{1,6})?"

GATE = re.compile(
    r" (?:S(?:treet|t|quare|q)|A(?:venue|ve|v)|R(?:oad|d)|L(?:ane|n)|D(?:rive|r)|B(?:oulevard|lvd|d)|C(?:ourt|t|ircle|ir|lose"
    r"|rescent)|P(?:lace|l|arkway|kwy)|Way|T(?:errace|rail)|H(?:igh)?wa?y)\b"
    r"|(?:[Ss]tra(?:ße|sse|at)|[Ss]tr\.|[Ww]eg|[Aa]llee|[Pp]latz|[Gg]asse|[Dd]amm|[Uu]fer|steig|laan|plein|gracht|kade|singel"
    r"|dreef) ?[0-9]"
    r"|[0-9r],? (?:[Rr](?:ue|oute)|[Aa]v(?:enue|\.)|[Bb](?:oulevard|d)|[Pp]lace|[Cc](?:hemin|ours)|[Ii]mpasse|[Aa]llée|[Qq]uai) "
    r"|\b(?:C/|Calle|Avda|Av\.|Avenida|Plaza|Paseo|Carrer|Rua|R\.|Travessa|Praça|Alameda|Largo|[Vv]ia|Viale|Piazza|Corso"
    r"|Vicolo) ?[^\W\d_]|[Bb]ox [0-9]|BOX [0-9]"
)
"""Without a match there is no street in the text."""

STREETS: tuple[re.Pattern[str], ...] = (
    re.compile(
        r"(?<![\w.,/-])[0-9]{1,5}[A-Za-z]?,? (?:(?:[NSEW]\.?|North|South|East|West) )?(?:"
        + _CAPITAL
        + r" ){1,3}"
        r"(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Place|Pl|Way|Terrace|Square|Sq"
        r"|Highway|Hwy|Parkway|Pkwy|Circle|Cir|Close|Crescent|Trail)\b\.?" + _FLAT
    ),
    re.compile(
        r"(?<!\w)(?:(?:Am|An der|Auf dem|Zum|Alte|Neue) )?[A-ZÄÖÜ][\w.-]{0,30}"
        r"(?:straße|strasse|str\.|weg|allee|platz|gasse|damm|ufer|steig) ?[0-9]{1,4} ?[a-z]?\b"
        r"|(?<!\w)[A-ZÄÖÜ][\w-]{2,30} (?:Straße|Strasse|Str\.|Weg|Allee|Platz|Gasse|Damm|Ufer) [0-9]{1,4} ?[a-z]?\b"
    ),
    re.compile(
        r"(?<![\w.,/-])[0-9]{1,4}(?: ?(?:bis|ter))?,? (?:[Rr]ue|[Aa]venue|[Aa]v\.|[Bb]oulevard|[Bb]d\.?|[Pp]lace|[Cc]hemin"
        r"|[Ii]mpasse|[Aa]llée|[Qq]uai|[Rr]oute|[Cc]ours) (?:(?:de la|de l'|de|du|des|d'|l') ?)?"
        + _CAPITAL
        + r"(?:[ -]"
        + _CAPITAL
        + r"){0,3}"
    ),
    re.compile(
        r"(?<!\w)(?:C/|Calle|Avenida|Avda\.?|Av\.|Plaza|Paseo|Carrer|Rua|R\.|Travessa|Praça|Alameda|Largo|Via|Viale"
        r"|Piazza|Corso|Vicolo) ?(?:"
        + _WORD
        + r" ){0,3}"
        + _WORD
        + r",? {0,2}(?:n[.º°]{0,2} ?|nº ?|número |num\. ?)?"
        r"[0-9]{1,4}(?: ?[a-zA-Z])?\b"
        r"|(?<!\w)via (?:" + _WORD + r" ){0,3}" + _WORD + r",? [0-9]{1,4}\b"
    ),
    re.compile(
        r"(?<!\w)[A-Z][\w.-]{1,30}(?:straat|laan|weg|plein|gracht|kade|singel|dreef) [0-9]{1,4} ?[a-zA-Z]?\b"
    ),
    re.compile(r"(?i:(?<!\w)P\.? ?O\.? ?Box [0-9]{1,6}\b)"),
)

TAIL = re.compile(
    r"(?:,|\n|,\n| {1,2}|\n,)? ?(?:[0-9]{5}(?:-[0-9]{3,4})?|[0-9]{4} ?[A-Z]{2}|[A-Z]{1,2}[0-9][0-9A-Z]? ?[0-9][A-Z]{2}|[0-9]{4})"
    r"(?: " + _CAPITAL + r"){1,3}"
    r"|(?:,|\n|,\n| {1,2})? ?(?:" + _CAPITAL + r"[ ,\n]{1,3}){1,3}(?:[A-Z]{2} )?(?:[0-9]{5}(?:-[0-9]{4})?"
    r"|[A-Z]{1,2}[0-9][0-9A-Z]? ?[0-9][A-Z]{2}|[0-9]{4} ?[A-Z]{2})(?!\w)"
)
"""Postcode and town, or town and postcode, right after a street."""
