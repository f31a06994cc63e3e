"""Phrases, windows, and which of them carry a score."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotsafe.core.signals import Cause, TimeRange
from spotsafe.detectors.audio.findings import MOST, NOTABLE, Found, strongest
from spotsafe.detectors.audio.recogniser import Word
from spotsafe.detectors.audio.transcript import SCENE, WINDOW, Phrase, phrases, scored, windows
from spotsafe.testing import FakeDetector

LABEL = "harass.bullying"


def words(text: str, *, start: float = 0.0, each: float = 0.5) -> list[Word]:
    """One word of *text* after the other."""
    return [
        Word(start + index * each, start + (index + 1) * each, f" {word}")
        for index, word in enumerate(text.split())
    ]


def test_phrases_end_with_sentences_and_pauses() -> None:
    """A full stop, a pause and a hundred characters end a phrase; the times are those of its words."""
    said = [*words("Good morning. You are"), *words("late", start=4.0), *words("word " * 30, start=4.5)]
    found = phrases(said)
    assert [phrase.text for phrase in found][:2] == ["Good morning.", "You are"]
    assert [(phrase.start, phrase.end) for phrase in found][:2] == [(0.0, 1.0), (1.0, 2.0)]
    assert all(len(phrase.text) <= 105 for phrase in found)


phrase_lists = st.lists(st.tuples(st.floats(0, 9), st.integers(1, 150)), max_size=40).map(
    lambda some: [
        Phrase(start, start + 1.0, "x" * length)
        for start, (_, length) in zip(_starts([gap for gap, _ in some]), some, strict=True)
    ]
)


def _starts(gaps: list[float]) -> list[float]:
    found, now = [], 0.0
    for gap in gaps:
        now += gap
        found.append(now)
        now += 1.0
    return found


@given(phrase_lists)
def test_windows_cover_everything_that_was_said(said: list[Phrase]) -> None:
    """Every phrase is in a window; windows move on, stay short, and span no long silence."""
    found = windows(said)
    assert {index for part in found for index in part} == set(range(len(said)))
    assert all(before.start < after.start for before, after in itertools.pairwise(found))
    for part in found:
        assert len(part) == 1 or sum(len(said[index].text) + 1 for index in part) - 1 <= WINDOW
        for index in part[1:]:
            assert said[index].start - said[index - 1].end < SCENE


def test_the_phrases_that_carry_a_score_are_told() -> None:
    """Of a window with one insult, the stretch is that of the insult; the score is the window's."""
    said = [
        Phrase(0, 3, "Welcome to the show."),
        Phrase(3, 5, "You worthless idiot."),
        Phrase(5, 9, "And now the weather."),
    ]
    found = scored(said, [LABEL], FakeDetector({"idiot": {LABEL: 0.9}}), ("en",))
    assert found.found == [Found(LABEL, 0.9, TimeRange(3, 5))]


def test_what_no_phrase_carries_alone_is_told_as_a_whole() -> None:
    """Where only the phrases together mean something, the stretch is the window."""
    said = [Phrase(0, 3, "Nobody would miss you"), Phrase(3, 5, "if you were gone.")]
    found = scored(said, [LABEL], FakeDetector({"miss you if you": {LABEL: 0.8}}), ("en",))
    assert found.found == [Found(LABEL, 0.8, TimeRange(0, 5))]


def test_low_scores_are_told_once() -> None:
    """Below the notable, only the highest score of a label is given, with its window."""
    said = [Phrase(start, start + 1, "Nothing of note.") for start in range(0, 100, 10)]
    found = scored(said, [LABEL], FakeDetector({"Nothing": {LABEL: NOTABLE / 2}}), ("en",))
    assert [(one.score, one.range) for one in found.found] == [(NOTABLE / 2, TimeRange(0, 1))]


def test_what_the_text_engine_lacks_is_missing() -> None:
    """A cause that the text engine gives for a window is passed on, once."""
    text = FakeDetector()
    text.miss("said", {LABEL: Cause.LANGUAGE})
    found = scored([Phrase(0, 1, "said"), Phrase(9, 10, "said again")], [LABEL], text, ("en",))
    assert (found.found, found.missing) == ([], [(LABEL, Cause.LANGUAGE)])


found_lists = st.lists(
    st.builds(
        lambda score, start, length: Found(LABEL, score, TimeRange(start, start + length)),
        st.floats(0, 1), st.integers(0, 300), st.integers(1, 20),
    )
)  # fmt: skip


@given(found_lists)
def test_the_strongest_findings_do_not_overlap(heard: list[Found]) -> None:
    """The highest score is always among them; the rest is notable, apart from each other, and bounded."""
    kept = strongest(heard)
    assert (max((one.score for one in heard), default=None)) == (kept[0].score if kept else None)
    assert len(kept) <= MOST
    assert all(one.score >= NOTABLE for one in kept[1:])
    places = sorted(one.range for one in kept if one.range)
    assert all(before.end <= after.start for before, after in itertools.pairwise(places))


@pytest.mark.parametrize("one", [Word(0, 1, " secret"), Phrase(0, 1, "secret")], ids=["word", "phrase"])
def test_what_was_said_is_not_shown(one: Word | Phrase) -> None:
    """A representation that ends in a log holds no words."""
    assert "secret" not in repr(one)
