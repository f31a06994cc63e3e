"""The fusion model: a logistic regression per label over the features, and the constellations of senses in
which it was shown to be better than the highest score."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.errors import ConfigurationError
from spotsafe.core.labels import LABELS
from spotsafe.detectors.fusion.features import EMBEDDED, FEATURES
from spotsafe.detectors.fusion.senses import SEEN, SENSES

F32 = NDArray[np.float32]
Flags = NDArray[np.bool_]

WEIGHTS = "fusion.npz"

REMEDY = "rebuild it with `spotsafe train fusion` or reinstall spotsafe"

MOST_SEVERE = 4
"""Labels of this severity are never lowered, whatever was measured; but for :data:`ADDRESSED`."""

ADDRESSED = "violence.threat"
"""A threat is made to somebody, the line of a song to nobody. All else as severe is so whoever sings it."""

PERSONAL = "privacy."
"""Nor are labels of personal data: they are found where they stand, whatever stands beside them."""

DIGITS = 4
"""Scores are rounded, so that the order of a batch does not show in them."""


def shipped() -> Path:
    """The folder of the weights that come with the package, where a model comes with it."""
    return Path(__file__).parent / "weights"


def constellation(worded: Collection[str], *, seen: bool) -> str:
    """The senses that meet, as in ``typed+read``: those with words (*worded*); where only one has any, with
    ``seen`` if there is something to see. Empty where nothing meets."""
    met = [sense for sense in SENSES if sense in worded]
    if len(met) == 1 and seen:
        met.append(SEEN)
    return "+".join(met) if len(met) > 1 else ""


def is_lowerable(label: str) -> bool:
    """Whether a model may lower *label* at all."""
    severe = LABELS[label].severity >= MOST_SEVERE and label != ADDRESSED
    return not severe and not label.startswith(PERSONAL)


def weights_of(version: str) -> str:
    """The text engine's weights, out of its *version* (code, then weights)."""
    return version.partition("-")[2]


class FusionModel(NamedTuple):
    """What was learnt: *coefficients* [labels, features] and *bias* [labels] of the logits. *raises* and
    *lowers* [labels, constellations]: where the fused score may stand above, and below, the highest.
    *text*: the text engine's weights whose scores it was fitted on, see :func:`weights_of`. *song*: from
    which value of the feature *sung* on a score may be lowered."""

    labels: tuple[str, ...]
    coefficients: F32
    bias: F32
    constellations: tuple[str, ...]
    raises: Flags
    lowers: Flags
    text: str
    song: float = 0.0
    version: str = ""

    @classmethod
    def load(cls, folder: Path) -> FusionModel:
        """The model in *folder*. Raises ConfigurationError where the file is absent or does not fit."""
        path = folder / WEIGHTS
        try:
            data = path.read_bytes()
            with np.load(io.BytesIO(data), allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            model = _model(arrays, hashlib.sha256(data).hexdigest()[:12])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ConfigurationError(
                f"{path}: no fusion model that fits this version ({type(error).__name__}: {error}); {REMEDY}"
            ) from None
        return model

    @classmethod
    def found(cls, folder: Path) -> FusionModel | None:
        """The model in *folder*, or None where there is no such file. Raises ConfigurationError as
        :meth:`load`."""
        return cls.load(folder) if (folder / WEIGHTS).is_file() else None

    @classmethod
    def fitting(cls, folder: Path, text: str) -> FusionModel | None:
        """As :meth:`found`, for a text engine of that version. Raises ConfigurationError, too, where the
        model was fitted on the scores of other weights."""
        model = cls.found(folder)
        if model is not None and model.text != weights_of(text):
            raise ConfigurationError(
                f"{folder / WEIGHTS}: fitted on the text engine's weights {model.text}, not on "
                f"{weights_of(text)}; remove it or {REMEDY}"
            )
        return model

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What :meth:`load` reads, to be written as an npz."""
        return {
            "labels": np.array(self.labels, np.str_),
            "features": np.array(FEATURES, np.str_),
            "coefficients": self.coefficients.astype(np.float32),
            "bias": self.bias.astype(np.float32),
            "constellations": np.array(self.constellations, np.str_),
            "raises": self.raises,
            "lowers": self.lowers,
            "text": np.array(self.text, np.str_),
            "song": np.array(self.song, np.float32),
        }

    @property
    def embeds(self) -> bool:
        """Whether it reads a feature that needs embeddings."""
        return any(self.coefficients[:, FEATURES.index(name)].any() for name in EMBEDDED & {*FEATURES})

    def asked(self, constellation: str) -> tuple[str, ...]:
        """The labels that it has something to say of where these senses meet."""
        if constellation not in self.constellations:
            return ()
        column = self.constellations.index(constellation)
        wanted = self.raises[:, column] | self.lowers[:, column]
        return tuple(label for label, said in zip(self.labels, wanted.tolist(), strict=True) if said)

    def may_raise(self, label: str, constellation: str) -> bool:
        """Whether *label*'s fused score counts where it is the highest."""
        return self._flag(self.raises, label, constellation)

    def may_lower(self, label: str, constellation: str) -> bool:
        """Whether *label*'s fused score counts where it is not."""
        return self._flag(self.lowers, label, constellation)

    def is_song(self, features: F32) -> bool:
        """Whether a title with these *features* is the line of the song that is heard, so that a score may be
        lowered."""
        return bool(features[FEATURES.index("sung")] >= self.song)

    def fused(self, features: Mapping[str, F32]) -> dict[str, float]:
        """Label → score in [0, 1], for the labels of *features* (vectors of FEATURES) that it knows."""
        found = {}
        for row, label in enumerate(self.labels):
            if label in features:
                logit = float(self.coefficients[row] @ features[label] + self.bias[row])
                found[label] = round(0.5 * (1.0 + float(np.tanh(logit / 2.0))), DIGITS)
        return found

    def _flag(self, flags: Flags, label: str, constellation: str) -> bool:
        if label not in self.labels or constellation not in self.constellations:
            return False
        return bool(flags[self.labels.index(label), self.constellations.index(constellation)])


def _model(arrays: Mapping[str, NDArray[Any]], version: str) -> FusionModel:
    labels, met = tuple(map(str, arrays["labels"])), tuple(map(str, arrays["constellations"]))
    if tuple(map(str, arrays["features"])) != FEATURES:
        raise ValueError("it reads other features")
    unknown = [label for label in labels if label not in LABELS]
    if unknown:
        raise ValueError(f"unknown label {unknown[0]}")
    wanted = {
        "coefficients": (len(labels), len(FEATURES)),
        "bias": (len(labels),),
        "raises": (len(labels), len(met)),
        "lowers": (len(labels), len(met)),
        "song": (),
    }
    for name, shape in wanted.items():
        if arrays[name].shape != shape or not np.isfinite(arrays[name]).all():
            raise ValueError(f"{name} are not {shape} numbers")
    return FusionModel(
        labels,
        arrays["coefficients"].astype(np.float32),
        arrays["bias"].astype(np.float32),
        met,
        arrays["raises"].astype(np.bool_),
        arrays["lowers"].astype(np.bool_),
        str(arrays["text"]),
        float(arrays["song"]),
        version,
    )
