"""What a run's folder holds: names of the columns, codes of causes, and the description beside them.

====================  ==============================  ===================================================
file                  array                           what
====================  ==============================  ===================================================
``meta.json``                                         :class:`Meta`; written last, so it marks the run whole
``truth.npy``         float32 ``[labels, rows]``      annotation in [0, 1]; NaN: not annotated
``scores.npy``        float32 ``[labels, rows]``      score in [0, 1]; NaN: missing
``causes.npy``        uint8 ``[labels, rows]``        0, or why a score is missing (:data:`CAUSES`)
``categories.npy``    int32 ``[categories, rows]``    index into the category's values; -1: none
``ids.npy``           uint8 ``[bytes]``               the ids of the rows in UTF-8, end to end
``id_ends.npy``       int64 ``[rows]``                where each id ends in them
``inclusion.npy``     float64 ``[rows]``              probability to be labelled; NaN: none given
``groups.npy``        int64 ``[rows]``                rows that belong together have one number; 0: alone
``spans.npy``         :data:`SPAN` ``[spans]``        places, annotated and found
====================  ==============================  ===================================================

No content is kept: a report that shows some reads the data set again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spotsafe.core.errors import ConfigurationError
from spotsafe.core.signals import Cause

FORMAT = 1
META = "meta.json"
TRUTH, SCORES, CAUSES_FILE, CATEGORIES = "truth", "scores", "causes", "categories"
IDS, ID_ENDS, INCLUSION, GROUPS, SPANS = "ids", "id_ends", "inclusion", "groups", "spans"

CAUSES: tuple[Cause | None, ...] = (None, *Cause)
"""Code → cause. 0 is none; a code never changes its meaning (a test pins them)."""

CAUSE_CODES: dict[Cause, int] = {cause: code for code, cause in enumerate(CAUSES) if cause is not None}

SPAN = np.dtype(
    [("row", "<i8"), ("label", "<i4"), ("kind", "u1"), ("start", "<i4"), ("end", "<i4"), ("score", "<f4")]
)
"""One place: *row* and *label* as indexes, *start* and *end* in code points, *kind* one of the next three."""

ANNOTATED, TRUE_SPAN, FOUND_SPAN = 0, 1, 2
"""That a row's places were annotated for a label (possibly none), one that is right, one that was found."""

LANGUAGE, MODALITY, STRATUM = "language", "modality", "stratum"
"""Categories that every run has; the data set's slices come beside them as ``slice:NAME``."""

SLICE = "slice:"
MAX_VALUES = 2000
"""A slice with more values than this is no slice but free text: it is left out, and said to be."""


LOCAL, FUSED = "local", "+fused."
"""How the local engine's id begins, and what stands in its version before that of its fusion model."""


class Meta(NamedTuple):
    """What a run is of. *detector*, the version that was *asked* for (as vendors' ``latest``) and the
    *versions* that answered (more than one where it changed on the way), *dataset*
    and its *digest* (SHA-256, hex), *labels* in the order of the columns, *limit* rows at most; then what
    came of it: *rows*, *row_digest* (SHA-256 over the ids), *categories* (name → values by index),
    *left_out* (slices with too many values), *seconds* spent with the detector; *sampled* as the data set
    says; *created* is Unix time; *product* the version of spotsafe; *gives* the labels that the detector said
    it can give, None where it did not say."""

    detector: str
    versions: tuple[str, ...]
    dataset: str
    digest: str
    labels: tuple[str, ...]
    limit: int | None = None
    sampled: bool = False
    rows: int = 0
    row_digest: str = ""
    categories: Mapping[str, tuple[str, ...]] = {}
    left_out: tuple[str, ...] = ()
    seconds: float = 0.0
    created: float = 0.0
    product: str = ""
    source: Mapping[str, Any] = {}
    asked: str = ""
    gives: tuple[str, ...] | None = None

    @property
    def join(self) -> str | None:
        """How the scores of several parts and senses became one: ``highest score``, or ``fused`` with the
        model's version, as the local engine's version has it; None where only the detector knows."""
        if self.detector.partition(".")[0] != LOCAL:
            return None
        found = {_join(version) for version in self.versions}
        return ", ".join(sorted(found)) or None

    @property
    def identity(self) -> dict[str, Any]:
        """What must be equal for an interrupted run to be taken up again."""
        return {
            "detector": self.detector,
            "dataset": self.dataset,
            "digest": self.digest,
            "labels": list(self.labels),
            "limit": self.limit,
        }

    def to_json(self) -> dict[str, Any]:
        """The fields by name, for JSON."""
        fields = self._asdict()
        fields["categories"] = {name: list(values) for name, values in self.categories.items()}
        for name in ("versions", "labels", "left_out"):
            fields[name] = list(fields[name])
        fields["gives"] = None if self.gives is None else list(self.gives)
        return {"format": FORMAT, **fields, "join": self.join}


def _join(version: str) -> str:
    _, fused, model = version.partition(FUSED)
    return f"fused {model}" if fused else "highest score"


def write_meta(folder: Path, meta: Meta, name: str = META) -> None:
    """Write *meta* so that a reader sees it whole or not at all."""
    whole = folder / name
    part = whole.with_suffix(".part")
    part.write_text(json.dumps(meta.to_json(), ensure_ascii=False, indent=1) + "\n", "utf-8")
    part.replace(whole)


def read_meta(folder: Path, name: str = META) -> Meta | None:
    """What :func:`write_meta` wrote, None where there is nothing. Raises ConfigurationError."""
    path = folder / name
    try:
        fields = json.loads(path.read_text("utf-8"))
        if fields.pop("format") != FORMAT:
            raise ConfigurationError(f"{path}: written by another version of spotsafe; score the data again")
        fields.pop("join", None)  # follows from the versions
        fields["categories"] = {key: tuple(values) for key, values in fields["categories"].items()}
        for key in ("versions", "labels", "left_out"):
            fields[key] = tuple(fields[key])
        fields["gives"] = None if fields.get("gives") is None else tuple(fields["gives"])
        return Meta(**fields)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError, NotADirectoryError):
        raise ConfigurationError(
            f"{path}: not the description of a run; name the folder that `spotsafe eval run --out` wrote"
        ) from None
