"""Postal addresses: conservative patterns of seven languages, number and street together."""

from __future__ import annotations

import re

_WORD = r"[^\W\d_][\w'’.-]{0,30}"
_CAPITAL = r"[A-ZÀ-ÖØ-Þ][\w'’.-]{0,30}"
_FLAT = r"(?:,? {0,2}(?:[Aa]pt\.?|[Aa]partment|[Ss]uite|[Uu]nit|[Ff]lat|#) ?[0-9A-Za-z-]{1,6})?"

_ENGLISH = re.compile(
    r" (?:S(?:treet|t|quare|q)|A(?:venue|ve)|R(?:oad|d)|L(?:ane|n)|D(?:rive|r)|B(?:oulevard|lvd)|Way"
    r"|C(?:ourt|t|ircle|ir|lose|rescent)|P(?:lace|l|arkway|kwy)|T(?:errace|rail)|H(?:ighway|wy))\b"
)
_PARTS = (
    "straße ", "strasse ", "Straße ", "Strasse ", "str. ", "Str. ", "weg ", "Weg ", "allee ", "Allee ",
    "platz ", "Platz ", "gasse ", "Gasse ", "damm ", "Damm ", "ufer ", "Ufer ", "steig ", "straat ", "laan ",
    "plein ", "gracht ", "kade ", "singel ", "dreef ", "rue ", "Rue ", "avenue ", "Avenue ", "av. ", "Av. ",
    "oulevard ", "bd ", "place ", "chemin ", "impasse ", "allée ", "quai ", "route ", "cours ", "C/",
    "Calle ",
    "Avda", "Avenida ", "Plaza ", "Paseo ", "Carrer ", "Rua ", "R. ", "Travessa ", "Praça ", "Alameda ",
    "Largo ", "via ", "Via ", "Viale ", "Piazza ", "Corso ", "Vicolo ", "Box ", "box ", "BOX ",
)  # fmt: skip


def may_have_street(text: str) -> bool:
    """Whether a word for a street stands in the text; without one no pattern here matches."""
    return _ENGLISH.search(text) is not None or any(part in text for part in _PARTS)


def may_state_place(text: str) -> bool:
    """Whether a word that :data:`STATED` begins with stands in the text."""
    small = text.lower()
    return any(part in small for part in _STATING)


_STATING = (
    "addres", "adres", "anschrift", "direcci", "indirizz", "endere", "live at", "lives at",
    "lived at", "ing at",
    "reside", "stay at", "stays at", "sent to", "ship to", "shipped to", "deliver", "mail to", "mailed to",
)  # fmt: skip

STREETS: tuple[re.Pattern[str], ...] = (
    re.compile(
        r"(?<![\w.,/-])[0-9]{1,5}[A-Za-z]?,? (?:(?:[NSEW]\.?|North|South|East|West) )?(?:"
        + _CAPITAL
        + r" ){1,3}"
        r"(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Place|Pl|Way"
        r"|Terrace|Square|Sq"
        r"|Highway|Hwy|Parkway|Pkwy|Circle|Cir|Close|Crescent|Trail)\b\.?" + _FLAT
    ),
    re.compile(
        r"(?<!\w)(?:(?:Am|An der|Auf dem|Zum|Alte|Neue) )?[A-ZÄÖÜ][\w.-]{0,30}"
        r"(?:straße|strasse|str\.|weg|allee|platz|gasse|damm|ufer|steig) ?[0-9]{1,4} ?[a-z]?\b"
        r"|(?<!\w)[A-ZÄÖÜ][\w-]{2,30} (?:Straße|Strasse|Str\.|Weg|Allee|Platz|Gasse|Damm"
        r"|Ufer) [0-9]{1,4} ?[a-z]?\b"
    ),
    re.compile(
        r"(?<![\w.,/-])[0-9]{1,4}(?: ?(?:bis|ter))?,? (?:[Rr]ue|[Aa]venue|[Aa]v\.|[Bb]oulevard"
        r"|[Bb]d\.?|[Pp]lace|[Cc]hemin"
        r"|[Ii]mpasse|[Aa]llée|[Qq]uai|[Rr]oute|[Cc]ours) (?:(?:de la|de l'|de|du|des|d'|l') ?)?"
        + _CAPITAL
        + r"(?:[ -]"
        + _CAPITAL
        + r"){0,3}"
    ),
    re.compile(
        r"(?<!\w)(?:C/|Calle|Avenida|Avda\.?|Av\.|Plaza|Paseo|Carrer|Rua|R\.|Travessa|Praça|Alameda"
        r"|Largo|Via|Viale"
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

STATED = re.compile(
    r"\b(?:(?:address|anschrift|adresse|dirección|direccion|indirizzo|endereço|adres)"
    r"(?: (?:of|for) [^\n:]{1,40})?"
    r"(?:: {0,6}| (?:is|ist|est|es|é|è):? )|(?:live|lives|lived|living|resides?|residing|stays?|staying) at "
    r"|(?:sent|ship|shipped|deliver|delivered|mail|mailed) to )"
    r"(?P<place>(?=[^\n]{0,40}[0-9])[^\W_][^.!?;:\n]{4,60}"
    r"(?:(?:\n|\. ?\n?|, ?\n?) {0,2}[^.!?;:\n]{2,40}){0,3})",
    re.I,
)
"""A place that the text itself calls an address."""
LAST_NUMBER = re.compile(r"[\s\S]{0,200}[0-9](?:[0-9A-Z-]{0,4}\b)?")

TAIL = re.compile(
    r"(?:,|\n|,\n| {1,2}|\n,)? ?(?:[0-9]{5}(?:-[0-9]{3,4})?|[0-9]{4} ?[A-Z]{2}"
    r"|[A-Z]{1,2}[0-9][0-9A-Z]? ?[0-9][A-Z]{2}|[0-9]{4})"
    r"(?: " + _CAPITAL + r"){1,3}"
    r"|(?:,|\n|,\n| {1,2})? ?(?:" + _CAPITAL + r"[ ,\n]{1,3}){1,3}(?:[A-Z]{2} )?(?:[0-9]{5}(?:-[0-9]{4})?"
    r"|[A-Z]{1,2}[0-9][0-9A-Z]? ?[0-9][A-Z]{2}|[0-9]{4} ?[A-Z]{2})(?!\w)"
)
"""Postcode and town, or town and postcode, right after a street."""
