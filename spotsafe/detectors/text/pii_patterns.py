"""Patterns of personal data: what it looks like, which words near it speak for it.

Every repetition is bounded, so a search is linear in the text (a test counts the worst case). Patterns work
on the text with foreign digits, blanks and dashes as ASCII ones, which keeps offsets.
"""

from __future__ import annotations

import re

ANY = re.compile(
    r"[0-9@]|-----BEGIN|[Pp]ass(?:word|wort|wd|phrase)|contraseña|senha|mot de passe|[(\[] ?at ?[)\]]"
)
"""Without a match a text holds nothing that is looked for here."""
NUMBER = re.compile(r"[0-9](?:[ ()./-]{0,3}[0-9]){6}")
"""Seven digits close together: the least that a phone number has."""
EMAIL_GATE = re.compile(r"@|[(\[] ?at ?[)\]]")
LONG_NUMBER = re.compile(r"[0-9](?:[ -]?[0-9]){8}")
"""Nine digits: the least that a card or a social security number has."""
TOKEN = re.compile(r"[A-Za-z0-9_+/=-]{20}")
"""The least that a secret or a wallet has."""

IP_GATE = re.compile(r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.|:[0-9A-Fa-f]{0,4}:")
NATIONAL_GATE = re.compile(
    r"[0-9](?:(?:[ ()./-]{0,3}[0-9]){8}|[0-9]{6}|[0-9] ?[A-Da-d]\b|[0-9][A-Za-z][0-9]{2}[A-Za-z][0-9]{3})"
)
GEO_GATE = re.compile(r"[0-9]\.[0-9]{4,15} ?[,;/]|[0-9] ?°")
BIRTH_GATE = (
    "born", "birth", "dob", "d.o.b", "geb", "né", "nac", "nasc", "nat", "född", "urodz", "рожд", "родил",
    "年月日",
    "出生", "생년",
)  # fmt: skip
DOCUMENT_GATE = (
    "passp", "passn", "passe", "passa", "pasa", "paspo", "pasz", "паспорт", "reisepass", "licen", "führersch",
    "permis", "carnet", "carné", "patente", "identity", "id card", "ausweis", "identité",
)  # fmt: skip
PASSWORD_GATE = ("passw", "passp", "contrase", "senha", "mot de pas")
"""Parts of words, lower case, without one of which the pattern need not be tried."""

EMAIL = re.compile(
    r"(?<![\w.%+-])[\w.%+-]{1,64}@(?:[\w-]{1,63}\.){1,6}[^\W\d_][\w-]{1,23}(?![\w@])"
    r"|(?<![\w.%+-])[\w.%+-]{1,64} ?[(\[] ?at ?[)\]] ?[\w-]{1,63}(?: ?[(\[] ?(?:dot|\.) ?[)\]] ?"
    r"|\.)[A-Za-z]{2,24}\b"
)
ROLE = re.compile(
    r"(?:no-?reply|info|support|contact|kontakt|hello|help|press|office|admin|webmaster|sales)\b", re.I
)
RESERVED_DOMAIN = re.compile(r"[@.](?:example\.(?:com|org|net)|test|invalid|localhost)$", re.I)

PHONE = re.compile(
    r"(?<![\w/:=#$€£%+-])(?<![0-9][.,])(?:\+|00)?\(?\+?[0-9](?:[ ().\-/]{0,3}[0-9]){6,14}"
    r"(?: ?(?:x|ext\.? ?)[0-9]{1,6})?(?![\w%€$£]|[.,:/-][0-9])"
)
CARD = re.compile(r"(?<![\w.+-])[0-9](?:[ -]?[0-9]){11,18}(?![\w]|[.-][0-9])")
IBAN_HEAD = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?=[ -]?[A-Za-z0-9])")
SSN = re.compile(r"(?<![\w.+-])([0-9]{3})([- ]?)([0-9]{2})\2([0-9]{4})(?![\w]|[.-][0-9])")
IPV4 = re.compile(r"(?<![\w.-])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![\w-]|\.[0-9])")
IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])")
GEO = re.compile(
    r"(?<![\w.,])-?[0-9]{1,2}\.[0-9]{4,15} ?[,;/] ?-?[0-9]{1,3}\.[0-9]{4,15}(?![\w.]?[0-9])"
    r"|(?<![\w.])[0-9]{1,2} ?° ?[0-9]{1,2} ?['′] ?"
    r"(?:[0-9.]{1,8} ?[\"″] ?)?[NS][ ,;/]{0,3}[0-9]{1,3} ?° ?[0-9]{1,2}"
    r" ?['′] ?(?:[0-9.]{1,8} ?[\"″] ?)?[EWO]\b"
)

# kind of number → pattern, its digits or letters being what the check of the same name looks at.
NATIONAL: dict[str, re.Pattern[str]] = {
    "dni": re.compile(r"(?<![\w-])(?:[0-9]{8}|[XYZxyz]-?[0-9]{7})[- ]?[A-HJ-NP-TV-Za-hj-np-tv-z](?![\w])"),
    "codice_fiscale": re.compile(
        r"(?<!\w)[A-Za-z]{6}[0-9]{2}[A-EHLMPRSTa-ehlmprst][0-9]{2}[A-Za-z][0-9]{3}[A-Za-z](?!\w)"
    ),
    "cpf": re.compile(r"(?<![\w.-])[0-9]{3}\.?[0-9]{3}\.?[0-9]{3}-?[0-9]{2}(?![\w.-]?[0-9])"),
    "nino": re.compile(
        r"(?<!\w)(?!BG|GB|NK|KN|TN|NT"
        r"|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D](?!\w)"
    ),
    "nir": re.compile(
        r"(?<![\w-])[1278] ?[0-9]{2} ?(?:0[1-9]|1[0-2]|[2-9][0-9]) ?(?:[0-9]{2}"
        r"|2[AB]) ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}(?!\w)"
    ),
    "bsn": re.compile(r"(?<![\w.-])[0-9]{4}[. ]?[0-9]{2}[. ]?[0-9]{3}(?![\w]|[.-][0-9])"),
    "steuer_id": re.compile(r"(?<![\w.-])[0-9]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}(?![\w]|[.-][0-9])"),
    "pesel": re.compile(r"(?<![\w.-])[0-9]{11}(?![\w]|[.-][0-9])"),
    "personnummer": re.compile(r"(?<![\w.-])(?:19|20)?[0-9]{6}[-+][0-9]{4}(?![\w-])"),
    "ahv": re.compile(r"(?<![\w.-])756\.?[0-9]{4}\.?[0-9]{4}\.?[0-9]{2}(?![\w.]?[0-9])"),
}
NATIONAL_WORDS: dict[str, re.Pattern[str]] = {
    "dni": re.compile(r"\b(?:dni|nie|nif|documento|identidad)\b", re.I),
    "codice_fiscale": re.compile(r"codice fiscale|\bc\.?f\.?\b|cod\. ?fisc", re.I),
    "cpf": re.compile(r"\bcpf\b|cadastro de pessoa", re.I),
    "nino": re.compile(r"national insurance|\bnino\b|\bni (?:number|no)", re.I),
    "nir": re.compile(r"sécurité sociale|securite sociale|\bsécu\b|\bnir\b|\binsee\b|carte vitale", re.I),
    "bsn": re.compile(r"\bbsn\b|burgerservice|sofi-?nummer", re.I),
    "steuer_id": re.compile(r"steuer|\bidnr\b|\btin\b|tax id", re.I),
    "pesel": re.compile(r"\bpesel", re.I),
    "personnummer": re.compile(r"person(?:nummer|nr)|\bpnr\b|födelse", re.I),
    "ahv": re.compile(r"\bahv\b|\bavs\b|sozialversicherung", re.I),
}

_DOCUMENT = (
    r"(?: (?:number|no\.?|nr\.?|nummer|num\.?|n[uú]m?mero|nº|n°|id|is|ist|est|es|é|è|my|#)){0,3}[ :#=.-]{1,4}"
)
DOCUMENT = re.compile(
    r"\b(?:(?P<passport>passport|reisepass|passnummer|passeport|pasaporte|passaporte?o?|paspoort"
    r"|paszport|паспорт)"
    r"|driver'?s'? licen[cs]e|driving licen[cs]e|führerschein|permis de conduire"
    r"|carn[eé]t de conducir|patente"
    r"|identity card|id card|personalausweis|carte d'identité)(?:nummer)?"
    + _DOCUMENT
    + r"(?P<number>[A-Z]{0,3}[0-9][0-9A-Z-]{4,14})(?![\w])",
    re.I,
)
_MONTH = (
    r"(?:jan|feb|fév|fev|mar|mär|apr|abr|avr|mai|may|mag|jun|juin|giu|jul|juil|lug|aug|ago|aoû|sep"
    r"|set|okt|oct|out|ott"
    r"|nov|dec|dez|dic|déc)[^\W\d_]{0,7}\.?"
)
BIRTH = re.compile(
    r"\b(?:born(?: on)?|d\.?o\.?b\.?|date of birth|birth ?da(?:te|y)|geboren(?: am)?|geburts(?:datum"
    r"|tag)|geb\."
    r"|née? le|date de naissance|nacid[oa](?: el)?|nací(?: el)?|fecha de nacimiento"
    r"|nascid[oa](?: em)?|nasci(?: em)?"
    r"|data de nascimento|nat[oa] il|data di nascita|geboren op|geboortedatum|född|urodzon[ya]"
    r"|дата рождения|родил(?:ся|ась)"
    r"|生年月日|出生日期|생년월일)[ :=(,-]{0,4}(?:(?:is|was|ist|war|est|es|é|è|on|am|le|el|em|il|op|:) ){0,2}"
    r"(?P<date>[0-9]{1,2}[./-] ?[0-9]{1,2}[./-] ?(?:19|20)?[0-9]{2}|(?:19"
    r"|20)[0-9]{2}[./-][0-9]{1,2}[./-][0-9]{1,2}"
    r"|[0-9]{1,2}(?:st|nd|rd|th|\.|er|º)? (?:of |de )?" + _MONTH + r",? (?:de )?(?:19|20)[0-9]{2}"
    r"|" + _MONTH + r" [0-9]{1,2}(?:st|nd|rd|th)?,? (?:19|20)[0-9]{2}|(?:19"
    r"|20)[0-9]{2}[年년] ?[0-9]{1,2}[月월] ?[0-9]{1,2}[日일])"
    r"(?![\w])",
    re.I,
)

SECRETS: tuple[tuple[re.Pattern[str], float], ...] = (
    (re.compile(r"(?<![A-Z0-9])(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA)[A-Z0-9]{16}(?![A-Za-z0-9])"), 0.97),
    (re.compile(r"\bgh[pousr]_[A-Za-z0-9]{36,255}\b|\bgithub_pat_[A-Za-z0-9_]{22,255}\b"), 0.98),
    (re.compile(r"\bglpat-[A-Za-z0-9_-]{20,64}|\bnpm_[A-Za-z0-9]{36}\b|\bhf_[A-Za-z0-9]{30,64}\b"), 0.95),
    (re.compile(r"\bxox[abeprs]-[A-Za-z0-9-]{10,250}|\bAIza[0-9A-Za-z_-]{35}(?![\w-])"), 0.95),
    (re.compile(r"\b[sr]k_live_[0-9A-Za-z]{20,250}\b|\bsk-[A-Za-z0-9_-]{20,250}(?![\w-])"), 0.93),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,4000}\.eyJ[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{8,4000}"), 0.95),
    (
        re.compile(r"(?i:aws|secret)[\w .-]{0,30}[=:] ?[\"']?(?P<part>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])"),
        0.9,
    ),
)
PRIVATE_KEY = re.compile(r"-----BEGIN (?:[A-Z0-9]{2,10} ){0,2}PRIVATE KEY(?: BLOCK)?-----")
PRIVATE_KEY_END = re.compile(r"-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----")
PASSWORD = re.compile(
    r"\b(?:pass(?:word|wort|wd|phrase)|contraseña|senha|mot de passe)(?: (?:is|ist|est|es"
    r"|é))?\s?[:=]\s?(?P<part>\S{6,64})",
    re.I,
)
BASE58 = re.compile(r"(?<![A-Za-z0-9])[13][1-9A-HJ-NP-Za-km-z]{25,34}(?![A-Za-z0-9])")
BECH32 = re.compile(
    r"(?<![A-Za-z0-9])(?:bc1[02-9ac-hj-np-z]{11,71}|BC1[02-9AC-HJ-NP-Z]{11,71})(?![A-Za-z0-9])"
)
ETHEREUM = re.compile(r"(?<![A-Za-z0-9])0x[0-9a-fA-F]{40}(?![A-Za-z0-9])")

WORDS: dict[str, re.Pattern[str]] = {
    "phone": re.compile(
        r"\b(?:phone|cell|mobile|call|text|txt|whats ?app|telegram|signal|messag|answer|office"
        r"|tel|telephone|fax|number"
        r"|ring|reach|sms|dial"
        r"|telefon|handy|ruf|anruf|nummer|mobil|téléphone|portable|appel|numéro|teléfono|móvil"
        r"|celular|llám|número"
        r"|telefone|liga|zap|telefono|cellulare|chiam|numero|bel|mobiel|zadzwoń|телефон|звони|номер"
        r"|ara|电话|手机|電話|携帯|전화"
        r"|연락|هاتف|फोन)",
        re.I,
    ),
    "card": re.compile(
        r"card|credit|debit|visa|master ?card|amex|american express|cvv|cvc|karte|carte|tarjeta"
        r"|cartão|carta\b|kaart",
        re.I,
    ),
    "ssn": re.compile(r"\bssn\b|social security|\bss ?#|soc\.? sec", re.I),
    "ip": re.compile(r"\bips?\b|address|adresse|direcci|indirizzo|endereço|host|ddos|server", re.I),
    "version": re.compile(r"\bv(?:er|ersion)?\.? ?$|\bversion|release|firmware|build|driver", re.I),
    "geo": re.compile(
        r"gps|coord|koord|location|\blat|standort|position|ubicaci|localiza|live|house|home", re.I
    ),
    "home": re.compile(
        r"address|live[sd]? |living|house|home|ship|deliver|mail|visit|find (?:me|her|him)|wohn"
        r"|adresse|anschrift|zuhause"
        r"|habite|vit |domicil|vive|vivo|dirección|direccion|endereço|moro|mora |abito|abita"
        r"|indirizzo|woon|adres|bor |mieszka",
        re.I,
    ),
    "not a phone": re.compile(
        r"isbn|issn|order|invoice|ticket|tracking|bestell|rechnung|commande|pedido|ordine|serial|sku"
        r"|asin|ean|episode|track"
        r"|\bid\b|version|views|plays|streams|followers|\bref\b|#",
        re.I,
    ),
}
