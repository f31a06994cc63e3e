"""Words of faults and warnings: a key as it is quoted, the nearest known word, a long list cut short."""

from __future__ import annotations

from collections.abc import Sequence


def shown(key: str) -> str:
    """A key as errors quote it: cut, and with nothing unprintable."""
    cut = key if len(key) <= 40 else key[:39] + "…"
    return repr(cut)


def nearest(word: object, known: Sequence[str]) -> str:
    """``did you mean 'x'?`` or an empty string."""
    from difflib import get_close_matches  # on faults alone: guarded processes never need it

    close = get_close_matches(str(word), known, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else ""


def first_few(words: Sequence[str]) -> str:
    """The first three of *words*, and how many more there are."""
    return ", ".join(words[:3]) + (f" and {len(words) - 3} more" if len(words) > 3 else "")
