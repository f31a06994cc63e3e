"""Who is named must not decide: a text does not score higher for naming this group rather than that.

Models learn from texts in which some groups are named mostly by those who hate them, so a name alone raises
scores. Garg et al. 2019, "Counterfactual Fairness in Text Classification through Robustness" (AIES), measure
that by swapping names, and train it away; here names are swapped while judging. A window that names a group
neutrally, and that a label of :data:`SENSITIVE` finds loud enough to matter, is read again with each name of
a small panel in its place. What it scores above the mean of those readings it owes to the
name, and that is taken off. Nothing is raised: hate is often about one group's cliché and makes no sense of
another (Garg et al. call such swaps asymmetric), so a mean above is no proof of harm.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import log
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.detectors.text.identity_terms import ALIASES, GROUPS, PANEL
from spotsafe.detectors.text.labels import LABELS

F32 = NDArray[np.float32]

OWN = "hate.against_women"
"""A label about who is named: it stays as it is."""

SENSITIVE: NDArray[np.bool_] = np.array(
    [label.startswith(("hate.", "harass.", "violence.")) and label != OWN for label in LABELS]
)
"""Labels [labels] that who is named must not decide."""

FLOOR = 0.35
"""The score from which a label matters; the shipped policies act on these labels from 0.4 on."""

_FLOOR = np.float32(log(FLOOR / (1 - FLOOR)))

MOST = 4 * len(PANEL)
"""Swapped windows of one text, at most; those of its loudest windows come first."""


class Mention(NamedTuple):
    """A name in a text: half-open range, adjective of the group and form (index into a ``Group``)."""

    start: int
    end: int
    group: str
    form: int


def _names() -> dict[str, tuple[str, int]]:
    found = dict(ALIASES)
    for form in (2, 1, 0):  # a word that is noun and adjective counts as an adjective
        found |= {group[form]: (name, form) for name, group in GROUPS.items()}
    return found


_NAMES = _names()
_NAME = re.compile(rf"(?<!\w)(?:{'|'.join(sorted(map(re.escape, _NAMES), key=len, reverse=True))})(?!\w)")


def mentions(text: str) -> list[Mention]:
    """Groups named in normalised *text*, in its order."""
    return [Mention(match.start(), match.end(), *_NAMES[match.group()]) for match in _NAME.finditer(text)]


def swapped(text: str) -> list[str]:
    """Normalised *text* with other names: each of the panel's groups in turn for the first group named, the
    next of the panel for the second, and so on. So it does not show in them who was named, and two groups
    remain two. Empty where nobody is named."""
    named = mentions(text)
    return [_turned(text, named, turn) for turn in range(len(PANEL))] if named else []


def _turned(text: str, named: Sequence[Mention], turn: int) -> str:
    order = list(dict.fromkeys(mention.group for mention in named))
    found, at = [], 0
    for mention in named:
        group = PANEL[(order.index(mention.group) + turn) % len(PANEL)]
        found += [text[at : mention.start], group[mention.form]]
        at = mention.end
    return "".join([*found, text[at:]])


def is_loud(logits: F32) -> bool:
    """Whether *logits* [labels] of a window are worth swapping names in it."""
    return bool((logits[SENSITIVE] >= _FLOOR).any())


def evened(logits: F32, swaps: F32) -> F32:
    """*logits* [labels] of a window without what it owes to the names in it; *swaps* [panel, labels]: what
    its readings with other names are given."""
    result: F32 = np.where(SENSITIVE & (logits >= _FLOOR), np.minimum(logits, swaps.mean(axis=0)), logits)
    return result
