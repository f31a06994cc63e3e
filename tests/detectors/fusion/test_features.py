"""What a fusion model sees: pure numbers of scores and words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotsafe.detectors.fusion.features import FEATURES, features, logit
from tests.detectors.fusion.made import BULLYING, SPAM

SCORES = st.floats(0, 1)
SENSES = st.sampled_from(["typed", "read", "spoken", "seen"])


def of(name: str, **given: object) -> float:
    """One feature of one label."""
    asked = {"scores": {}, "together": {BULLYING: 0.5}, "embeddings": {}, "words": {}, "music": 0.0, **given}
    return float(features(**asked)[BULLYING][FEATURES.index(name)])  # type: ignore[arg-type]


@given(
    st.dictionaries(SENSES, st.dictionaries(st.sampled_from([BULLYING, SPAM]), SCORES)),
    st.dictionaries(st.sampled_from([BULLYING, SPAM]), SCORES),
    st.dictionaries(st.sampled_from(["typed", "read", "spoken"]), st.text(max_size=60)),
    SCORES,
)
def test_every_label_of_the_whole_has_finite_numbers(
    scores: dict, together: dict, words: dict, music: float
) -> None:
    """One vector per label, whatever was typed, read and said."""
    vectors = {sense: np.full(512, 512**-0.5, np.float32) for sense in words}
    found = features(scores, together, vectors, words, music)
    assert found.keys() == together.keys()
    for vector in found.values():
        assert vector.shape == (len(FEATURES),)
        assert vector.dtype == np.float32
        assert np.isfinite(vector).all()


def test_a_label_does_not_see_the_others() -> None:
    """What else is asked for changes nothing."""
    scores = {"typed": {BULLYING: 0.3, SPAM: 0.9}, "read": {BULLYING: 0.1, SPAM: 0.2}}
    words = {"typed": "one", "read": "two"}
    alone = features({s: {BULLYING: k[BULLYING]} for s, k in scores.items()}, {BULLYING: 0.6}, {}, words, 0.0)
    both = features(scores, {BULLYING: 0.6, SPAM: 0.4}, {}, words, 0.0)
    np.testing.assert_array_equal(alone[BULLYING], both[BULLYING])


def test_scores_become_logits() -> None:
    """The highest of the senses that know the label, and how far the whole stands above it."""
    scores = {"typed": {BULLYING: 0.3}, "read": {BULLYING: 0.1}, "spoken": {SPAM: 0.9}}
    assert of("highest", scores=scores) == pytest.approx(logit(0.3), rel=1e-5)
    assert of("rise", scores=scores) == pytest.approx(logit(0.5) - logit(0.3), rel=1e-5)
    assert of("rise", scores=scores, together={BULLYING: 0.2}) == 0.0


UP, ASIDE = np.eye(512, dtype=np.float32)[0], np.eye(512, dtype=np.float32)[1]
RISEN = {"scores": {"typed": {BULLYING: 0.3}}, "together": {BULLYING: 0.5}}
RISE = logit(0.5) - logit(0.3)
SINGLE = [
    ("alike", {**RISEN, "embeddings": {"typed": UP, "read": UP, "spoken": ASIDE}}, RISE),
    ("alike", {**RISEN, "embeddings": {"typed": UP, "read": ASIDE}}, 0.0),
    ("alike", {**RISEN, "embeddings": {"typed": UP}}, 0.0),
    ("sung", {"words": {"typed": "Burn it DOWN", "spoken": "we'll burn, burn it down"}, "music": 1.0}, 1.0),
    ("sung", {"words": {"typed": "burn it", "read": "burn"}, "music": 0.5}, 0.25),
    ("sung", {"words": {"typed": "burn it", "spoken": "burn it"}}, 0.0),
    ("sung", {"words": {"read": "burn", "spoken": "burn"}, "music": 1.0}, 0.0),
]


@pytest.mark.parametrize(("name", "given", "value"), SINGLE)
def test_how_the_senses_stand_to_each_other(name: str, given: dict, value: float) -> None:
    """Worked examples of the features that are not scores alone."""
    assert of(name, **given) == pytest.approx(value, rel=1e-5)
