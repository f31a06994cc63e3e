"""Evidence for people: boxes drawn into a picture, a time line printed below a recording."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spotsafe.cli.output import Output
from spotsafe.cli.subjects import Subject
from spotsafe.core.decision import Decision
from spotsafe.core.errors import SpotsafeError
from spotsafe.core.signals import Box, Signal

if TYPE_CHECKING:
    from PIL.Image import Image

SHOWN_FROM = 0.3
"""Evidence of lower scores is left out."""

COLUMNS = 60
"""Width of a picture in a terminal; one character shows two pixels, one above the other."""

LARGEST = 1600
"""Longest side of a saved picture."""

COLOURS = ((230, 57, 70), (247, 127, 0), (0, 150, 199), (106, 76, 147), (82, 183, 136))
"""One for each label, in turn."""


def show_evidence(subject: Subject, decision: Decision, out: Output, folder: Path | None) -> Path | None:
    """Draw what *decision* has places for: a picture into the terminal and, with *folder*, into a file whose
    path is returned; a time line for sound and video."""
    found = [signal for signal in decision.signals.scores if signal.score >= SHOWN_FROM]
    if subject.kind in ("audio", "video"):
        _print_timeline(found, out)
    if subject.kind != "image" or subject.path is None or not _boxes(found):
        return None
    picture = _drawn(subject.data, found)
    if picture is None:
        return None
    out.picture(_lines(picture))
    if folder is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{subject.path.stem}.checked.png"
    picture.save(path)
    out.line(f"saved with boxes: {path}", "dim")
    return path


def clock(seconds: float) -> str:
    """A time as people write it; see :func:`spotsafe.detectors.video.timeline.clock`."""
    from spotsafe.detectors.video import timeline

    return timeline.clock(seconds)


def _print_timeline(found: Iterable[Signal], out: Output) -> None:
    from spotsafe.detectors.video.timeline import render, timeline

    moments = timeline(found, least=SHOWN_FROM)
    if moments:
        out.line()
        out.line(f"Time line (from {SHOWN_FROM})", "bold")
        out.line(render(moments, max(moment.end for moment in moments)))


def _boxes(found: Iterable[Signal]) -> list[tuple[Signal, Box]]:
    return [(s, e) for s in found for e in s.evidence if isinstance(e, Box)]


def _by_place(found: Iterable[Signal]) -> dict[Box, list[Signal]]:
    """What was found at each place, strongest first; weak places first, so that strong ones lie on top."""
    places: dict[Box, list[Signal]] = {}
    for signal, box in sorted(_boxes(found), key=lambda entry: -entry[0].score):
        places.setdefault(box, []).append(signal)
    return dict(reversed(places.items()))


def _drawn(data: bytes, found: list[Signal]) -> Image | None:
    """The picture with a frame around each place, labelled; None where it cannot be drawn here. It is decoded
    as the engine does it: within limits, in a process of its own."""
    if find_spec("PIL") is None or find_spec("numpy") is None:
        return None
    from PIL import Image, ImageDraw, ImageFont

    from spotsafe.detectors.decode.worker import WorkerDecoder

    decoder = WorkerDecoder()
    try:
        frame = decoder.picture(data).frames[0]
    except SpotsafeError:
        return None
    finally:
        decoder.close()
    picture = Image.fromarray(frame.pixels)
    picture.thumbnail((LARGEST, LARGEST))
    draw = ImageDraw.Draw(picture)
    width, height = picture.size
    stroke = max(2, min(width, height) // 150)
    size = max(12, min(width, height) // 30)
    font = ImageFont.load_default(size)
    labels = sorted({signal.label for signal, _ in _boxes(found)})
    for box, said in _by_place(found).items():
        colour = COLOURS[labels.index(said[0].label) % len(COLOURS)]
        left, top = box.left * width, box.top * height
        draw.rectangle((left, top, box.right * width, box.bottom * height), outline=colour, width=stroke)
        words = ", ".join(f"{signal.label} {signal.score:.2f}" for signal in said[:2])
        place = draw.textbbox((left, max(0, top - size - stroke)), words, font=font)
        draw.rectangle(place, fill=colour)
        draw.text(place[:2], words, fill="white", font=font)
    return picture


def _lines(picture: Image) -> list[Any]:
    """The picture as rows of ``(upper, lower)`` colours, two pixels a character."""
    rows = max(2, round(COLUMNS * picture.height / picture.width / 2) * 2)
    flat = picture.convert("RGB").resize((COLUMNS, rows)).tobytes()
    colours = [(flat[i], flat[i + 1], flat[i + 2]) for i in range(0, len(flat), 3)]
    above = [colours[y * COLUMNS : (y + 1) * COLUMNS] for y in range(0, rows, 2)]
    below = [colours[y * COLUMNS : (y + 1) * COLUMNS] for y in range(1, rows, 2)]
    return [list(zip(upper, lower, strict=True)) for upper, lower in zip(above, below, strict=True)]
