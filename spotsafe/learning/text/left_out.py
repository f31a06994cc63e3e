"""Whole sets left out: how the models do on sources that they have never seen.

Held-out rows of a known set flatter (its style is known); these figures do not. Each group of sets
(``left_out`` in the registry) is measured by models fitted without it.
"""

from __future__ import annotations

import numpy as np

from spotsafe.detectors.text.features import joined
from spotsafe.learning.text import corpus, fit_heads, fit_ngrams, measure
from spotsafe.learning.text.progress import Progress
from spotsafe.learning.text.stack import stacked

NGRAM_EPOCHS = 3


def figures(
    whole: corpus.Corpus, groups: dict[str, int], *, seed: int, progress: Progress
) -> list[measure.Figure]:
    """Figures per label and set. *groups*: set → number of its group; sets with 0 are never left out."""
    sources = whole.column("source")
    inputs = joined(whole.embeddings, whole.counts)
    number_of = np.array([groups.get(str(source), 0) for source in sources])
    found = []
    for number in sorted(set(groups.values()) - {0}):
        out = number_of == number
        fitted = np.flatnonzero(~out & ~whole.held_out)
        if not out.any() or not len(fitted):
            continue
        targets = corpus.balanced(corpus.part(whole.targets, fitted))
        ngrams = fit_ngrams.fit(
            whole.ngrams[fitted],
            whole.counts[fitted],
            targets,
            seed=seed,
            progress=progress,
            epochs=NGRAM_EPOCHS,
        )
        head = fit_heads.fit(inputs[fitted], targets, seed=seed, progress=progress)
        logits = stacked(fit_heads.predict(head, inputs), ngrams.logits(whole.ngrams, whole.counts))[-1]
        found += [entry for entry in measure.by_group(whole, logits, sources, out) if entry.auroc is not None]
    return found
