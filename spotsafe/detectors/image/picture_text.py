"""What the text of a picture means: its lines go to a text detector, and the scores come back with boxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from spotsafe.core.content import Content, Text
from spotsafe.core.labels import LABELS
from spotsafe.core.seams import Detector, DetectRequest
from spotsafe.core.signals import Box, Cause, Missing, Signal, Signals, Span
from spotsafe.detectors.image.ocr import Line, Page

ID = "local.image.text"

LONG = 300
"""Characters beyond which each block is scored for itself, too: what one bubble of a long chat says must not
drown in the rest. A shorter text is one message (a caption at the top and one at the bottom), and half of it
may say the opposite of the whole."""

MOST_BLOCKS = 16
MOST_LINES = 40
"""The longest ones are scored for themselves."""

WORTH_SHOWING = 0.2
"""Scores below this need no boxes."""

CARRIES = 0.7
"""A line carries a score when it reaches this share of it alone."""

MOST_BOXES = 12


class _Joined(NamedTuple):
    """Lines as one text; *starts* are the lines' first code points in it."""

    text: str
    lines: tuple[Line, ...]
    starts: tuple[int, ...]


def text_signals(
    page: Page, detector: Detector, labels: Sequence[str], *, part: str, languages: Sequence[str] = ()
) -> tuple[list[Signal], list[Missing]]:
    """Scores of *labels*, which the detector can give, for the text of *page*; evidence are the boxes of the
    lines that carry them.

    A picture without text scores 0. Text that was found and not read is missing with cause ``language``, what
    was cut with ``size``, what time did not allow with ``timeout``, beside the scores of the rest.
    """
    gaps = _gaps(page)
    missing = [Missing(label, part, cause) for cause in gaps for label in labels]
    if not page.lines:
        return [] if gaps else [_nothing(label, part) for label in labels], missing
    whole = _joined(page.blocks)
    pieces = [whole, *_pieces(page, whole)]
    answers = _asked(detector, [piece.text for piece in pieces], labels, languages)
    best = [_best(answers, label) for label in labels]
    singles = _lines_alone(detector, whole, best, languages)
    found = []
    for choice in best:
        if choice is None:
            continue
        signal, piece = choice
        evidence = _boxes(signal, pieces[piece], singles)
        found.append(signal._replace(part=part, detector=ID, evidence=evidence))
    missing += [entry._replace(part=part) for entry in answers[0].missing]
    return found, list(dict.fromkeys(missing))


def words(page: Page) -> tuple[str, ...]:
    """The text of *page*, block by block, as it was scored."""
    return tuple(" ".join(line.text for line in block) for block in page.blocks)


def _nothing(label: str, part: str) -> Signal:
    return Signal(label, 0.0, part, LABELS[label].severity, ID)


def _gaps(page: Page) -> list[Cause]:
    reasons = ((page.unread, Cause.LANGUAGE), (page.cut, Cause.SIZE), (page.late, Cause.TIMEOUT))
    return [cause for reason, cause in reasons if reason]


def _joined(blocks: Sequence[Sequence[Line]]) -> _Joined:
    """Lines of a block are parted by a blank, blocks by a line feed."""
    text, lines, starts = "", [], []
    for block in blocks:
        for number, line in enumerate(block):
            text += "" if not text else " " if number else "\n"
            starts.append(len(text))
            lines.append(line)
            text += line.text
    return _Joined(text, tuple(lines), tuple(starts))


def _pieces(page: Page, whole: _Joined) -> list[_Joined]:
    if len(whole.text) <= LONG or len(page.blocks) < 2:
        return []
    single = [_joined([block]) for block in page.blocks]
    return sorted(single, key=lambda piece: -len(piece.text))[:MOST_BLOCKS]


def _asked(
    detector: Detector, texts: Sequence[str], labels: Sequence[str], languages: Sequence[str]
) -> list[Signals]:
    wanted = tuple(labels)
    requests = [DetectRequest(Content([Text(text, "text")], tuple(languages)), wanted) for text in texts]
    return detector.detect(requests)


def _best(answers: Sequence[Signals], label: str) -> tuple[Signal, int] | None:
    """The highest score of *label* and the piece that has it; None where it is missing for the whole."""
    found: tuple[Signal, int] | None = None
    for piece, answer in enumerate(answers):
        for signal in answer.by_label.get(label, ()):
            if found is None or signal.score > found[0].score:
                found = (signal, piece)
    return found


def _lines_alone(
    detector: Detector,
    whole: _Joined,
    best: Sequence[tuple[Signal, int] | None],
    languages: Sequence[str],
) -> dict[tuple[str, Line], float]:
    """Scores of single lines, for the labels that need boxes and have no spans."""
    labels = [
        choice[0].label
        for choice in best
        if choice is not None and choice[0].score >= WORTH_SHOWING and not _spans(choice[0])
    ]
    if not labels or len(whole.lines) < 2:
        return {}
    lines = sorted(whole.lines, key=lambda line: -len(line.text))[:MOST_LINES]
    answers = _asked(detector, [line.text for line in lines], sorted(labels), languages)
    return {
        (signal.label, line): signal.score
        for line, answer in zip(lines, answers, strict=True)
        for signal in answer.scores
    }


def _boxes(signal: Signal, piece: _Joined, singles: dict[tuple[str, Line], float]) -> tuple[Box, ...]:
    """Boxes of the lines that the detector's own spans lie in; else of those that score high alone; else of
    the whole piece."""
    if signal.score < WORTH_SHOWING:
        return ()
    spans = _spans(signal)
    if spans:
        chosen = [
            line
            for line, start in zip(piece.lines, piece.starts, strict=True)
            if any(span.start < start + len(line.text) and start < span.end for span in spans)
        ]
    else:
        least = CARRIES * signal.score
        chosen = [line for line in piece.lines if singles.get((signal.label, line), 0.0) >= least]
    return tuple(line.box for line in (chosen or piece.lines)[:MOST_BOXES])


def _spans(signal: Signal) -> list[Span]:
    return [entry for entry in signal.evidence if isinstance(entry, Span)]
