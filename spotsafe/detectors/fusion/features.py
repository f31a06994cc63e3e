"""What the fusion model sees of one label in one content: numbers, the same in training and at run time.

Pure: no state, no I/O, and nothing of the words leaves but these numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import combinations
from math import log, log1p

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]

FEATURES: tuple[str, ...] = (
    "highest",
    "second",
    "together",
    "agreed",
    "typed",
    "read",
    "spoken",
    "cosine",
    "echo",
    "quoted",
    "music",
    "sung",
    "senses",
    "length",
)
"""Columns of every feature vector. Logits: the *highest* score over the senses, the *second* highest, the
score of all words *together*, the lower one of these and the highest (*agreed*), and each sense's own
(:data:`NOTHING` where a sense has none). *cosine*: the most alike pair of the senses' embeddings. *echo*:
share of the typed words that were also read or spoken. *quoted*: 1 where the typed words stand in quotation
marks or between notes. *music* as heard. *sung*: echo times music. *senses*: how many have words. *length*:
log of 1 + all words."""

EMBEDDED: frozenset[str] = frozenset({"cosine"})
"""The features that need embeddings."""

FLOOR = 0.002
"""Scores are kept this far from 0 and 1 before their logit is taken."""

NOTHING = log(FLOOR / (1 - FLOOR))
"""The logit of a sense without a score."""

_QUOTED = re.compile(
    r"^\s*(?:[\"“„‟«»「『‘'‹].*[\"”“‟»«」』’'›]|[♪♫♬🎵🎶].*|.*[♪♫♬🎵🎶])\s*[.!?…]*\s*$", re.DOTALL
)
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
    echo = _echo(words)
    common = {
        "cosine": _cosine(list(embeddings.values())),
        "echo": echo,
        "quoted": float(bool(_QUOTED.match(words.get("typed", "")))),
        "music": music,
        "sung": echo * music,
        "senses": float(len(words)),
        "length": log1p(sum(len(_WORD.findall(text)) for text in words.values())),
    }
    return {label: _vector(label, scores, score, common) for label, score in together.items()}


def logit(score: float) -> float:
    """Log odds of *score*, kept finite by :data:`FLOOR`."""
    inside = min(max(score, FLOOR), 1 - FLOOR)
    return log(inside / (1 - inside))


def _vector(
    label: str, scores: Mapping[str, Mapping[str, float]], together: float, common: Mapping[str, float]
) -> F32:
    own = {sense: logit(known[label]) for sense, known in scores.items() if label in known}
    highest, second, *_ = [*sorted(own.values(), reverse=True), NOTHING, NOTHING]
    values = {
        **common,
        "highest": highest,
        "second": second,
        "together": logit(together),
        "agreed": min(logit(together), highest),
        **{sense: own.get(sense, NOTHING) for sense in ("typed", "read", "spoken")},
    }
    return np.array([values[name] for name in FEATURES], np.float32)


def _cosine(vectors: Sequence[F32]) -> float:
    """Of the pair that is most alike; 0 for fewer than two."""
    return max((float(one @ other) for one, other in combinations(vectors, 2)), default=0.0)


def _echo(words: Mapping[str, str]) -> float:
    typed = _plain(words.get("typed", ""))
    heard = _plain(" ".join(text for sense, text in words.items() if sense != "typed"))
    return len(typed & heard) / len(typed) if typed else 0.0


def _plain(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold().replace("’", "'")))
