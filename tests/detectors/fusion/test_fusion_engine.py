"""When a fused score counts, and when the senses' own scores stand."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotsafe.core.content import Image, Text
from spotsafe.core.errors import Failure
from spotsafe.core.labels import LABELS
from spotsafe.core.seams import DetectRequest
from spotsafe.core.signals import Cause, Missing, Signal, Signals
from spotsafe.detectors.fusion.engine import LONGEST, Fusion
from spotsafe.detectors.fusion.features import FLOOR, logit
from spotsafe.detectors.fusion.model import FusionModel, is_lowerable
from spotsafe.detectors.fusion.senses import Perceived, Sensed
from spotsafe.testing import FakeDetector
from tests.detectors.fusion.made import (
    BULLYING,
    CANARY,
    KILLING,
    NUDITY,
    SPAM,
    THREAT,
    Counting,
    leaning,
    model,
    request,
)

TYPED, READ = Sensed("typed", "title", "You should really"), Sensed("read", "cover", "go and hide")
MEME = request(
    Text(TYPED.text, "title"), Image(b"meme", "cover"), labels=(BULLYING, KILLING, NUDITY, SPAM, THREAT)
)


def said(score: float, *, label: str = BULLYING, part: str = "title", by: str = "local.text") -> Signal:
    return Signal(label, score, part, LABELS[label].severity, by, "1")


def written(score: float, label: str = BULLYING) -> Signal:
    return said(score, label=label, part="cover", by="local.image.text")


def fused(
    made: FusionModel,
    *signals: Signal | Missing,
    asked: DetectRequest = MEME,
    sensed: tuple[Sensed, ...] = (TYPED, READ),
    text: FakeDetector | None = None,
    timeout: float | None = None,
) -> Signals:
    """One content through a fusion of *made*."""
    scores = [one for one in signals if isinstance(one, Signal)]
    missing = [one for one in signals if isinstance(one, Missing)]
    stage = Fusion(text or FakeDetector(kinds=("text",)), made)
    (found,) = stage.joined([asked], [Perceived(Signals(scores, missing, "e1"), sensed)], timeout=timeout)
    return found


def test_what_is_worse_together_is_one_signal_more() -> None:
    """At the part whose sense says most, under an id and version of its own, without evidence."""
    before = said(0.1), written(0.3)
    found = fused(model({BULLYING: 0.8}, lowers=False), *before)
    assert found.scores == (*before, Signal(BULLYING, 0.8, "cover", 2, "local.fused", "m1", ()))
    assert (found.missing, found.engine, found.peaks) == ((), "e1", {BULLYING: 0.8})


def test_what_is_better_together_is_capped() -> None:
    """Each of the label's scores of words comes down to the fused one; lower ones and evidence stay."""
    before = said(0.9)._replace(evidence=((0, 3),)), written(0.2), said(0.9, label=SPAM)
    found = fused(model({BULLYING: 0.3}), *before)
    assert found.scores == (before[0]._replace(score=0.3), *before[1:])


def test_a_threat_is_lowered_as_an_insult_is() -> None:
    """It is made to somebody, the line of a song to nobody; no other label of severity 4 is like that."""
    assert fused(model({THREAT: 0.2}), said(0.9, label=THREAT)).score(THREAT) == 0.2
    severe = {label for label, known in LABELS.items() if known.severity == 4}
    assert {label for label in severe if is_lowerable(label)} == {THREAT}


@pytest.mark.parametrize(
    ("heard", "share", "score"), [("go and hide", 1.0, 0.3), ("go", 0.4, 0.9), ("", 1.0, 0.9)]
)
def test_where_only_songs_lower_a_title_has_to_be_heard_over_music(
    heard: str, share: float, score: float
) -> None:
    """Below the model's bound the score stays."""
    song = Sensed("spoken", "cover", heard or "unrelated talk", share)
    title = Sensed("typed", "title", "go and hide")
    found = fused(model({BULLYING: 0.3})._replace(song=0.3), said(0.9), sensed=(title, song))
    assert found.score(BULLYING) == score


PII = "privacy.pii_exposure"
KNOWN = said(1.0, part="cover", by="local.image.known")
SEEN = said(0.9, part="cover", by="local.image.classes")
NEVER_LOWERED: dict[str, tuple[FusionModel, tuple[Signal | Missing, ...], str]] = {
    "a label of severity 4": (model({KILLING: 0.1}), (said(0.9, label=KILLING),), KILLING),
    "personal data": (
        model({PII: 0.1}), (said(0.9, label=PII),), PII,
    ),
    "what a bank knows": (model({BULLYING: 0.1}), (KNOWN, said(0.05)), BULLYING),
    "what a picture shows": (model({BULLYING: 0.1}), (SEEN, said(0.05)), BULLYING),
    "nudity": (
        model({NUDITY: 0.1}), (said(0.9, label=NUDITY, part="cover", by="local.image.boxes"),), NUDITY,
    ),
    "a label without the flag": (model({BULLYING: 0.1}, lowers=False), (said(0.9),), BULLYING),
    "a label that the model does not know": (model({SPAM: 0.1}, raises=False), (said(0.9),), BULLYING),
    **{
        f"a label of which a sense is missing, {cause.value}": (
            model({BULLYING: 0.1}), (said(0.9), Missing(BULLYING, "cover", cause)), BULLYING,
        )
        for cause in Cause
    },
    **{
        f"content of which something was not looked at, {cause.value}": (
            model({BULLYING: 0.1}), (said(0.9), Missing(SPAM, "cover", cause)), BULLYING,
        )
        for cause in Cause if cause is not Cause.UNSUPPORTED
    },
}  # fmt: skip


@pytest.mark.parametrize("name", NEVER_LOWERED)
def test_what_is_never_lowered(name: str) -> None:
    """Whatever the model says."""
    made, before, label = NEVER_LOWERED[name]
    asked = MEME._replace(labels=tuple(sorted({*MEME.labels, label})))
    found = fused(made, *before, asked=asked)
    signals = [one for one in before if isinstance(one, Signal)]
    assert found == Signals(signals, [one for one in before if isinstance(one, Missing)], "e1")


def test_a_label_that_the_engine_never_gives_hinders_nothing() -> None:
    """Other labels are unsupported in every request."""
    found = fused(model({BULLYING: 0.1}), said(0.9), Missing(SPAM, "cover", Cause.UNSUPPORTED))
    assert found.score(BULLYING) == 0.1


def test_raising_needs_no_sense_to_be_whole() -> None:
    """What is missing stays missing; what is known together counts."""
    lost = Missing(BULLYING, "cover", Cause.TIMEOUT)
    found = fused(model({BULLYING: 0.8}), said(0.2), lost)
    assert (found.score(BULLYING), found.missing) == (0.8, (lost,))
    assert fused(model({BULLYING: 0.8}, raises=False), said(0.2)).score(BULLYING) == 0.2


ALONE: dict[str, tuple[DetectRequest, tuple[Sensed, ...]]] = {
    "text alone": (request(Text("one", "title")), (Sensed("typed", "title", "one"),)),
    "two texts": (
        request(Text("one", "title"), Text("two", "body")),
        (Sensed("typed", "title", "one"), Sensed("typed", "body", "two")),
    ),
    "a picture without words": (request(Text("one", "title"), Image(b"x", "cover")), (TYPED,)),
    "a picture under no words": (
        request(Text("  ", "title"), Image(b"x", "cover")), (TYPED._replace(text=" "), READ),
    ),
    "senses that the model does not know": (MEME, (READ, Sensed("spoken", "clip", "words"))),
    "labels that nobody asks for": (MEME._replace(labels=(SPAM,)), (TYPED, READ)),
    "more words than it learnt from": (MEME, (TYPED, READ._replace(text="go and hide " * (LONGEST // 12)))),
    "another language": (
        MEME,
        (
            TYPED._replace(text="Das ist doch wirklich nicht zu glauben, was hier alles geschrieben wird"),
            READ._replace(text="und niemand hat etwas dagegen gesagt, obwohl alle es gesehen haben"),
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ALONE)
def test_where_senses_do_not_meet_nothing_is_asked_and_nothing_changes(name: str) -> None:
    """The highest score counts, as without a model."""
    asked, sensed = ALONE[name]
    text = Counting(kinds=("text",))
    found = fused(model({BULLYING: 0.9}), said(0.2), asked=asked, sensed=sensed, text=text)
    assert found == Signals([said(0.2)], (), "e1")
    assert text.calls == 0


@pytest.mark.parametrize(
    ("failure", "timeout", "cause"),
    [(None, 0.0, Cause.TIMEOUT), (None, -1.0, Cause.TIMEOUT), (Failure.TIMEOUT, 1.0, Cause.TIMEOUT),
     (Failure.SERVER, None, Cause.ERROR)],
)  # fmt: skip
def test_words_that_nobody_read_together_are_missing(
    failure: Failure | None, timeout: float | None, cause: Cause
) -> None:
    """Beside the senses' own scores, for the labels that would have been fused: never clean."""
    text = FakeDetector(kinds=("text",))
    if failure is not None:
        text.fail(failure)
    found = fused(model({BULLYING: 0.8}), said(0.2), said(0.1, label=SPAM), text=text, timeout=timeout)
    assert found.scores == (said(0.2), said(0.1, label=SPAM))
    assert found.missing == (Missing(BULLYING, "title", cause), Missing(BULLYING, "cover", cause))


def test_a_label_that_failed_for_the_words_together_is_missing() -> None:
    """For it alone; one that is merely out of reach is not fused, and nothing more."""
    text = FakeDetector(kinds=("text",))
    text.miss("go and hide", {BULLYING: Cause.ERROR, SPAM: Cause.LANGUAGE})
    found = fused(model({BULLYING: 0.8, SPAM: 0.8}), said(0.2), said(0.1, label=SPAM), text=text)
    assert found.peaks[BULLYING] == 0.2
    assert found.missing == (
        Missing(BULLYING, "title", Cause.ERROR),
        Missing(BULLYING, "cover", Cause.ERROR),
    )


def test_the_words_are_read_together_in_order() -> None:
    """Typed, then read; for the labels to fuse alone, in the stated languages, without a part's name."""
    text = FakeDetector(kinds=("text",))
    fused(model({BULLYING: 0.8}), said(0.2), text=text)
    (asked,) = text.requests
    assert [part.data for part in asked.content] == ["You should really\ngo and hide"]
    assert (asked.labels, asked.content.languages) == ((BULLYING,), ("en",))


def test_a_label_that_the_words_together_have_no_score_for_is_not_fused() -> None:
    """The text engine could not say; the senses' scores stand."""
    text = FakeDetector(labels=(SPAM,), kinds=("text",))
    assert fused(model({BULLYING: 0.9}), said(0.2), text=text).peaks == {BULLYING: 0.2}


def test_the_model_sees_what_the_senses_and_the_whole_say() -> None:
    """Worked: the highest and its rise to the whole give the whole's score back."""
    text = FakeDetector({"really\ngo": {BULLYING: 0.7}}, kinds=("text",))
    found = fused(leaning(BULLYING, highest=1.0, rise=1.0), said(0.2), written(0.1), text=text)
    assert found.score(BULLYING) == pytest.approx(0.7, abs=1e-4)
    half = fused(leaning(BULLYING, highest=0.5), said(0.9))
    assert half.score(BULLYING) == pytest.approx(1 / (1 + np.exp(-logit(0.9) / 2)), abs=1e-4)


def test_the_model_sees_scores_of_words_alone() -> None:
    """What a picture shows counts beside the fused score, and never in it; nor does an empty text."""
    empty = said(0.8, part="body")
    asked = request(*MEME.content, Text(" ", "body"))
    sure = leaning(BULLYING, highest=2.0)
    assert fused(sure, SEEN, written(0.2)).score(BULLYING) == SEEN.score
    spoken = Sensed("spoken", "clip", "go and hide")
    made = sure._replace(constellations=("read+spoken", "none"))
    found = fused(made, empty, written(0.2), asked=asked, sensed=(READ, spoken))
    assert all(signal.detector != "local.fused" for signal in found.scores)


class Compass:
    """Embeddings of nothing but the first letter; counts the passes."""

    def __init__(self) -> None:
        self.passes = 0

    def encode(self, texts: Any) -> np.ndarray:
        self.passes += 1
        return np.stack([np.eye(512, dtype=np.float32)[ord(text[0]) % 512] for text in texts])


@pytest.mark.parametrize(("weight", "passes"), [(0.0, 0), (1.0, 1)])
def test_embeddings_are_made_only_for_a_model_that_reads_them(weight: float, passes: int) -> None:
    """In one pass for the whole batch."""
    compass = Compass()
    stage = Fusion(FakeDetector(kinds=("text",)), leaning(BULLYING, alike=weight), encoder=lambda: compass)
    perceived = [Perceived(Signals([said(0.2)]), (TYPED, READ))] * 3
    stage.joined([MEME] * 3, perceived)
    assert compass.passes == passes


def test_a_batch_is_read_together_in_one_call() -> None:
    """Contents whose senses do not meet are not in it."""
    text = Counting(kinds=("text",))
    pairs = [(MEME, Perceived(Signals([said(0.2)]), (TYPED, READ))), (MEME, Perceived(Signals(), (TYPED,)))]
    asked, perceived = zip(*(pairs * 3), strict=True)
    Fusion(text, model({BULLYING: 0.8})).joined(asked, perceived)
    assert (text.calls, len(text.requests)) == (1, 3)


WORDS = st.sampled_from(["go and hide", "lovely day", "You should really", ""])
MAYBE = st.none() | st.integers(0, 10_000).map(lambda number: number / 10_000)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(WORDS, WORDS, MAYBE, MAYBE), min_size=1, max_size=5))
def test_a_batch_is_its_contents(contents: list[tuple[str, str, float | None, float | None]]) -> None:
    """Company changes no answer."""
    text = FakeDetector({"hide": {BULLYING: 0.6}}, kinds=("text",))
    stage = Fusion(text, leaning(BULLYING, highest=0.9, rise=0.7))
    asked, perceived = [], []
    for one, two, typed, read in contents:
        asked.append(request(Text(one, "title"), Image(b"x", "cover")))
        scores = [
            *([said(typed)] if typed is not None else []),
            *([written(read)] if read is not None else []),
        ]
        sensed = (Sensed("typed", "title", one), Sensed("read", "cover", two))
        perceived.append(Perceived(Signals(scores, (), "e1"), sensed))
    batch = stage.joined(asked, perceived)
    assert batch == [stage.joined([a], [p])[0] for a, p in zip(asked, perceived, strict=True)]


def test_what_is_nothing_alone_and_together_is_not_raised() -> None:
    """The least that a logit is taken of is no finding."""
    text = FakeDetector({"really": {BULLYING: FLOOR / 4}}, kinds=("text",))
    found = fused(leaning(BULLYING, highest=1.0, rise=1.0), said(0.0001), text=text)
    assert found.scores == (said(0.0001),)


class Case(NamedTuple):
    """A label, its fused score in ten thousandths, its score by each sense, and what the model may do."""

    label: str
    fused: int
    scores: tuple[float | None, ...]
    raises: bool
    lowers: bool
    lost: bool


CASES = st.builds(
    Case,
    st.sampled_from([BULLYING, KILLING, SPAM, THREAT]),
    st.integers(1, 9_999),
    st.tuples(MAYBE, MAYBE, MAYBE, MAYBE),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
PLACES = (
    ("title", "local.text"),
    ("cover", "local.image.text"),
    ("cover", "local.image.classes"),
    ("cover", "local.image.known"),
)


@settings(max_examples=150, deadline=None)
@given(CASES)
def test_the_peak_is_the_fused_score_wherever_it_may_be(case: Case) -> None:
    """Above all scores where it may raise, down to what is never lowered where it may lower."""
    label, score = case.label, case.fused / 10_000
    signals = [
        said(value, label=label, part=part, by=by)
        for (part, by), value in zip(PLACES, case.scores, strict=True)
        if value is not None
    ]
    gaps = [Missing(label, "cover", Cause.SIZE)] if case.lost else []
    found = fused(model({label: score}, raises=case.raises, lowers=case.lowers), *signals, *gaps)
    wanted = highest = max((one.score for one in signals), default=0.0)
    if score > max(highest, FLOOR) and case.raises:
        wanted = score
    elif score < highest and case.lowers and not case.lost and label != KILLING:
        wanted = max([score, *(value for value in case.scores[2:] if value is not None)])
    assert (found.score(label) or 0.0) == pytest.approx(wanted, abs=1e-9)
    assert found.missing == tuple(gaps)


@given(CASES)
def test_without_a_model_for_these_senses_the_highest_counts(case: Case) -> None:
    """Every signal is what it was."""
    signals = [
        said(value, label=case.label, part=part, by=by)
        for (part, by), value in zip(PLACES, case.scores, strict=True)
        if value is not None
    ]
    made = model({case.label: case.fused / 10_000}, met=("read+spoken",))
    assert fused(made, *signals) == Signals(signals, (), "e1")


def test_what_fails_tells_nothing_of_the_words() -> None:
    """Neither gaps nor signals carry them."""
    text = FakeDetector(kinds=("text",))
    text.fail(Failure.SERVER)
    sensed = (TYPED._replace(text=CANARY), READ._replace(text=CANARY))
    assert CANARY not in repr(fused(model({BULLYING: 0.8}), said(0.2), sensed=sensed, text=text).missing)
