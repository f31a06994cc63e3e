"""What the text of a picture means, and which lines say so."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from spotsafe.core.seams import Capabilities, DetectRequest
from spotsafe.core.signals import Box, Cause, Missing, Signal, Signals, Span
from spotsafe.detectors.image.ocr import Line, Page
from spotsafe.detectors.image.picture_text import LONG, text_signals

THREAT, HATE = "violence.threat", "hate.speech"


class Words:
    """Scores a text by the words in it: ``kill`` is a threat unless ``process`` follows; *spans* gives their
    place; ``privet`` is a language that it does not know."""

    id = "words"
    version = "w1"

    def __init__(self, spans: bool = False) -> None:
        self.spans = spans
        self.asked: list[str] = []

    def capabilities(self) -> Capabilities | None:
        return None

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        return [self._one(request) for request in requests]

    def _one(self, request: DetectRequest) -> Signals:
        (part,) = request.content.parts
        text = str(part.data)
        self.asked.append(text)
        if "privet" in text:
            return Signals((), [Missing(label, part.name, Cause.LANGUAGE) for label in request.labels])
        score = 0.9 if "kill" in text and "process" not in text else 0.05
        if len(text) > LONG:
            score /= 3
        place = text.find("kill")
        spans = (Span(place, place + 4),) if self.spans and place >= 0 else ()
        found = [Signal(label, score if label == THREAT else 0.0, part.name, 4, "words", "w1", spans)
                 for label in request.labels]  # fmt: skip
        return Signals(found)


def line(text: str, top: float) -> Line:
    return Line(text, Box(0.1, top, 0.9, top + 0.05), 0.99)


def page(*blocks: Sequence[str], **rest: object) -> Page:
    lines = [[line(text, 0.1 * (number + 3 * index)) for number, text in enumerate(block)]
             for index, block in enumerate(blocks)]  # fmt: skip
    return Page(tuple(map(tuple, lines)))._replace(**rest)


def test_lines_are_one_text_in_the_order_of_reading() -> None:
    """Blanks between the lines of a block, line feeds between blocks."""
    words = Words()
    text_signals(page(["one", "two"], ["three"]), words, [THREAT], part="pic")
    assert words.asked == ["one two\nthree"]


def test_a_picture_without_text_scores_nothing() -> None:
    """No text is a score of 0 for each label, and nobody is asked."""
    words = Words()
    scores, missing = text_signals(Page(), words, [HATE, THREAT], part="pic")
    assert [(s.label, s.score, s.part, s.detector) for s in scores] == [
        (HATE, 0.0, "pic", "local.image.text"), (THREAT, 0.0, "pic", "local.image.text"),
    ]  # fmt: skip
    assert (missing, words.asked) == ([], [])


@pytest.mark.parametrize("spans", [False, True])
def test_the_line_that_says_it_is_the_evidence(spans: bool) -> None:
    """By the detector's own span, or because the line alone scores as high; never the harmless line."""
    said = page(["a lovely day", "I will kill you", "see you there"])
    scores, _ = text_signals(said, Words(spans), [THREAT], part="pic")
    assert [(s.label, s.score, s.part, s.detector) for s in scores] == [
        (THREAT, 0.9, "pic", "local.image.text")
    ]
    assert scores[0].evidence == (said.lines[1].box,)


def test_a_sentence_over_several_lines_is_shown_whole() -> None:
    """Where no line carries the score alone, all do."""
    said = page(["I will ki", "ll you"])
    scores, _ = text_signals(said, Sure(), [THREAT], part="pic")
    assert scores[0].evidence == tuple(entry.box for entry in said.lines)


class Sure(Words):
    """Sees a threat in long texts alone."""

    def _one(self, request: DetectRequest) -> Signals:
        (part,) = request.content.parts
        score = 0.8 if len(str(part.data)) > 12 else 0.1
        return Signals([Signal(label, score, part.name, 4) for label in request.labels])


def test_a_caption_is_judged_with_its_other_half() -> None:
    """Top and bottom of a short text are one message: half of it may say the opposite."""
    words = Words()
    scores, _ = text_signals(page(["kill the"], ["process"]), words, [THREAT], part="pic")
    assert scores[0].score == 0.05
    assert "kill the" not in words.asked


def test_one_bubble_of_a_long_chat_does_not_drown() -> None:
    """Blocks of a long text are scored for themselves, too, and their lines are the evidence."""
    said = page(["I will kill you"], ["nice weather " * 30])
    scores, _ = text_signals(said, Words(), [THREAT], part="pic")
    assert scores[0].score == 0.9
    assert scores[0].evidence == (said.lines[0].box,)


@pytest.mark.parametrize(
    ("rest", "cause"),
    [
        ({"unread": (Box(0, 0, 1, 1),)}, Cause.LANGUAGE),
        ({"cut": True}, Cause.SIZE),
        ({"late": True}, Cause.TIMEOUT),
    ],
)
def test_what_was_not_read_is_missing_and_not_clean(rest: dict[str, object], cause: Cause) -> None:
    """With nothing read there is no score at all; with something read the score stands beside the gap."""
    scores, missing = text_signals(page(**rest), Words(), [HATE], part="pic")
    assert (scores, missing) == ([], [Missing(HATE, "pic", cause)])
    scores, missing = text_signals(page(["I will kill you"], **rest), Words(), [THREAT], part="pic")
    assert ([s.score for s in scores], missing) == ([0.9], [Missing(THREAT, "pic", cause)])


def test_a_language_that_the_text_detector_lacks_is_missing_for_the_picture() -> None:
    """Its missing labels carry the picture's name."""
    scores, missing = text_signals(page(["privet"]), Words(), [HATE], part="pic")
    assert (scores, missing) == ([], [Missing(HATE, "pic", Cause.LANGUAGE)])
