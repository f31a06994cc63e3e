"""Working with labels: lookup, patterns, default actions, projections to other schemes."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import lru_cache

from spotsafe.core.decision import Disposition, Effect
from spotsafe.core.taxonomy import TAXONOMY, Label

LABELS: dict[str, Label] = {label.code: label for label in TAXONOMY}
"""Every label by its code, in the order of the taxonomy."""

_A, _L, _H, _B = Disposition.ALLOW, Disposition.LIMIT, Disposition.HOLD, Disposition.BLOCK

DEFAULT_ACTIONS: dict[str, tuple[Disposition, frozenset[Effect]]] = {
    "block": (_B, frozenset()),
    "block+quarantine": (_B, frozenset({Effect.QUARANTINE})),
    "refuse": (_B, frozenset()),
    "hold": (_H, frozenset()),
    "hold_or_match_policy": (_H, frozenset()),
    "hold+support_resources": (_H, frozenset({Effect.NUDGE})),
    "publish_or_hold+support_resources": (_A, frozenset({Effect.NUDGE, Effect.REVIEW})),
    "redact_or_hold": (_A, frozenset({Effect.REDACT})),
    "limit": (_L, frozenset()),
    "demote": (_L, frozenset()),
    "demonetize": (_L, frozenset({Effect.LABEL})),
    "label": (_A, frozenset({Effect.LABEL})),
    "label+age_gate": (_A, frozenset({Effect.LABEL, Effect.AGE_GATE})),
    "label+demote": (_L, frozenset({Effect.LABEL})),
    "label+hold": (_H, frozenset({Effect.LABEL})),
    "age_gate": (_A, frozenset({Effect.AGE_GATE})),
    "add_disclaimer": (_A, frozenset({Effect.LABEL})),
}
"""The taxonomy's default actions as disposition and effects. ``redact`` whose evidence is not a text
span becomes a hold at evaluation; support resources are shown by a nudge. Total: a test walks it."""

OPENAI_CATEGORIES = (
    "harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent",
    "self-harm", "self-harm/instructions", "self-harm/intent", "sexual", "sexual/minors", "violence",
    "violence/graphic",
)  # fmt: skip
"""The thirteen categories of OpenAI's moderation answer, in its order."""

DSA_CATEGORY_PREFIX = "STATEMENT_CATEGORY_"
DSA_KEYWORD_PREFIX = "KEYWORD_"


@lru_cache(maxsize=4096)
def matching(pattern: str) -> tuple[str, ...]:
    """The codes that *pattern* (``hate.*``, ``*``, ``hate.speech``) covers, in the taxonomy's order;
    empty for a pattern that covers none."""
    return tuple(code for code in LABELS if fnmatchcase(code, pattern))


def expand(patterns: Iterable[str]) -> tuple[str, ...]:
    """The codes that any of *patterns* covers, without repeats, in the taxonomy's order."""
    wanted = {code for pattern in patterns for code in matching(pattern)}
    return tuple(code for code in LABELS if code in wanted)


def specificity(pattern: str) -> tuple[int, int]:
    """A key by which the most specific of several matching patterns is the greatest: an exact code
    beats any pattern, then the longer literal prefix wins."""
    return (int("*" not in pattern and "?" not in pattern), len(pattern.partition("*")[0]))


def default_action(code: str) -> tuple[Disposition, frozenset[Effect]]:
    """Disposition and effects that the taxonomy proposes for *code*. KeyError for an unknown code."""
    return DEFAULT_ACTIONS[LABELS[code].default]


def dsa(code: str) -> tuple[str, tuple[str, ...]]:
    """The DSA statement category and keywords of *code*, with their prefixes."""
    label = LABELS[code]
    keywords = tuple(DSA_KEYWORD_PREFIX + keyword for keyword in label.dsa_keywords)
    return DSA_CATEGORY_PREFIX + label.dsa_category, keywords
