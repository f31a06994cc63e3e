"""What the audio engine answers for recordings of every kind."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from spotsafe.core.content import Audio, Content, Text
from spotsafe.core.errors import Failure
from spotsafe.core.seams import Calibration, Detector, DetectRequest
from spotsafe.core.signals import Cause, Missing, TimeRange
from spotsafe.detectors.audio import engine as audio_engine
from spotsafe.detectors.audio.engine import AudioEngine
from spotsafe.detectors.decode.decoded import RATE, Sound
from spotsafe.detectors.decode.decoder import DecodeError
from spotsafe.detectors.decode.limits import AUDIO, Reason
from spotsafe.detectors.fusion.senses import Sensed
from spotsafe.testing import FakeDetector, ManualClock
from tests.detectors.audio.scripted import Loud, Script, Tape, ranges, reading, sound

LABEL, OTHER, KNOWN = "harass.bullying", "tone.toxic", "hate.speech"
SAID = "You worthless idiot."


def text() -> FakeDetector:
    return FakeDetector({"idiot": {LABEL: 0.9}}, labels=(LABEL, OTHER), kinds=("text",), version="t1")


def engine(heard: Sound | Exception, *readings: Any, **options: Any) -> AudioEngine:
    """An engine whose recogniser gives *readings* for the recording *heard*."""
    options.setdefault("text", text())
    options.setdefault("recogniser", Script(*(readings or (reading(SAID),))))
    return AudioEngine(Tape(heard), voices=Loud(), **options)


def ask(
    detector: Detector, *, labels: tuple[str, ...] = (LABEL,), languages: tuple[str, ...] = (),
    timeout: float | None = None,
) -> Any:  # fmt: skip
    request = DetectRequest(Content((Audio(b"file", "episode"),), languages), labels)
    return detector.detect([request], timeout=timeout)[0]


def causes(answer: Any) -> set[tuple[str, Cause]]:
    return {(entry.label, entry.cause) for entry in answer.missing}


def test_speech_is_scored_as_text_with_its_place() -> None:
    """Words become text, the text's score the label's, and the evidence says when it was said."""
    answer = ask(engine(sound((2.0, 3.0))), labels=(LABEL, OTHER))
    (insult,) = answer.by_label[LABEL]
    assert (insult.score, insult.part, insult.detector, insult.severity) == (
        0.9,
        "episode",
        "local.audio.speech",
        2,
    )
    ((start, end),) = ranges(insult.evidence)
    assert start == pytest.approx(1.8, abs=0.05)
    assert end == pytest.approx(3.3, abs=0.05)
    assert answer.score(OTHER) == 0.0
    assert answer.missing == ()


def test_two_far_places_are_two_findings() -> None:
    """Each stretch in which a label is heard is told of, in times of the recording."""
    heard = sound((0.0, 3.0), (20.0, 3.0))
    both = reading("You idiot. x x x x You idiot.", each=0.6)
    apart = both._replace(words=(*both.words[:2], *both.words[6:]))
    answer = ask(engine(heard, apart))
    assert [one.score for one in answer.scores] == [0.9, 0.9]
    starts = sorted(start for one in answer.scores for start, _ in ranges(one.evidence))
    assert starts[0] < 1.0
    assert starts[1] > 20.0


def test_silence_says_nothing() -> None:
    """Where nobody speaks, text labels score 0, without a place, and the recogniser is not asked."""
    script = Script(reading("never"))
    answer = ask(engine(sound((5.0, 0.0)), recogniser=script), labels=(LABEL, OTHER))
    assert {one.label: (one.score, one.evidence) for one in answer.scores} == {
        LABEL: (0.0, ()),
        OTHER: (0.0, ()),
    }
    assert (answer.missing, script.heard) == ((), [])


@pytest.mark.parametrize(
    "unclear",
    [
        reading(SAID, confidence=-0.9),
        reading(SAID, repetition=3.0),
        reading(SAID, silence=0.9),
        reading(""),
    ],
    ids=["hesitant", "in circles", "nobody there", "no words"],
)
def test_speech_that_is_not_understood_is_missing(unclear: Any) -> None:
    """Speech in another language, or noise, is no clean text: its labels are missing, and not scored."""
    answer = ask(engine(sound((0.0, 3.0)), unclear))
    assert (answer.scores, causes(answer)) == ((), {(LABEL, Cause.LANGUAGE)})


def test_what_was_understood_counts_beside_what_was_not() -> None:
    """One clear chunk and one unclear one give a score and a gap."""
    heard = sound((0.0, 20.0), (5.0, 20.0))
    answer = ask(engine(heard, reading(SAID), reading("la la la", confidence=-1.2)))
    assert (answer.score(LABEL), causes(answer)) == (0.9, {(LABEL, Cause.LANGUAGE)})


@pytest.mark.parametrize(
    ("languages", "understood"),
    [
        ((), True),
        (("en",), True),
        (("de", "en-GB"), True),
        (("und",), True),
        (("de",), False),
        (("pt-BR", "es"), False),
    ],
)
def test_stated_languages_are_believed(languages: tuple[str, ...], understood: bool) -> None:
    """Content that is stated to be in other languages is missing; the recogniser is not asked to guess."""
    script = Script(reading(SAID))
    answer = ask(engine(sound((0.0, 3.0)), recogniser=script), languages=languages)
    assert (answer.score(LABEL) is not None) is understood
    assert causes(answer) == (set() if understood else {(LABEL, Cause.LANGUAGE)})
    assert bool(script.heard) is understood


def test_a_recording_that_was_cut_is_missing_its_end() -> None:
    """What was heard counts, and the rest is missing with cause size; silence of a part is not silence."""
    spoken = ask(engine(sound((0.0, 3.0), cut=True)))
    assert (spoken.score(LABEL), causes(spoken)) == (0.9, {(LABEL, Cause.SIZE)})
    silent = ask(engine(sound((3.0, 0.0), cut=True)))
    assert (silent.score(LABEL), causes(silent)) == (None, {(LABEL, Cause.SIZE)})


@pytest.mark.parametrize(
    ("reason", "cause"),
    [(Reason.UNREADABLE, Cause.ERROR), (Reason.BYTES, Cause.SIZE), (Reason.WALL, Cause.TIMEOUT)],
)
def test_what_cannot_be_decoded_is_missing(reason: Reason, cause: Cause) -> None:
    """The decoder's reason is the labels' cause."""
    answer = ask(engine(DecodeError(reason, AUDIO)))
    assert (answer.scores, causes(answer)) == ((), {(LABEL, cause)})


def test_a_deadline_between_chunks() -> None:
    """Chunks that time does not reach are missing; those before it count. The decoder gets what is left."""
    clock = ManualClock()
    script = Script(reading(SAID), during=lambda: clock.advance(6.0))
    detector = engine(sound((0.0, 100.0)), recogniser=script, clock=clock.monotonic)
    answer = ask(detector, timeout=10.0)
    assert (answer.score(LABEL), causes(answer)) == (0.9, {(LABEL, Cause.TIMEOUT)})
    assert len(script.heard) == 2


def test_a_deadline_that_has_passed() -> None:
    """Nothing is decoded, and everything is missing."""
    answer = ask(engine(sound((0.0, 3.0))), timeout=0.0)
    assert (answer.scores, causes(answer)) == ((), {(LABEL, Cause.TIMEOUT)})


class _SlowTape(Tape):
    """Five seconds pass while it decodes."""

    def __init__(self, heard: Sound, clock: ManualClock) -> None:
        super().__init__(heard)
        self._clock = clock

    def sound(self, data: bytes, *, timeout: float | None = None) -> Sound:
        self._clock.advance(5.0)
        return super().sound(data, timeout=timeout)


def test_a_deadline_during_the_search_for_speech() -> None:
    """A recording that was not searched to its end is not silent."""
    clock = ManualClock()
    tape = _SlowTape(sound((3.0, 0.0)), clock)
    detector = AudioEngine(
        tape, text=text(), voices=Loud(), recogniser=Script(reading(SAID)), clock=clock.monotonic
    )
    answer = ask(detector, timeout=4.0)
    assert (answer.scores, causes(answer)) == ((), {(LABEL, Cause.TIMEOUT)})
    assert tape.timeouts == [4.0]


@pytest.mark.parametrize(
    ("failure", "cause"), [(Failure.TIMEOUT, Cause.TIMEOUT), (Failure.SERVER, Cause.ERROR)]
)
def test_a_text_engine_that_fails(failure: Failure, cause: Cause) -> None:
    """Its labels are missing; what the bank knows still counts."""
    broken = text()
    broken.fail(failure)
    answer = ask(engine(sound((0.0, 3.0)), text=broken, bank=Bank(KNOWN)), labels=(LABEL, KNOWN))
    assert causes(answer) == {(LABEL, cause)}
    assert answer.score(KNOWN) == 1.0


class Heard(NamedTuple):
    label: str
    start: float | None
    end: float | None


class Bank:
    """Hears each of *labels* from the first to the second second."""

    version = "b1"

    def __init__(self, *labels: str, all_labels: tuple[str, ...] = ()) -> None:
        self.labels = (*labels, *all_labels)
        self._heard = labels

    def match_sound(self, samples: Any) -> list[Heard]:
        return [Heard(label, 1.0, 2.0) for label in self._heard]


def test_known_recordings() -> None:
    """A match scores 1 where it was heard, the bank's other labels 0; the list covers every language."""
    bank = Bank(KNOWN, all_labels=("violence.threat",))
    detector = engine(sound((0.0, 3.0)), bank=bank)
    answer = ask(detector, labels=(KNOWN, "violence.threat"), languages=("de",))
    (match,) = answer.by_label[KNOWN]
    assert (match.score, match.detector, match.evidence) == (1.0, "local.audio.known", (TimeRange(1.0, 2.0),))
    assert (answer.score("violence.threat"), answer.missing) == (0.0, ())
    assert detector.capabilities().labels[KNOWN] == {"*": Calibration.LEXICON}


def test_a_child_process_loads_its_own_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks are loaded once, which changes no version; after a fork the parent's, whose threads are gone,
    are not used."""
    made: list[str] = []

    def load(what: str, stand_in: Any) -> Any:
        return lambda: (made.append(what), stand_in)[1]

    monkeypatch.setattr(audio_engine, "VoiceActivity", load("voices", Loud()))
    monkeypatch.setattr(audio_engine, "Whisper", load("recogniser", Script(reading(SAID))))
    detector = AudioEngine(Tape(sound((0.0, 3.0))), text=text())
    before = detector.version
    assert [ask(detector).score(LABEL), ask(detector).score(LABEL)] == [0.9, 0.9]
    assert detector.version == before
    assert made == ["voices", "recogniser"]
    monkeypatch.setattr(audio_engine.os, "getpid", lambda: -1)
    ask(detector)
    assert made == ["voices", "recogniser"] * 2


def test_labels_beyond_the_engine_are_unsupported() -> None:
    """A label that neither text nor bank knows is missing, the others are scored."""
    answer = ask(engine(sound((0.0, 3.0))), labels=(LABEL, "sexual.nudity"))
    assert (answer.score(LABEL), causes(answer)) == (0.9, {("sexual.nudity", Cause.UNSUPPORTED)})


def test_other_kinds_of_parts() -> None:
    """Parts that are no sound are missing with cause modality, beside the sound's scores."""
    content = Content((Text("hello", "body"), Audio(b"file", "episode")))
    answer = engine(sound((0.0, 3.0))).detect([DetectRequest(content, (LABEL,))])[0]
    assert (answer.score(LABEL), answer.missing) == (0.9, (Missing(LABEL, "body", Cause.MODALITY),))


def test_capabilities_are_english_and_transferred() -> None:
    """Only English is claimed, and as not measured on speech."""
    found = engine(sound()).capabilities()
    assert found.kinds == ("audio",)
    assert found.labels == {label: {"en": Calibration.TRANSFERRED} for label in (LABEL, OTHER)}
    assert found.gap(LABEL, "audio", "de") is Cause.LANGUAGE


def test_the_version_changes_with_its_parts() -> None:
    """Text engine and bank are part of what a score rests on."""
    plain = engine(sound())
    assert plain.version == "1-script+t1"
    assert engine(sound(), bank=Bank(KNOWN)).version == "1-script+t1+b1"
    assert ask(plain).engine == plain.version


def test_the_words_that_were_heard_are_handed_out_beside_the_answer() -> None:
    """All phrases of a recording, with how musical it is; the answer is what it is without them."""
    asked = [DetectRequest(Content((Audio(b"file", "episode"), Text("typed", "body"))), (LABEL,))]
    found = engine(sound((0.0, 3.0)), reading("You idiot. Come on then.")).perceive(asked)
    assert [one.signals for one in found] == engine(
        sound((0.0, 3.0)), reading("You idiot. Come on then.")
    ).detect(asked)
    assert found[0].sensed == (Sensed("spoken", "episode", "You idiot. Come on then.", 0.0),)


def test_what_was_not_understood_is_not_handed_out() -> None:
    """A transcript of nonsense is no word of anybody; silence has none, and stated languages are believed."""
    nonsense = reading("mumble", confidence=-3.0)
    request = DetectRequest(Content((Audio(b"file", "episode"),)), (LABEL,))
    german = DetectRequest(Content((Audio(b"file", "episode"),), ("de",)), (LABEL,))
    assert engine(sound((0.0, 3.0)), nonsense).perceive([request])[0].sensed == ()
    assert engine(sound()).perceive([request])[0].sensed == ()
    assert engine(sound((0.0, 3.0))).perceive([german])[0].sensed == ()


def test_words_over_notes_are_handed_out_with_their_music() -> None:
    """Notes that stand still make a recording musical."""
    moments = np.arange(3 * RATE) / RATE
    chord = sum(np.sin(2 * np.pi * pitch * moments) for pitch in (220.0, 277.2, 329.6)) / 4
    heard = Sound(chord.astype(np.float32), RATE, 3.0, False)
    request = DetectRequest(Content((Audio(b"file", "song"),)), (LABEL,))
    (words,) = engine(heard).perceive([request])[0].sensed
    assert words.music > 0.9
