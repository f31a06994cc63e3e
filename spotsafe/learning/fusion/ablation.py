"""What fusion gains over the highest score, on recipes, sets and media that it was not fitted on.

Decided before looking: two folds, fitted on pictures and tested on recordings and films of other sets, and
the other way round; own completions by groups, of which one half is fitted on and the other tested.
``split``, ``completion`` and the ``whole-…`` recipes are each tested by a model that has not met that recipe
in any form. ``lyric`` and its twins are fitted together and tested on other lines, from other sets, over
other songs. The form of the model was chosen on the first half of the compositions (:data:`PILOT`); figures
of the others alone stand beside.

A group of labels may raise a score where, over its labels, both folds, ``split`` and ``completion``, the mean
AUPRC is above that of the highest score *and* above that of the best single sense (95 % interval of the
paired difference above 0, cases drawn by what they were made of), where ``whole-…`` loses at most
:data:`MOST_LOST`, and where harmless pairs do not meet the thresholds of the baseline ``public-ugc`` more
often than by :data:`MOST_RISEN`. A label may lower scores where that gains on ``lyric`` with its twins in the
same way, and of the harmful twins at most :data:`MOST_MISSED` no longer meet a threshold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.detectors.text.labels import COLUMN
from spotsafe.learning.fusion.fit import LEAST, auprc, fit, lowered, raised
from spotsafe.learning.fusion.recipe import LYRICS, OWN, PAIRS, PICTURES, SOUNDS
from spotsafe.learning.fusion.table import F32, UNKNOWN, Bools, Table
from spotsafe.learning.text.progress import Progress

F64 = NDArray[np.float64]

GROUPS: Mapping[str, tuple[str, ...]] = {
    "hate": ("hate.speech", "hate.against_women"),
    "threats": ("violence.threat", "violence.incitement"),
    "harassment": ("harass.bullying", "harass.targeted"),
    "self-harm": ("selfharm.promotion",),
    "sexual": ("sexual.explicit",),
    "instructions": ("illicit.instructions",),
    "prompt attacks": ("ai.prompt_attack",),
    "spam": ("integrity.spam",),
    "tone": ("tone.toxic", "tone.profanity"),
}

TESTED = ("split", "completion")
KEPT = ("whole-typed", "whole-read", "whole-spoken")

PILOT = 0.5
"""Cases drawn up to this place were looked at while the form of the model was chosen."""

MOST_LOST = 0.01
MOST_RISEN = 0.002
MOST_MISSED = 0.01

DRAWS = 1000

WAYS = ("highest", "best sense", "together", "fused", "with embeddings")
"""What is compared. *together*: the words of all senses read as one text, and nothing else; *with
embeddings*: fused, and the likeness of the senses' embeddings may count."""

FUSED = WAYS.index("fused")


class Cell(NamedTuple):
    """One label in one recipe and fold: *truth* and scores per way [ways, rows], and the rows' *groups*."""

    label: str
    recipe: str
    fold: str
    truth: Bools
    scores: F64
    groups: NDArray[np.str_]


class Interval(NamedTuple):
    """A mean with its 95 % interval."""

    value: float
    low: float
    high: float


class Tested(NamedTuple):
    """A fold's rows with scores of every way [ways, rows, labels] as they would count: a model that raises
    gives the higher one of its own score and the highest."""

    fold: str
    table: Table
    scores: F64


def folds(table: Table) -> dict[str, tuple[Bools, Bools]]:
    """Name → rows fitted on, rows tested. Completions: groups at even places of the alphabet with pictures,
    the others with recordings."""
    family, medium, group = (table.column(name) for name in ("family", "medium", "group"))
    stem = np.array([name.partition("/")[0] for name in group])
    even = np.isin(stem, sorted(set(stem[family == OWN]))[::2])
    first = (family == PICTURES) | ((family == OWN) & (medium == "picture") & even)
    second = (family == SOUNDS) | ((family == OWN) & (medium == "sound") & ~even)
    return {"sound": (first, second), "pictures": (second, first)}


def tested(table: Table, thresholds: Mapping[str, float], progress: Progress) -> list[Tested]:
    """Both folds, every recipe scored by models that were fitted without it (songs: without their lines)."""
    found = []
    for name, (fitted, left) in folds(table).items():
        part, rows = table.part(left), table.part(fitted)
        recipes, known = part.column("recipe"), rows.column("recipe")
        ways = [part.highest, part.highest, part.together, part.highest, part.highest]
        scores: F64 = np.stack(ways).astype(np.float64)
        for recipe in progress.over(sorted(set(recipes)), f"ablation, {name}"):
            where = recipes == recipe
            base, unseen = rows.part(~np.isin(known, _left_out(recipe))), part.part(where)
            for way, embeddings in ((FUSED, False), (FUSED + 1, True)):
                model = fit(base, thresholds, embeddings=embeddings)
                scores[way, where] = (lowered if recipe in LYRICS else raised)(unseen, model)
        found.append(Tested(name, part, scores))
    return found


def cells(
    found: Iterable[Tested], recipes: Sequence[str], *, pooled: bool = False, least: int = LEAST
) -> list[Cell]:
    """Every label that has *least* of both answers in a recipe and fold; *pooled*: all recipes in one."""
    made = []
    for one in found:
        names, groups = one.table.column("recipe"), one.table.column("group")
        for taken in [tuple(recipes)] if pooled else [(recipe,) for recipe in recipes]:
            for label, column in COLUMN.items():
                rows = np.isin(names, taken) & (one.table.truth[:, column] != UNKNOWN)
                truth = one.table.truth[rows, column] == 1
                if min(truth.sum(), (~truth).sum()) < least:
                    continue
                scores = one.scores[:, rows, column].copy()
                scores[1] = _best_sense(one.table.scores[rows, :, column], truth)
                made.append(Cell(label, "+".join(taken), one.fold, truth, scores, groups[rows]))
    return made


def after_pilot(found: Iterable[Tested]) -> list[Tested]:
    """The rows alone that were not looked at while the model was designed."""
    kept = []
    for one in found:
        late = np.array([case.drawn >= PILOT for case in one.table.cases], dtype=bool)
        kept.append(Tested(one.fold, one.table.part(late), one.scores[:, late]))
    return kept


def _best_sense(scores: F32, truth: Bools) -> F64:
    """The sense [rows, senses] that ranks best here: chosen with the truth in view, in its favour."""
    ranked = [auprc(truth, scores[:, sense].astype(np.float64)) for sense in range(scores.shape[1])]
    return scores[:, int(np.argmax(ranked))].astype(np.float64)


def compared(found: Sequence[Cell], *, draws: int = DRAWS, seed: int = 1) -> dict[str, Any] | None:
    """Mean AUPRC over cells per way, and the paired differences of *fused* from the other ways, with 95 %
    intervals: what cases were made of is drawn with replacement, the same draw for every way. None without
    cells."""
    if not found:
        return None
    chance = np.random.default_rng(seed)
    plain = np.array([[auprc(cell.truth, way) for way in cell.scores] for cell in found]).mean(axis=0)
    drawn = np.zeros((draws, len(WAYS)))
    for index in range(draws):
        drawn[index] = np.mean([_drawn(cell, chance) for cell in found], axis=0)
    return {
        "cells": len(found),
        "positives": int(sum(cell.truth.sum() for cell in found)),
        "rows": int(sum(len(cell.truth) for cell in found)),
        "auprc": {way: _interval(plain[place], drawn[:, place])._asdict() for place, way in enumerate(WAYS)},
        "gain": {
            way: _interval(plain[FUSED] - plain[place], drawn[:, FUSED] - drawn[:, place])._asdict()
            for place, way in enumerate(WAYS)
            if place != FUSED
        },
    }


def _drawn(cell: Cell, chance: np.random.Generator) -> F64:
    names, member = np.unique(cell.groups, return_inverse=True)
    counts = np.bincount(chance.integers(0, len(names), len(names)), minlength=len(names))
    weight = counts[member].astype(np.float64)
    if not (weight @ cell.truth and weight @ ~cell.truth):
        return np.array([auprc(cell.truth, way) for way in cell.scores])
    return np.array([auprc(cell.truth, way, weight) for way in cell.scores])


def _interval(value: float, drawn: F64) -> Interval:
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Interval(float(value), float(low), float(high))


def found_at(
    found: Sequence[Tested],
    recipes: Sequence[str],
    thresholds: Mapping[str, float],
    *,
    harmful: bool,
    draws: int = DRAWS,
) -> dict[str, dict[str, Any]] | None:
    """Way → share of cases that meet the threshold of a label: *harmful* ones of a label that they have, or
    harmless ones of any label; with a 95 % interval of its difference from the highest score (bootstrap over
    what cases were made of). None without such cases."""
    hits, groups = [], []
    for one in found:
        rows = np.isin(one.table.column("recipe"), recipes)
        over = np.zeros((len(WAYS), int(rows.sum())), dtype=bool)
        asked = np.zeros(int(rows.sum()), dtype=bool)
        for label, at in thresholds.items():
            column = COLUMN[label]
            having = one.table.truth[rows, column] == (1 if harmful else 0)
            over |= having & (np.round(one.scores[:, rows, column], 4) >= at)
            asked |= having
        hits.append(over[:, asked])
        groups.append(one.table.column("group")[rows][asked])
    return _shares(np.concatenate(hits, axis=1), np.concatenate(groups), draws)


def _shares(hits: Bools, groups: NDArray[np.str_], draws: int) -> dict[str, dict[str, Any]] | None:
    if not len(groups):
        return None
    names, member = np.unique(groups, return_inverse=True)
    sums = np.stack([np.bincount(member, way, len(names)) for way in hits.astype(np.float64)])
    counts = np.bincount(member, minlength=len(names))
    chosen = np.random.default_rng(2).integers(0, len(names), (draws, len(names)))
    shares = sums[:, chosen].sum(axis=2) / counts[chosen].sum(axis=1)
    plain = hits.mean(axis=1)
    return {
        way: {
            "share": float(plain[place]),
            "rows": int(hits.shape[1]),
            "difference": _interval(plain[place] - plain[0], shares[place] - shares[0])._asdict(),
        }
        for place, way in enumerate(WAYS)
        if way != "best sense"
    }


def _left_out(recipe: str) -> tuple[str, ...]:
    """The recipes that the model tested on *recipe* must not have met."""
    if recipe in KEPT:
        return KEPT
    return () if recipe in (*LYRICS, PAIRS) else (recipe,)
