"""A teacher that fills labels which English sets do not annotate.

It is the Jigsaw model inside the package ``toxic-comment-classifier`` (MIT): GloVe-50, a bidirectional LSTM
with 50 units, max-pooling, two dense layers. Only its two data files are read; nothing of it is imported or
unpickled: the vocabulary is taken from the pickle's *opcodes*, the weights from HDF5. Needed for training
only.
"""

from __future__ import annotations

import pickletools
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.errors import ConfigurationError
from spotsafe.learning.text.progress import Progress

F32 = NDArray[np.float32]

OUTPUTS: Mapping[str, int] = {
    "tone.toxic": 0,
    "tone.profanity": 2,
    "violence.threat": 3,
    "harass.bullying": 4,
    "hate.speech": 5,
}
"""Which of its six outputs (toxic, severe_toxic, obscene, threat, insult, identity_hate) fills which
label."""

_LENGTH = 100
_VOCABULARY = 20_000
_FILTERED = str.maketrans(dict.fromkeys('!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n', " "))


class Teacher:
    """Six probabilities per English text."""

    def __init__(self, words: Mapping[str, int], layers: Mapping[str, F32]) -> None:
        self._words = words
        self._layers = layers

    @classmethod
    def installed(cls) -> Teacher:
        """The teacher of the installed package. Raises ConfigurationError with the install line."""
        spec = find_spec("toxic_classifier")
        if spec is None or spec.origin is None:
            raise ConfigurationError(
                "training needs the teacher's weights: pip install --no-deps toxic-comment-classifier==0.3.0"
            )
        folder = Path(spec.origin).parent / "model"
        return cls(
            vocabulary((folder / "tokenizer.pickle").read_bytes()), _layers(folder / "model.weights.h5")
        )

    def scores(self, texts: Sequence[str], progress: Progress, batch: int = 256) -> F32:
        """Probabilities [texts, 6]. Texts of similar length share a batch; the order of the result is
        theirs."""
        ids = [self._ids(text) for text in texts]
        result = np.empty((len(texts), 6), dtype=np.float32)
        order = sorted(range(len(ids)), key=lambda index: len(ids[index]))
        for start in progress.over(range(0, len(order), batch), "teacher"):
            chunk = order[start : start + batch]
            result[chunk] = self._forward([ids[index] for index in chunk])
        return result

    def _ids(self, text: str) -> list[int]:
        words = text.lower().translate(_FILTERED).split()
        return [self._words[word] for word in words if self._words.get(word, _VOCABULARY) < _VOCABULARY][
            -_LENGTH:
        ]

    def _forward(self, ids: Sequence[Sequence[int]]) -> F32:
        # Keras pads on the left with id 0, which has an embedding of its own; all 100 steps are run.
        length = _LENGTH
        padded = np.zeros((len(ids), length), dtype=np.int64)
        for row, entry in enumerate(ids):
            if entry:
                padded[row, -len(entry) :] = entry
        embedded = self._layers["embedding"][padded]
        forward = self._lstm(embedded, "forward")
        backward = self._lstm(embedded[:, ::-1], "backward")
        pooled = np.concatenate([forward, backward], axis=1)
        hidden = np.maximum(pooled @ self._layers["dense"] + self._layers["dense_bias"], 0)
        result: F32 = _sigmoid(hidden @ self._layers["out"] + self._layers["out_bias"])
        return result

    def _lstm(self, embedded: F32, side: str) -> F32:
        """Maximum over time of the hidden state [batch, 50]; gates in Keras' order: input, forget, cell,
        output."""
        recurrent, bias = self._layers[f"{side}_recurrent"], self._layers[f"{side}_bias"]
        inputs = embedded @ self._layers[f"{side}_kernel"] + bias
        units = recurrent.shape[0]
        hidden = np.zeros((len(embedded), units), dtype=np.float32)
        cell = np.zeros_like(hidden)
        best = np.full_like(hidden, -np.inf)
        for step in range(embedded.shape[1]):
            gates = inputs[:, step] + hidden @ recurrent
            opened = _sigmoid(gates)
            cell = opened[:, units : 2 * units] * cell + opened[:, :units] * np.tanh(
                gates[:, 2 * units : 3 * units]
            )
            hidden = opened[:, 3 * units :] * np.tanh(cell)
            np.maximum(best, hidden, out=best)
        return best


def _sigmoid(values: F32) -> F32:
    result: F32 = 0.5 * (np.tanh(0.5 * values) + 1)
    return result


def vocabulary(pickled: bytes) -> dict[str, int]:
    """Word → index of a pickled Keras tokenizer, read from its opcodes without running them.

    The stream sets the attribute ``word_counts`` to (word, count) pairs in order of appearance; Keras numbers
    words by falling count, ties by appearance.
    """
    counts: dict[str, int] = {}
    word: str | None = None
    inside = False
    for opcode, argument, _ in pickletools.genops(pickled):
        if opcode.name.endswith("UNICODE"):
            if inside and argument == "word_docs":
                break
            if argument == "word_counts":
                inside, word = True, None
            elif inside:
                word = str(argument)
        elif inside and word is not None and opcode.name.startswith("BININT"):
            counts[word], word = int(str(argument)), None
    ordered = sorted(counts, key=counts.__getitem__, reverse=True)
    return {word: index for index, word in enumerate(ordered, 1)}


def _layers(path: Path) -> dict[str, F32]:
    import h5py

    both = "layers/bidirectional"
    places = {
        "embedding": "layers/embedding/vars/0",
        "dense": "layers/dense/vars/0",
        "dense_bias": "layers/dense/vars/1",
        "out": "layers/dense_1/vars/0",
        "out_bias": "layers/dense_1/vars/1",
    }
    for side in ("forward", "backward"):
        for name, index in (("kernel", 0), ("recurrent", 1), ("bias", 2)):
            places[f"{side}_{name}"] = f"{both}/{side}_layer/cell/vars/{index}"
    with h5py.File(path, "r") as stored:
        return {name: np.asarray(stored[place], dtype=np.float32) for name, place in places.items()}
