"""What the fusion model sees of one label in one content: numbers, the same in training and at run time.

Pure: no state, no I/O, and nothing of the words leaves but these numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import combinations
from math import log

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]

FEATURES: tuple[str, ...] = ("highest", "rise", "alike", "sung")
"""Columns of every feature vector. *highest*: the logit of the highest score over the senses. *rise*: by how
much the logit of all words read together stands above it, or 0. *alike*: rise times the cosine of the two
senses that are most alike. *sung*: share of the typed words that were also read or spoken, times the music.
No sense is called by its name: what is learnt of pictures can be tested on recordings."""

EMBEDDED: frozenset[str] = frozenset({"alike"})
"""The features that need embeddings."""

FLOOR = 0.002
"""Scores are kept this far from 0 and 1 before their logit is taken."""

NOTHING = log(FLOOR / (1 - FLOOR))
"""The logit where there is no score."""

_WORD = re.compile(r"\w+(?:['’]\w+)?")


def features(
    scores: Mapping[str, Mapping[str, float]],
    together: Mapping[str, float],
    embeddings: Mapping[str, F32],
    words: Mapping[str, str],
    music: float,
) -> dict[str, F32]:
    """A vector [len(:data:`FEATURES`)] for each label of *together*.

    *scores*: sense → label → calibrated score (no key: the sense has none); *together*: label → the text
    engine's score of the words of all senses joined; *embeddings*: sense → unit vector [512] of its words;
    *words*: sense → its words; *music* in [0, 1].
    """
    cosine, sung = _cosine(list(embeddings.values())), _echo(words) * music
    found = {}
    for label, score in together.items():
        own = [logit(known[label]) for known in scores.values() if label in known]
        highest = max(own, default=NOTHING)
        rise = max(0.0, logit(score) - highest)
        found[label] = np.array([highest, rise, rise * cosine, sung], np.float32)
    return found


def logit(score: float) -> float:
    """Log odds of *score*, kept finite by :data:`FLOOR`."""
    inside = min(max(score, FLOOR), 1 - FLOOR)
    return log(inside / (1 - inside))


def _cosine(vectors: Sequence[F32]) -> float:
    """Of the pair that is most alike; 0 for fewer than two."""
    return max((float(one @ other) for one, other in combinations(vectors, 2)), default=0.0)


def _echo(words: Mapping[str, str]) -> float:
    typed = _plain(words.get("typed", ""))
    heard = _plain(" ".join(text for sense, text in words.items() if sense != "typed"))
    return len(typed & heard) / len(typed) if typed else 0.0


def _plain(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold().replace("’", "'")))
