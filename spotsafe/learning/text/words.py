"""Single harmless words as weak negatives.

Lexicon rows are single words, all of them bad; without harmless company a model learns that one word alone is
suspicious.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from spotsafe.learning.text.rows import Row

SOURCE = "own_words"
MOST = 4000
COMMON = 4
"""A word must occur so often in benign rows to count as ordinary."""

WEIGHT = 0.5

_WORD = re.compile(r"[^\W\d_]{2,}")


def benign(rows: Sequence[Row]) -> list[Row]:
    """The most frequent words of benign rows used for fitting that no lexicon row contains, as benign
    rows."""
    bad = {word for row in rows if "lexicon" in row.source for word in _words(row.text)}
    counts = Counter(
        (word, row.language)
        for row in rows
        if row.benign and not row.held_out
        for word in set(_words(row.text))
    )
    ordinary = [
        (-count, *entry) for entry, count in counts.items() if count >= COMMON and entry[0] not in bad
    ]
    return [
        Row(word, language, SOURCE, {}, WEIGHT, False, True) for _, word, language in sorted(ordinary)[:MOST]
    ]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
