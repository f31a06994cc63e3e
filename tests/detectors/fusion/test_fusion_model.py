"""The file of the fusion model, and what it may say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotsafe.core.errors import ConfigurationError
from spotsafe.detectors.fusion.features import FEATURES
from spotsafe.detectors.fusion.model import (
    WEIGHTS,
    FusionModel,
    constellation,
    shipped,
    weights_of,
)
from spotsafe.detectors.text.engine import TextEngine
from tests.detectors.fusion.made import BULLYING, SPAM, leaning, model, written


def test_a_model_comes_back_as_it_was_written(tmp_path: Path) -> None:
    """All but its version, which the file decides."""
    back, made = FusionModel.load(written(tmp_path)), model({BULLYING: 0.8, SPAM: 0.3})
    for one, other in zip(back[:-1], made[:-1], strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(back.version) == 12


FAULTS = {
    "other features": {"features": np.array(["height", "weight"])},
    "features in another order": {"features": np.array(FEATURES[::-1])},
    "an unknown label": {"labels": np.array([BULLYING, "cake.too_sweet"])},
    "too few coefficients": {"coefficients": np.zeros((2, 1), np.float32)},
    "no bias": {"bias": None},
    "numbers that are none": {"bias": np.array([np.nan, 0.0], np.float32)},
    "flags of other constellations": {"raises": np.ones((2, 7), np.bool_)},
    "pickled objects": {"bias": np.array([{}, []], dtype=object)},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_does_not_fit_is_named_with_its_remedy(tmp_path: Path, fault: str) -> None:
    """One error, with the path and what to do, and no foreign error behind it."""
    folder = written(tmp_path, **FAULTS[fault])
    with pytest.raises(ConfigurationError, match="spotsafe train fusion") as caught:
        FusionModel.load(folder)
    assert str(folder / WEIGHTS) in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("data", [None, b"", b"PK\x03\x04 but no archive", b"text"])
def test_a_file_that_is_absent_or_broken_is_named_with_its_remedy(tmp_path: Path, data: bytes | None) -> None:
    """Whatever stands in its place."""
    if data is not None:
        (tmp_path / WEIGHTS).write_bytes(data)
    with pytest.raises(ConfigurationError, match="reinstall spotsafe") as caught:
        FusionModel.load(tmp_path)
    assert str(tmp_path / WEIGHTS) in str(caught.value)


def test_no_file_is_no_model(tmp_path: Path) -> None:
    """The engine then does without."""
    assert FusionModel.found(tmp_path) is None
    assert FusionModel.fitting(tmp_path, "2-w1") is None
    assert FusionModel.found(written(tmp_path)) is not None


def test_a_model_of_other_text_weights_is_refused(tmp_path: Path) -> None:
    """Its scores would mean something else; the code's version does not matter."""
    folder = written(tmp_path)
    assert FusionModel.fitting(folder, "2-w1") is not None
    assert FusionModel.fitting(folder, "3-w1") is not None
    with pytest.raises(
        ConfigurationError, match="fitted on the text engine's weights w1, not on w2"
    ) as caught:
        FusionModel.fitting(folder, "2-w2")
    assert str(folder / WEIGHTS) in str(caught.value)


def test_what_is_shipped_fits_the_shipped_text_engine() -> None:
    """If a model is shipped at all, it was fitted on the scores of the engine beside it, and is small."""
    text = TextEngine()
    found = FusionModel.fitting(shipped(), text.version)
    assert found is None or (found.text == weights_of(text.version) and found.labels)
    assert found is None or (shipped() / WEIGHTS).stat().st_size < 300_000


@pytest.mark.parametrize(
    "changed", [{"bias": np.array([1.0, 2.0], np.float32)}, {"lowers": np.zeros((2, 2), np.bool_)}]
)
def test_the_version_changes_with_the_model(tmp_path: Path, changed: dict[str, np.ndarray]) -> None:
    """Any other number is another version; the same file is the same."""
    one, again = (FusionModel.load(written(tmp_path / name)).version for name in ("one", "again"))
    assert one == again
    assert FusionModel.load(written(tmp_path / "other", **changed)).version != one


@pytest.mark.parametrize(
    ("worded", "seen", "met"),
    [
        (["typed", "read"], True, "typed+read"),
        (["spoken", "typed"], False, "typed+spoken"),
        (["spoken", "read", "typed"], True, "typed+read+spoken"),
        (["typed"], True, "typed+seen"),
        (["typed"], False, ""),
        ([], True, ""),
    ],
)
def test_senses_meet_where_there_are_two(worded: list[str], seen: bool, met: str) -> None:
    """What is seen counts where only one sense has words."""
    assert constellation(worded, seen=seen) == met


def test_a_model_is_asked_only_where_it_may_speak() -> None:
    """Constellations and labels without a flag cost nothing."""
    made = model({BULLYING: 0.8, SPAM: 0.3}, met=("typed+read", "typed+spoken"))
    made.raises[1, 1] = made.lowers[1, 1] = False
    assert made.asked("typed+read") == (BULLYING, SPAM)
    assert made.asked("typed+spoken") == (BULLYING,)
    assert made.asked("read+spoken") == made.asked("") == ()
    assert not made.may_raise(SPAM, "typed+spoken")
    assert not made.may_lower("hate.speech", "typed+read")


def test_only_a_model_that_reads_embeddings_asks_for_them() -> None:
    """A coefficient of zero is none."""
    assert not leaning(BULLYING, highest=1.0, rise=1.0).embeds
    assert leaning(BULLYING, alike=0.1).embeds


@given(
    st.lists(st.floats(-50, 50, width=32), min_size=len(FEATURES), max_size=len(FEATURES)), st.floats(-9, 9)
)
def test_fused_scores_are_scores(values: list[float], weight: float) -> None:
    """In [0, 1] whatever the features, and for the labels of both alone."""
    made = leaning(BULLYING, **dict.fromkeys(FEATURES, weight))
    vector = np.array(values, np.float32)
    found = made.fused({BULLYING: vector, SPAM: vector})
    assert found.keys() == {BULLYING}
    assert 0.0 <= found[BULLYING] <= 1.0
