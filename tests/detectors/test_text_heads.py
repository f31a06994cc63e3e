"""Heads on embeddings: one wide head instead of several."""

from __future__ import annotations

import numpy as np

from spotsafe.detectors.text.heads import Head, Heads


def test_heads_are_the_mean_of_their_members():
    """Fused into one, several heads give the mean of what each gives, for one row or many."""
    random = np.random.default_rng(3)
    members = [
        Head(*(random.normal(size=size).astype(np.float32) for size in ((6, 4), (4,), (4, 3), (3,))))
        for _ in range(3)
    ]
    features = random.normal(size=(10, 6)).astype(np.float32)
    expected = np.mean(
        [
            np.maximum(features @ head.hidden + head.hidden_bias, 0) @ head.out + head.out_bias
            for head in members
        ],
        axis=0,
    )
    fused = Heads(members)
    assert np.allclose(fused.logits(features), expected, atol=1e-5)
    assert np.allclose(fused.logits(features[:1]), expected[:1], atol=1e-5)
