"""The local engine with and without a model of what senses say together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spotsafe.core.content import Audio, Content, Image, Text
from spotsafe.core.errors import ConfigurationError, Failure
from spotsafe.core.seams import DetectRequest
from spotsafe.core.signals import Cause, Signal, Signals
from spotsafe.detectors import local
from spotsafe.detectors.engine import LocalEngine
from spotsafe.detectors.fusion import model as fusion_model
from spotsafe.detectors.fusion.engine import Fusion
from spotsafe.detectors.fusion.model import WEIGHTS, FusionModel, weights_of
from spotsafe.detectors.fusion.senses import Perceived, Sensed
from spotsafe.testing import FakeDetector, ManualClock
from tests.detectors.fusion.made import BULLYING, CANARY, SPAM, Counting, Wordy, model, request, written

LABELS = (BULLYING, SPAM)
MEME = request(Text("You should really", "title"), Image(b"meme", "cover"), labels=LABELS)
SONG = request(Text("You should really", "title"), Audio(b"song", "clip"), labels=LABELS)
PLAIN = request(Text("lovely day", "title"), labels=LABELS)


def engine(made: FusionModel | None = None, **options: object) -> tuple[LocalEngine, Counting]:
    """A text engine that knows only whole sentences, and senses that each hear half of one."""
    text = Counting({"go and hide": {BULLYING: 0.1}}, kinds=("text",), id="local.text")
    eyes = Wordy({b"meme": Sensed("read", "", "go and hide")}, {b"meme": {BULLYING: 0.2}}, kinds=("image",),
                 id="local.image.text")  # fmt: skip
    ears = Wordy({b"song": Sensed("spoken", "", "go and hide", 0.5)}, {b"song": {BULLYING: 0.3}},
                 kinds=("audio",), id="local.audio.speech")  # fmt: skip
    fusion = None if made is None else Fusion(text, made)
    return LocalEngine(text, {"image": eyes, "audio": ears}, fusion=fusion, **options), text  # type: ignore[arg-type]


def test_senses_that_meet_are_fused_and_others_are_not() -> None:
    """In one batch, with one question more to the text engine for all of them."""
    whole, text = engine(model({BULLYING: 0.8}))
    found = whole.detect([MEME, PLAIN, SONG])
    assert [signals.score(BULLYING) for signals in found] == [0.8, 0.0, 0.8]
    assert [[s.part for s in signals.scores if s.detector == "local.fused"] for signals in found] == [
        ["cover"], [], ["clip"],
    ]  # fmt: skip
    assert text.calls == 2
    assert {signals.engine for signals in found} == {whole.version}


def test_without_a_model_the_answer_is_that_of_the_engines() -> None:
    """Signal by signal, in order, and nothing is asked twice."""
    whole, text = engine()
    (found,) = whole.detect([MEME])
    other, _ = engine()
    parts = [DetectRequest(Content([part], ("en",)), LABELS) for part in MEME.content]
    apart = [detector.detect([one])[0] for detector, one in zip(other._engines.values(), parts, strict=False)]
    assert found == Signals([s for one in apart for s in one.scores], (), whole.version)
    assert text.calls == 1


def test_the_version_tells_of_the_model() -> None:
    """With none, with one, with another: caches never mix them."""
    versions = [
        engine(made)[0].version
        for made in (None, model({BULLYING: 0.8}), model({BULLYING: 0.8}, version="m2"))
    ]
    assert len(set(versions)) == 3
    assert [version.partition("+fused.")[2] for version in versions] == ["", "m1", "m2"]
    assert engine(model({BULLYING: 0.8}))[0].version == versions[1]


def test_reach_is_that_of_the_senses() -> None:
    """A model adds no label."""
    with_model, without = engine(model({BULLYING: 0.8}))[0].capabilities(), engine()[0].capabilities()
    assert (with_model.labels, with_model.kinds, with_model.narrower) == (
        without.labels, without.kinds, without.narrower,
    )  # fmt: skip


@pytest.mark.parametrize("made", [None, model({BULLYING: 0.8})])
def test_what_is_detected_is_the_first_half_of_what_is_perceived(made: FusionModel | None) -> None:
    """The second half are the words of all parts."""
    asked = [MEME, PLAIN, SONG]
    found = engine(made)[0].perceive(asked)
    assert [one.signals for one in found] == engine(made)[0].detect(asked)
    assert [[(s.sense, s.part) for s in one.sensed] for one in found] == [
        [("typed", "title"), ("read", "cover")],
        [("typed", "title")],
        [("typed", "title"), ("spoken", "clip")],
    ]  # fmt: skip


def test_an_engine_of_a_sense_that_fails_keeps_scores_up() -> None:
    """The picture's failure is told, and no score comes down for it."""
    text = FakeDetector({"really": {BULLYING: 0.9}}, kinds=("text",), id="local.text")
    eyes = FakeDetector(kinds=("image",), id="local.image.text")
    eyes.fail(Failure.SERVER)
    whole = LocalEngine(text, {"image": eyes}, fusion=Fusion(text, model({BULLYING: 0.1})))
    (found,) = whole.detect([MEME])
    assert found.score(BULLYING) == 0.9
    assert {entry.cause for entry in found.missing} == {Cause.ERROR}


class Slow(Wordy):
    """Takes a second of *clock*."""

    clock = ManualClock()

    def perceive(self, requests, *, timeout=None):  # type: ignore[no-untyped-def]
        self.clock.advance(1.0)
        return super().perceive(requests, timeout=timeout)


def test_words_that_time_does_not_allow_to_read_together_are_missing() -> None:
    """Each sense was judged; together they were not."""
    text = FakeDetector(kinds=("text",), id="local.text")
    eyes = Slow({b"meme": Sensed("read", "", "go and hide")}, kinds=("image",), id="local.image.text")
    fusion = Fusion(text, model({BULLYING: 0.8}))
    whole = LocalEngine(text, {"image": eyes}, fusion=fusion, monotonic=eyes.clock.monotonic)
    (found,) = whole.detect([MEME], timeout=0.5)
    assert {(entry.label, entry.cause) for entry in found.missing} == {(BULLYING, Cause.TIMEOUT)}
    assert found.score(BULLYING) == 0.0


def test_no_word_shows_in_an_answer() -> None:
    """Neither in signals nor in what was perceived."""
    whole, _ = engine(model({BULLYING: 0.8}))
    asked = request(Text(f"{CANARY} and", "title"), Image(b"meme", "cover"), labels=LABELS)
    (found,) = whole.perceive([asked])
    assert CANARY not in f"{found!r} {found.signals.scores!r} {found.sensed!r} {whole!r}"


class Loading(FakeDetector):
    """Notes how often it is loaded."""

    loaded = 0

    def warm(self) -> None:
        self.loaded += 1


def test_the_text_engine_is_loaded_with_the_media_that_need_it() -> None:
    """Words of a picture are read together with those typed."""
    text = Loading(kinds=("text",))
    whole = LocalEngine(text, {"image": FakeDetector()}, fusion=Fusion(text, model({BULLYING: 0.8})))
    whole.warm_for(("image",))
    assert text.loaded == 1


def shipped_with(folder: Path, monkeypatch: pytest.MonkeyPatch, **changed: np.ndarray) -> None:
    """As if the package shipped a model, fitted on the shipped text engine unless *changed*."""
    from spotsafe.detectors.text.engine import TextEngine

    fitted = np.array(weights_of(TextEngine().version))
    written(folder, **{"text": fitted, **changed})
    monkeypatch.setattr(fusion_model, "shipped", lambda: folder)


def test_a_shipped_model_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the whole engine, and by no cheaper tier: it was fitted on the scores of both tiers."""
    monkeypatch.setattr(fusion_model, "shipped", lambda: tmp_path / "none")
    versions = {tier: local.engine(tier).version for tier in ("full", "encoder", "first")}
    shipped_with(tmp_path, monkeypatch)
    changed = {tier for tier, version in versions.items() if local.engine(tier).version != version}
    assert changed == {"full"}


def test_a_model_of_another_text_engine_is_refused_with_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rather than fused with scores that it does not know."""
    shipped_with(tmp_path, monkeypatch, text=np.array("other"))
    with pytest.raises(ConfigurationError, match=WEIGHTS):
        local.engine()


def test_an_answer_of_a_plain_detector_is_perceived_without_words() -> None:
    """Engines of other makers can be among those of the kinds."""
    eyes = FakeDetector({b"meme": {SPAM: 0.4}}, kinds=("image",), id="seen")
    text = FakeDetector(kinds=("text",), id="local.text")
    whole = LocalEngine(text, {"image": eyes}, fusion=Fusion(text, model({SPAM: 0.9})))
    (found,) = whole.perceive([MEME])
    assert found.sensed == (Sensed("typed", "title", "You should really"),)
    assert isinstance(found, Perceived)
    assert found.signals.by_label[SPAM][1:] == (Signal(SPAM, 0.4, "cover", 1, "seen", "1"),)
