"""The fusion model fitted: how far the words of all senses, read together, count where they say more than
each sense does, and how much a song takes from the line it is called after.

The model is a logit: the highest score, plus a share of what all words together say beyond it, less a margin.
It is monotone in every score, never lowers on its own, and keeps the scale of the scores, so that thresholds
keep their meaning. A free logistic regression over more features (the scores of the senses, their second
highest, lengths) was tried first on a part of the compositions: without the recipe that it was tested on it
learnt to rank by what that recipe does not have, and lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.detectors.fusion.features import FEATURES
from spotsafe.detectors.text.labels import COLUMN, LABELS
from spotsafe.learning.fusion.compositions import QUOTED_ANSWERS
from spotsafe.learning.fusion.recipe import LYRIC, LYRICS, PAIRS
from spotsafe.learning.fusion.table import F32, UNKNOWN, Bools, Table

F64 = NDArray[np.float64]

RISES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Shares of the rise that are tried, from cautious to bold."""

MARGINS = (1.0, 0.5, 0.25, 0.0)
"""Logits that are taken off, from cautious to bold."""

ALIKES = (0.0, -1.0, -0.5, 0.5, 1.0)
"""What the likeness of the senses' embeddings adds to the share of the rise."""

SUNG_WEIGHTS = (0.0, 4.0, 8.0, 12.0, 16.0)
"""Logits that a line loses where all of it is sung and all of the sound is music."""

SUNG = 0.3
"""From this value of *sung* on a title is the line of the song that is heard: between the lines that were
sung and their twins, in the first half of the compositions."""

TIE = 0.0005
"""AUPRC below which a difference is none: of equals the most cautious is taken."""

MOST_RISEN = 0.001
"""By how much the share of harmless pairs that meet a threshold may rise among the rows fitted on: half of
what is allowed in the test."""

STILL = 0.05
"""Share of quoted lines fitted on that may still meet a threshold."""

LEAST = 9
"""Positives and negatives that a label needs in a recipe to be ranked."""


class Fitted(NamedTuple):
    """Weights of the features *rise*, *alike* and *sung*, and the *margin*; that of *highest* is 1."""

    rise: float
    alike: float = 0.0
    margin: float = 0.0
    sung: float = 0.0

    def coefficients(self, label: str) -> F32:
        """In the order of FEATURES; only labels that a quoted line loses have a weight for *sung*."""
        sung = -self.sung if label in QUOTED_ANSWERS else 0.0
        values = {"highest": 1.0, "rise": self.rise, "alike": self.alike, "sung": sung}
        return np.array([values[name] for name in FEATURES], np.float32)

    def scores(self, features: F32) -> F64:
        """Probabilities [rows, labels] of *features* [rows, labels, features]."""
        weights = np.stack([self.coefficients(label) for label in LABELS]).astype(np.float64)
        logits = np.einsum("rlf,lf->rl", features.astype(np.float64), weights) - self.margin
        found: F64 = 0.5 * (1 + np.tanh(logits / 2))
        return found


def fit(table: Table, thresholds: Mapping[str, float], *, embeddings: bool = False) -> Fitted:
    """The model that ranks best on the rows of *table* but for songs: the mean AUPRC over labels and recipes,
    with harmless pairs meeting *thresholds* (label → score) hardly more often than without. *embeddings*:
    whether their likeness may count."""
    plain = table.part(~np.isin(table.column("recipe"), LYRICS))
    ranked = list(_ranked(plain))
    pairs = plain.part(plain.column("recipe") == PAIRS)
    without = meeting(pairs, pairs.highest.astype(np.float64), thresholds)
    best, found = -1.0, Fitted(0.0, 0.0, MARGINS[0])
    for alike, rise, margin in product(ALIKES if embeddings else (0.0,), RISES, MARGINS):
        model = Fitted(rise, alike, margin)
        risen = meeting(pairs, raised(pairs, model), thresholds) - without
        if risen > MOST_RISEN:
            continue
        scores = raised(plain, model)
        value = float(
            np.mean([auprc(truth, scores[rows, column]) for rows, column, truth in ranked] or [0.0])
        )
        if value > best + TIE:
            best, found = value, model
    return found._replace(sung=_sung(table, found, thresholds))


def raised(table: Table, model: Fitted) -> F64:
    """Scores as they count where fusion only raises [rows, labels]."""
    fused = np.maximum(table.highest, model.scores(table.features))
    found: F64 = np.where(table.joint[:, None], fused, table.highest)
    return found


def lowered(table: Table, model: Fitted) -> F64:
    """Scores as they count where a song lowers too [rows, labels]."""
    sung = table.features[:, :, FEATURES.index("sung")] >= SUNG
    quoted = np.isin(LABELS, QUOTED_ANSWERS)
    found: F64 = np.where(
        sung & quoted & table.joint[:, None], model.scores(table.features), raised(table, model)
    )
    return found


def meeting(table: Table, scores: F64, thresholds: Mapping[str, float]) -> float:
    """Share of rows in which any label meets its threshold; 0 without rows."""
    if not len(scores):
        return 0.0
    over = [np.round(scores[:, COLUMN[label]], 4) >= at for label, at in thresholds.items()]
    return float(np.any(over, axis=0).mean())


def auprc(truth: Bools, scores: F64, weight: F64 | None = None) -> float:
    """Average precision, ties taken together, as scikit-learn's; in one sort, for it is asked very often."""
    order = np.argsort(-scores, kind="stable")
    counted = np.ones(len(truth)) if weight is None else weight
    hits, rows = np.cumsum((counted * truth)[order]), np.cumsum(counted[order])
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    hits, rows = hits[ends], rows[ends]
    gained = np.diff(hits, prepend=0.0)
    return float((gained * hits / np.maximum(rows, 1e-12)).sum() / max(float(hits[-1]), 1e-12))


def _ranked(table: Table) -> Iterable[tuple[Bools, int, Bools]]:
    """Rows, column and truth of every label that has enough of both answers in a recipe."""
    recipes = table.column("recipe")
    for recipe in sorted(set(recipes)):
        for column in range(len(LABELS)):
            rows = (recipes == recipe) & (table.truth[:, column] != UNKNOWN)
            truth = table.truth[rows, column] == 1
            if min(truth.sum(), (~truth).sum()) >= LEAST:
                yield rows, column, truth


def _sung(table: Table, model: Fitted, thresholds: Mapping[str, float]) -> float:
    """The least weight with which hardly any quoted line fitted on meets a threshold."""
    songs = table.part((table.column("recipe") == LYRIC) & table.joint)
    sung = songs.part(songs.features[:, 0, FEATURES.index("sung")] >= SUNG)
    quoted = {label: at for label, at in thresholds.items() if label in QUOTED_ANSWERS}
    if not len(sung.cases) or not quoted:
        return 0.0
    tried = (model._replace(sung=weight) for weight in SUNG_WEIGHTS)
    return next(
        (one.sung for one in tried if meeting(sung, lowered(sung, one), quoted) <= STILL), SUNG_WEIGHTS[-1]
    )
