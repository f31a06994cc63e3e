"""What was said, as phrases with their times, and what the text engine finds in it.

The text engine reads windows of a few phrases that overlap, so that it sees a sentence with its surroundings.
Where a window scores, its phrases are read once more one by one, to tell which of them carry the score.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from spotsafe.core.content import Content, Text
from spotsafe.core.seams import Detector, DetectRequest
from spotsafe.core.signals import Cause, Signals, TimeRange
from spotsafe.detectors.audio.findings import NOTABLE, Found, strongest
from spotsafe.detectors.audio.recogniser import Word

PAUSE = 1.0
"""Seconds without a word that end a phrase."""

SCENE = 4.0
"""Seconds without a word that end a window: what comes next need not belong to it."""

PHRASE = 100
"""Characters after which a phrase ends at the next word."""

WINDOW = 320
"""Characters of a window: what the text engine reads at once, and as long as the comments it learnt from."""

CARRIES = 0.8
"""Share of its window's score that a phrase must reach on its own to be what carries it."""


class Phrase(NamedTuple):
    """Words said in one go, from *start* to *end* in seconds of the recording."""

    start: float
    end: float
    text: str

    def __repr__(self) -> str:
        return f"<Phrase {self.start:.2f}-{self.end:.2f} s>"


class Scored(NamedTuple):
    """What the text engine says of a transcript: findings, and labels that it could not score somewhere, with
    the cause."""

    found: list[Found]
    missing: list[tuple[str, Cause]]


def phrases(words: Iterable[Word]) -> list[Phrase]:
    """*words*, whose times are those of the recording, in phrases: up to the end of a sentence, a pause, or
    :data:`PHRASE` characters."""
    done: list[Phrase] = []
    open_: list[Word] = []
    for word in words:
        if open_ and (_ends(open_) or word.start - open_[-1].end >= PAUSE):
            done.append(_phrase(open_))
            open_ = []
        open_.append(word)
    if open_:
        done.append(_phrase(open_))
    return [phrase for phrase in done if phrase.text]


def windows(said: Sequence[Phrase]) -> list[range]:
    """Ranges of indices into *said* that cover it. Each holds up to :data:`WINDOW` characters (or one
    phrase), shares its later half with the next, and spans no silence of :data:`SCENE` seconds."""
    found: list[range] = []
    start = 0
    while start < len(said):
        end = _window_end(said, start)
        found.append(range(start, end))
        if end == len(said):
            break
        shared = end > start + 1 and said[end].start - said[end - 1].end < SCENE
        start = (start + end + 1) // 2 if shared else end
    return found


def scored(said: Sequence[Phrase], labels: Sequence[str], text: Detector, languages: Sequence[str]) -> Scored:
    """What *text* finds of *labels* in *said*. Raises DetectorError as the engine does."""
    parts = windows(said)
    answers = _ask(text, [_joined(said, part) for part in parts], labels, languages)
    close = [part for part, answer in zip(parts, answers, strict=True) if len(part) > 1 and _notable(answer)]
    single = sorted({index for part in close for index in part})
    alone = dict(zip(single, _ask(text, [said[one].text for one in single], labels, languages), strict=True))
    found: list[Found] = []
    for label in labels:
        heard = []
        for part, answer in zip(parts, answers, strict=True):
            score = answer.score(label)
            if score is not None:
                heard.append(Found(label, score, _place(said, part, label, score, alone)))
        found += strongest(heard)
    missing = dict.fromkeys((entry.label, entry.cause) for answer in answers for entry in answer.missing)
    return Scored(found, list(missing))


def _place(
    said: Sequence[Phrase], part: range, label: str, score: float, alone: dict[int, Signals]
) -> TimeRange:
    """The phrases of a window, around the one that scores highest by itself, that carry the window's score;
    the whole window where none does."""
    own = {index: alone[index].score(label) or 0.0 for index in part if index in alone}
    best = max(own, key=lambda index: (own[index], -index), default=part[0])
    if score < NOTABLE or own.get(best, 0.0) < CARRIES * score:
        return TimeRange(said[part[0]].start, said[part[-1]].end)
    first = last = best
    while own.get(first - 1, 0.0) >= CARRIES * score:
        first -= 1
    while own.get(last + 1, 0.0) >= CARRIES * score:
        last += 1
    return TimeRange(said[first].start, said[last].end)


def _ask(
    text: Detector, texts: Sequence[str], labels: Sequence[str], languages: Sequence[str]
) -> list[Signals]:
    if not texts:
        return []
    wanted = tuple(labels)
    return text.detect([DetectRequest(Content((Text(one),), languages), wanted) for one in texts])


def _notable(answer: Signals) -> bool:
    return any(score >= NOTABLE for score in answer.peaks.values())


def _joined(said: Sequence[Phrase], part: range) -> str:
    return " ".join(said[index].text for index in part)


def _window_end(said: Sequence[Phrase], start: int) -> int:
    length, end = len(said[start].text), start + 1
    while end < len(said) and said[end].start - said[end - 1].end < SCENE:
        length += 1 + len(said[end].text)
        if length > WINDOW:
            break
        end += 1
    return end


def _ends(words: Sequence[Word]) -> bool:
    last = words[-1].text.rstrip("\"')")
    return last.endswith((".", "!", "?")) or sum(len(word.text) for word in words) >= PHRASE


def _phrase(words: Sequence[Word]) -> Phrase:
    return Phrase(words[0].start, words[-1].end, "".join(word.text for word in words).strip())
