"""Evidence for people: boxes drawn into pictures and frames, a time line printed below a recording."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from spotsafe.cli.output import Output
from spotsafe.cli.subjects import Subject
from spotsafe.core.decision import Decision
from spotsafe.core.errors import SpotsafeError
from spotsafe.core.signals import Box, Signal, TimeRange

if TYPE_CHECKING:
    from PIL.Image import Image

    from spotsafe.detectors.decode.decoded import Frame

SHOWN_FROM = 0.3
"""Evidence of lower scores is left out."""

MOST = 4
"""Frames of a film or an animation that are drawn, those with the highest scores."""

COLUMNS, LINES = 60, 40
"""Of a picture in a terminal, at most; one character shows two pixels, one above the other."""

LARGEST = 1600
"""Longest side of a saved picture."""

COLOURS = ((230, 57, 70), (200, 95, 0), (0, 120, 170), (106, 76, 147), (40, 125, 80))
"""One for each label, in turn; white letters can be read on all of them."""


class Place(NamedTuple):
    """A *box* that *signal* was found in, in the frame at *time* seconds."""

    signal: Signal
    box: Box
    time: float


def show_evidence(
    subject: Subject, decision: Decision, out: Output, folder: Path | None, *, part: str | None = None
) -> list[Path]:
    """Draw what *decision* has places for: a time line of what has a time, and the pictures or frames with
    boxes, into the terminal and, with *folder*, into files whose paths are returned. Where a *part* is named,
    of that alone."""
    found = [
        signal
        for signal in decision.signals.scores
        if signal.score >= SHOWN_FROM and part in (None, signal.part)
    ]
    _print_timeline(found, out)
    boxes = places(found)
    if subject.path is None or not boxes or not (folder is not None or out.shows_pictures):
        return []
    saved = []
    labels = sorted({place.signal.label for place in boxes})
    for frame, within in _with_frames(_frames(subject), boxes):
        still = subject.kind == "image" and all(place.time == 0.0 for place in boxes)
        picture = _drawn(frame, within, labels)
        out.picture(_lines(picture))
        if out.shows_pictures and not still:
            out.line(f"at {clock(frame.time)}", "dim")
        if folder is not None:
            moment = "" if still else f".{frame.time:.1f}s"
            path = folder / f"{subject.path.stem}{moment}.checked.png"
            folder.mkdir(parents=True, exist_ok=True)
            picture.save(path)
            out.line(f"saved with boxes: {path}", "dim")
            saved.append(path)
    return saved


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


def places(found: Iterable[Signal]) -> list[Place]:
    """Every box, with the time of the frame that it was found in: boxes are those of the frame at the start
    of the range before them (see :func:`spotsafe.detectors.image.frames.over_time`), else of the first."""
    boxes = []
    for signal in found:
        time = 0.0
        for evidence in signal.evidence:
            if isinstance(evidence, TimeRange):
                time = evidence.start
            elif isinstance(evidence, Box):
                boxes.append(Place(signal, evidence, time))
    return boxes


def _frames(subject: Subject) -> Sequence[Frame]:
    """The frames that the engine looked at, decoded as it does it: within limits, in a process of its own.
    None of them where the file cannot be decoded here."""
    if find_spec("PIL") is None or find_spec("numpy") is None or find_spec("av") is None:
        return ()
    from spotsafe.detectors.decode.worker import WorkerDecoder

    decoder = WorkerDecoder()
    try:
        decode = decoder.movie if subject.kind == "video" else decoder.picture
        return decode(subject.data).frames
    except SpotsafeError:
        return ()
    finally:
        decoder.close()


def _with_frames(frames: Sequence[Frame], boxes: Iterable[Place]) -> list[tuple[Frame, list[Place]]]:
    """The frames that show the strongest of *boxes*, in order of time, each with its own."""
    if not frames:
        return []
    shown: dict[int, list[Place]] = {}
    for place in boxes:
        # Times of evidence are rounded to thousandths.
        index = max((at for at, frame in enumerate(frames) if frame.time <= place.time + 0.001), default=0)
        shown.setdefault(index, []).append(place)
    strongest = sorted(shown, key=lambda at: -max(place.signal.score for place in shown[at]))[:MOST]
    return [(frames[at], shown[at]) for at in sorted(strongest)]


def _by_box(found: Iterable[Place]) -> dict[Box, list[Signal]]:
    """What was found in each box, strongest first; weak boxes first, so that strong ones lie on top."""
    boxes: dict[Box, list[Signal]] = {}
    for place in sorted(found, key=lambda place: -place.signal.score):
        boxes.setdefault(place.box, []).append(place.signal)
    return dict(reversed(boxes.items()))


def _drawn(frame: Frame, found: Iterable[Place], labels: Sequence[str]) -> Image:
    """The frame with a border around each box, and what was found in it; *labels* give the colours."""
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.fromarray(frame.pixels)
    picture.thumbnail((LARGEST, LARGEST))
    draw = ImageDraw.Draw(picture)
    width, height = picture.size
    stroke = max(2, min(width, height) // 150)
    font = ImageFont.load_default(max(12, min(width, height) // 30))
    for box, said in _by_box(found).items():
        colour = COLOURS[labels.index(said[0].label) % len(COLOURS)]
        left, top = box.left * width, box.top * height
        draw.rectangle((left, top, box.right * width, box.bottom * height), outline=colour, width=stroke)
        words = ", ".join(f"{signal.label} {signal.score:.2f}" for signal in said[:2])
        across, down = draw.textbbox((0, 0), words, font=font, anchor="lt")[2:]
        # Above the box where there is room, and within the picture in any case.
        x = max(0.0, min(left, width - across - 2 * stroke))
        y = top - down - 2 * stroke if top >= down + 2 * stroke else top
        draw.rectangle((x, y, x + across + 2 * stroke, y + down + 2 * stroke), fill=colour)
        draw.text((x + stroke, y + stroke), words, fill="white", font=font, anchor="lt")
    return picture


def _lines(picture: Image) -> list[Any]:
    """The picture as rows of ``(upper, lower)`` colours, two pixels a character."""
    scale = min(COLUMNS / picture.width, 2 * LINES / picture.height)
    columns = max(1, round(picture.width * scale))
    rows = max(2, round(picture.height * scale / 2) * 2)
    flat = picture.convert("RGB").resize((columns, rows)).tobytes()
    colours = [(flat[i], flat[i + 1], flat[i + 2]) for i in range(0, len(flat), 3)]
    above = [colours[y * columns : (y + 1) * columns] for y in range(0, rows, 2)]
    below = [colours[y * columns : (y + 1) * columns] for y in range(1, rows, 2)]
    return [list(zip(upper, lower, strict=True)) for upper, lower in zip(above, below, strict=True)]
