"""Scored rows as policies see them: columns per label, and how the rows came to be labelled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.errors import ConfigurationError
from spotsafe.core.signals import Cause
from spotsafe.evaluation.metrics import sampled
from spotsafe.evaluation.metrics.columns import POSITIVE_FROM, Bools
from spotsafe.evaluation.metrics.estimate import Estimate, refusal
from spotsafe.evaluation.metrics.intervals import proportion
from spotsafe.evaluation.metrics.sampled_labels import SampledLabels
from spotsafe.evaluation.runs import layout
from spotsafe.evaluation.runs.run import ScoredRun

Floats = NDArray[np.floating]
Codes = NDArray[np.integer]


class Sampling(NamedTuple):
    """How rows were chosen, where it was by score: *inclusion* per row (NaN: unknown), *strata* per row or
    None."""

    inclusion: Floats
    strata: Codes | None


class Grouping(NamedTuple):
    """A way to divide rows: *codes* index *values*; negative: in none."""

    codes: Codes
    values: tuple[str, ...]


class PolicyData:
    """Columns of *size* rows, memory-mapped ones too.

    *scores* per label, NaN where missing; *causes* per label, codes of
    :data:`spotsafe.evaluation.runs.layout.CAUSES` that say why; *truth* per label, 0..1, NaN where not
    annotated; *kinds* divides rows by kinds of their parts (``text``, ``image+text``; None: all are text);
    *groupings* by language and the like; *ids* gives the ids of rows by position.
    """

    __slots__ = ("causes", "groupings", "ids", "kinds", "sampling", "scores", "size", "truth")

    def __init__(
        self,
        scores: Mapping[str, Floats],
        *,
        causes: Mapping[str, Codes] | None = None,
        truth: Mapping[str, Floats] | None = None,
        kinds: Grouping | None = None,
        groupings: Mapping[str, Grouping] | None = None,
        ids: Callable[[Sequence[int]], list[str]] | None = None,
        sampling: Sampling | None = None,
    ) -> None:
        self.scores, self.causes, self.truth = dict(scores), dict(causes or {}), dict(truth or {})
        self.kinds, self.groupings, self.sampling = kinds, dict(groupings or {}), sampling
        self.ids = ids or (lambda rows: [str(row) for row in rows])
        columns = (*self.scores.values(), *self.causes.values(), *self.truth.values())
        sizes = {column.shape for column in columns}
        if len(sizes) != 1 or len(next(iter(sizes))) != 1:
            raise ConfigurationError("policy data need scores, and columns of one length")
        self.size = int(next(iter(sizes))[0])

    def __len__(self) -> int:
        return self.size

    def violating(self, labels: Sequence[str]) -> tuple[Bools, Bools]:
        """Which rows are known to violate one of *labels*, and which are known to violate none: every label
        that the data annotate anywhere is annotated in the row, and none is right."""
        bad, clean = np.zeros(self.size, np.bool_), np.ones(self.size, np.bool_)
        told = False
        for label in labels:
            if label not in self.truth:
                continue
            column = np.asarray(self.truth[label])
            unknown = np.isnan(column)
            if unknown.all():
                continue
            told = True
            with np.errstate(invalid="ignore"):
                bad |= column >= POSITIVE_FROM
            clean &= ~unknown
        return bad, clean & ~bad if told else np.zeros(self.size, np.bool_)

    def settled(self, labels: Sequence[str]) -> Bools:
        """Rows in which each of *labels* that the data annotate anywhere is annotated: those whose truth is
        known whatever it is. Precision counts over them: a row that one label shows to violate, while the
        others are unknown, has no clean counterpart, and such rows alone would make any rule look right."""
        found, told = np.ones(self.size, np.bool_), False
        for label in labels:
            if label in self.truth and not (unknown := np.isnan(np.asarray(self.truth[label]))).all():
                found &= ~unknown
                told = True
        return found if told else np.zeros(self.size, np.bool_)

    def unsupported(self, labels: Sequence[str]) -> tuple[str, ...]:
        """Which of *labels* have no score in any row because what scored them never gives them."""
        code = layout.CAUSE_CODES[Cause.UNSUPPORTED]
        held = [label for label in labels if label in self.scores and label in self.causes]
        return tuple(
            label
            for label in held
            if bool((np.asarray(self.causes[label]) == code).all())
            and bool(np.isnan(np.asarray(self.scores[label])).all())
        )

    def share(self, held: Bools, of: Bools | None = None, *, what: str = "rows") -> Estimate:
        """The share of the rows *of* (None: all) that are in *held* too: with a Wilson interval, or where
        rows were chosen by score as a Hájek estimate, refused where that is."""
        inside = np.ones(self.size, np.bool_) if of is None else of
        top = held & inside
        if self.sampling is None:
            return proportion(int(top.sum()), int(inside.sum()), what=what)
        if np.isnan(self.sampling.inclusion).any():
            return refusal("rows were chosen by score and some lack their inclusion probability", n=self.size)
        labels = SampledLabels(top, self.sampling.inclusion, strata=self.sampling.strata)
        return sampled.share(labels, lambda truth: (truth * inside, inside.astype(np.float64)), what)


def unscored(run: ScoredRun, labels: Sequence[str]) -> tuple[str, ...]:
    """Which of *labels* the run was not asked for although its detector may give them, or did not say."""
    gives = run.meta.gives
    return tuple(x for x in labels if x not in run.labels and (gives is None or x in gives))


def policy_data(run: ScoredRun, labels: Sequence[str] = ()) -> PolicyData:
    """The columns of a scored run; nothing is copied. Of *labels*, which policies read, those that the run
    lacks and its detector can never give are missing in every row as ``unsupported``, as in the product."""
    lacking = set(unscored(run, labels))
    never = [label for label in labels if label not in run.labels and label not in lacking]
    empty = np.broadcast_to(np.float32(np.nan), (len(run),))
    code = np.uint8(layout.CAUSE_CODES[Cause.UNSUPPORTED])
    scores = {label: run.scores(label) for label in run.labels}
    causes = {label: run.causes(label) for label in run.labels}
    categories = {
        name: Grouping(run.category(name).codes, run.category(name).values)
        for name in run.meta.categories
        if name not in (layout.MODALITY, layout.STRATUM)
    }
    kinds = run.category(layout.MODALITY) if layout.MODALITY in run.meta.categories else None
    sampling = None
    if run.meta.sampled:
        known = layout.STRATUM in run.meta.categories
        sampling = Sampling(run.inclusion, run.category(layout.STRATUM).codes if known else None)
    return PolicyData(
        {**scores, **dict.fromkeys(never, empty)},
        causes={**causes, **dict.fromkeys(never, np.broadcast_to(code, (len(run),)))},
        truth={label: run.truth(label) for label in run.labels},
        kinds=None if kinds is None else Grouping(kinds.codes, kinds.values),
        groupings={name.removeprefix(layout.SLICE): found for name, found in categories.items()},
        ids=run.ids,
        sampling=sampling,
    )
