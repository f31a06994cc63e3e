"""Which category of somebody else's scheme may speak for which of our labels.

The taxonomy maps each label to the categories that it falls under, many to one: ``hate`` holds
``hate.speech``, ``hate.discrimination`` and ``hate.against_women``. The other way round that is no mapping: a
high ``hate`` says nothing of women. So a category speaks for a label only where it means about the same
(:data:`OPENAI` and the others, written by hand from the vendors' definitions). With ``broad`` it also speaks
for every narrower label that the taxonomy puts under it; such a score is an upper bound: a low one tells that
the label does not apply, a high one only that something of its kind does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from spotsafe.core.labels import LABELS
from spotsafe.core.seams import Calibration, Capabilities

Table = Mapping[str, tuple[str, ...]]
"""Category → the labels that it speaks for."""

OPENAI: Table = {
    "harassment": ("harass.bullying", "harass.targeted"),
    "harassment/threatening": ("violence.threat",),
    "hate": ("hate.speech",),
    "hate/threatening": ("hate.threatening",),
    "illicit": ("illicit.instructions",),
    "illicit/violent": (),  # wrongdoing with violence or arms: between several of ours
    "self-harm": ("selfharm.promotion",),
    "self-harm/instructions": ("selfharm.promotion",),
    "self-harm/intent": ("selfharm.at_risk",),
    "sexual": ("sexual.explicit",),
    "sexual/minors": ("child.sexualization",),
    "violence": (),  # any depiction of violence: no label of ours is as wide
    "violence/graphic": ("violence.graphic",),
}
"""OpenAI, moderation guide: categories of ``omni-moderation``."""

MISTRAL: Table = {
    "sexual": ("sexual.explicit",),
    "hate_and_discrimination": ("hate.speech",),
    "violence_and_threats": ("violence.threat", "violence.incitement"),
    "dangerous_and_criminal_content": ("illicit.instructions",),
    "selfharm": ("selfharm.promotion",),
    "health": ("ai.unqualified_advice",),
    "financial": ("ai.unqualified_advice",),
    "law": ("ai.unqualified_advice",),
    "pii": ("privacy.pii_exposure",),
}
"""Mistral, moderation guide: policies of ``mistral-moderation``."""

LLAMA_GUARD: Table = {
    "S1": ("violence.incitement",),
    "S2": ("illicit.instructions",),
    "S3": ("sexual.exploitation",),
    "S4": ("child.sexualization",),
    "S5": ("harass.defamation",),
    "S6": ("ai.unqualified_advice",),
    "S7": ("privacy.pii_exposure",),
    "S8": ("ip.copyright",),
    "S9": ("violence.weapons_cbrne",),
    "S10": ("hate.speech",),
    "S11": ("selfharm.promotion",),
    "S12": ("sexual.explicit",),
    "S13": ("misinfo.civic",),
    "S14": (),  # attacks through a code interpreter: neither malware nor prompt attacks in general
}
"""Meta, model card of Llama Guard 3: hazards of MLCommons, and S14."""

AZURE_TEXT: Table = {
    "Hate": ("hate.speech",),
    "SelfHarm": ("selfharm.promotion",),
    "Sexual": ("sexual.explicit",),
    "Violence": ("violence.incitement",),
}
"""Microsoft, harm categories in Azure AI Content Safety."""

AZURE_IMAGE: Table = {**AZURE_TEXT, "Violence": ("violence.graphic",)}
"""In pictures violence is shown rather than called for."""


def widened(table: Table, scheme: str) -> Table:
    """*table* with every label that the taxonomy puts under each category. *scheme* is the taxonomy's field:
    ``openai``, ``llama_guard`` or ``azure``."""
    return {
        category: tuple(
            code for code, label in LABELS.items() if code in narrow or category in getattr(label, scheme)
        )
        for category, narrow in table.items()
    }


def spoken_for(tables: Mapping[str, Table], languages: Sequence[str] = ("*",)) -> Capabilities:
    """What a detector with one table per kind of part can say; nothing of it was calibrated by us."""
    labels: dict[str, list[str]] = {}
    for kind, table in tables.items():
        for code in (code for codes in table.values() for code in codes):
            if kind not in labels.setdefault(code, []):
                labels[code].append(kind)
    known = dict.fromkeys(languages, Calibration.UNCALIBRATED)
    return Capabilities(
        {code: known for code in LABELS if code in labels},
        tuple(tables),
        narrower={code: kinds for code, kinds in labels.items() if len(kinds) < len(tables)},
    )


def scores_by_label(table: Table, scores: Mapping[str, float | None]) -> dict[str, float]:
    """Our labels' scores from the categories' *scores*: the highest of those that speak for a label. A label
    gets none where one of its categories is absent or None: the rest might be the lower part."""
    found: dict[str, float] = {}
    doubtful: set[str] = set()
    for category, codes in table.items():
        score = scores.get(category)
        for code in codes:
            if score is None:
                doubtful.add(code)
            else:
                found[code] = max(score, found.get(code, 0.0))
    return {code: score for code, score in found.items() if code not in doubtful}


def unit_number(value: object) -> float | None:
    """*value* where it is a number in [0, 1], else None; true and false are no numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0.0 <= value <= 1.0 else None
