"""Which labels the text models score, in the order of their columns."""

from __future__ import annotations

LABELS: tuple[str, ...] = (
    "ai.prompt_attack",
    "harass.bullying",
    "harass.targeted",
    "hate.against_women",
    "hate.speech",
    "hate.threatening",
    "illicit.instructions",
    "integrity.spam",
    "selfharm.at_risk",
    "selfharm.promotion",
    "sexual.explicit",
    "tone.profanity",
    "tone.toxic",
    "violence.incitement",
    "violence.threat",
)
"""Columns of every weight matrix. ``privacy.pii_exposure`` is not here: patterns and checksums find it."""

COLUMN: dict[str, int] = {label: column for column, label in enumerate(LABELS)}
