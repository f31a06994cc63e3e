"""Functional tests: for each way of writing that a detector must get right, the share that it gets right.

The idea and the name are HateCheck's (Röttger et al., ACL 2021): a functionality is a small set of rows that
differ in one respect, so that a failure says what is not understood.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from spotsafe.core.errors import ConfigurationError
from spotsafe.evaluation.metrics.columns import judged
from spotsafe.evaluation.metrics.estimate import Estimate
from spotsafe.evaluation.metrics.intervals import proportion


class Functionality(NamedTuple):
    """One functionality: what its rows are *expected* to be (``positive``, ``negative`` or ``mixed``) and the
    share of them that is flagged as expected."""

    name: str
    expected: str
    figure: Estimate


def functional_tests(
    truth: ArrayLike, scores: ArrayLike, threshold: float, codes: ArrayLike, names: Sequence[str]
) -> list[Functionality]:
    """Pass rates with Wilson intervals, in the order of *names*. *codes* index *names* per row; a negative
    code is no functionality. Functionalities without rows are left out."""
    rows = judged(truth, scores)
    group = np.asarray(codes)
    if group.shape != rows.truth.shape or (len(group) and group.max() >= len(names)):
        raise ConfigurationError("codes must be one index into names per row")
    inside = group >= 0
    right = (rows.scores >= threshold) == rows.truth
    sizes, passed, positive = (
        np.bincount(group[inside & mask], minlength=len(names))
        for mask in (np.ones(rows.n, np.bool_), right, rows.truth)
    )
    found = []
    for index, name in enumerate(names):
        size, held = int(sizes[index]), int(positive[index])
        if size:
            expected = "positive" if held == size else "mixed" if held else "negative"
            found.append(Functionality(name, expected, proportion(int(passed[index]), size, positives=held)))
    return found
