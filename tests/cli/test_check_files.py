"""``spotsafe check`` on files: pictures, recordings and texts, with evidence for people and machines."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from spotsafe.cli import evidence
from spotsafe.cli.main import main
from spotsafe.cli.output import Output
from spotsafe.cli.subjects import subjects
from spotsafe.cli.unread import unread
from spotsafe.core.content import Content
from spotsafe.core.decision import Decision, Verdict
from spotsafe.core.errors import ConfigurationError
from spotsafe.core.labels import LABELS
from spotsafe.core.signals import Box, Cause, Missing, Signal, Signals, TimeRange
from spotsafe.testing import FakeService
from tests.detectors.decode import made

PICTURE = Box(0.25, 0.5, 0.75, 1.0)


@pytest.fixture
def service() -> Iterator[FakeService]:
    with FakeService(default=0.0) as running:
        running.say("violence.threat", 0.9, containing="PNG", evidence=[PICTURE])
        running.say("hate.speech", 0.95, containing="RIFF", evidence=[TimeRange(1.0, 2.5)])
        yield running


@pytest.fixture
def run(service: FakeService, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    def called(*words: str) -> tuple[int, str]:
        code = main(["check", "--service", service.url, *words])
        return code, capsys.readouterr().out

    return called


def picture(folder: Path, name: str = "cover.png") -> Path:
    path = folder / name
    Pillow.new("RGB", (320, 200), "white").save(path)
    return path


def test_a_picture_is_shown_with_its_boxes(tmp_path: Path, run: Callable[..., tuple[int, str]]) -> None:
    """In the table as places; drawn into a copy of the picture where a folder is given."""
    code, said = run(str(picture(tmp_path)), "--evidence", str(tmp_path / "out"))
    assert code == 1
    assert "box 25%, 50% to 75%, 100%" in " ".join(said.split())
    drawn = Pillow.open(tmp_path / "out" / "cover.checked.png").convert("RGB")
    assert drawn.size == (320, 200)
    assert drawn.getpixel((80, 150)) == evidence.COLOURS[0]
    assert drawn.getpixel((160, 150)) == (255, 255, 255)


def test_a_recording_is_waited_for_and_shown_on_a_time_line(
    tmp_path: Path, run: Callable[..., tuple[int, str]], service: FakeService
) -> None:
    """Products get a receipt at once; a person at a terminal gets the answer."""
    path = tmp_path / "episode.wav"
    path.write_bytes(b"RIFF....")
    code, said = run(str(path))
    assert code == 1
    assert "hate.speech · fake │" in said
    assert "0:01.0–0:02.5" in said
    assert len(service.jobs.ids) == 1


def test_several_files_give_a_document_each(tmp_path: Path, run: Callable[..., tuple[int, str]]) -> None:
    """With the places as the wire writes them."""
    text = tmp_path / "title.txt"
    text.write_text("a fine title")
    code, said = run("--json", str(text), str(picture(tmp_path)))
    first, second = json.loads(said)
    assert code == 1
    assert (first["file"], first["disposition"]) == (str(text), "allow")
    threat = next(entry for entry in second["evidence"] if entry["label"] == "violence.threat")
    assert threat["places"] == [{"box": PICTURE._asdict()}]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["no-such.png"], "is no file here: check the path"),
        (["two", "words"], "write a text in quotes"),
        (["some words", "{folder}/words.txt"], "as a part beside the files: --part title="),
        (["some words", "other words"], "--part title="),
        (["{folder}/data.bin"], "neither its name nor its first bytes tell"),
        (["{folder}/latin.txt"], "is not UTF-8"),
        (["{folder}/empty.txt"], "no text to check"),
    ],
)
def test_what_cannot_be_checked_is_said_with_the_remedy(
    tmp_path: Path, words: list[str], problem: str
) -> None:
    """Rather than checked as something else."""
    (tmp_path / "data.bin").write_bytes(b"x")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    (tmp_path / "empty.txt").write_text(" ")
    (tmp_path / "words.txt").write_text("words")
    with pytest.raises(ConfigurationError, match=problem):
        subjects([word.format(folder=tmp_path) for word in words], io.StringIO())


@pytest.mark.parametrize("word", ["a" * 5000, "a text\0with a NUL", "no file at all"])
def test_any_text_is_a_text(word: str) -> None:
    """Whatever a file system thinks of it as a name."""
    (found,) = subjects([word], io.StringIO())
    assert (found.kind, found.text) == ("text", word)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_with_colours_shows_the_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small, in half blocks; a pipe gets none of it."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)
    (subject,) = subjects([str(picture(tmp_path))], io.StringIO())
    signals = Signals([Signal("violence.threat", 0.9, "image", 4, "d", "1", (PICTURE,))])
    decision = Decision("s", Verdict(), signals, Content([]), lambda: "id")
    for stream, shown in ((Terminal(), True), (io.StringIO(), False)):
        assert evidence.show_evidence(subject, decision, Output(stdout=stream, stderr=stream), None) == []
        assert ("▀" * 1 in stream.getvalue()) is shown


def test_a_file_that_is_no_picture_is_not_drawn(tmp_path: Path) -> None:
    """The decision says that it could not be read; drawing adds no second failure."""
    path = tmp_path / "cover.png"
    path.write_bytes(b"no picture")
    (subject,) = subjects([str(path)], io.StringIO())
    signals = Signals([Signal("violence.threat", 0.9, "image", 4, "d", "1", (PICTURE,))])
    decision = Decision("s", Verdict(), signals, Content([]), lambda: "id")
    assert evidence.show_evidence(subject, decision, Output(stdout=io.StringIO()), tmp_path) == []


def decided(*evidence: object, kind: str = "image", score: float = 0.9) -> Decision:
    """A decision about one part in which a threat was found at *evidence*."""
    found = Signal("violence.threat", score, kind, 4, "local.image.text", "1", evidence)  # type: ignore[arg-type] # what is tested
    return Decision("s", Verdict(), Signals([found]), Content([]), lambda: "id")


def drawn(path: Path, decision: Decision, folder: Path) -> list[Pillow.Image]:
    (subject,) = subjects([str(path)], io.StringIO())
    saved = evidence.show_evidence(subject, decision, Output(stdout=io.StringIO()), folder)
    return [Pillow.open(entry).convert("RGB") for entry in saved]


@pytest.mark.parametrize("name", ["loop.gif", "clip.mp4"])
def test_boxes_are_drawn_on_the_frame_that_they_were_found_in(name: str, tmp_path: Path) -> None:
    """Of an animation or a film: the one at the start of the range before them, and no other."""
    colours = [(250, 250, 250), (20, 20, 160), (160, 20, 20)]
    frames = [np.full((120, 160, 3), colour, np.uint8) for colour in colours]
    path = tmp_path / name
    path.write_bytes(
        made.animation("GIF", frames, 1000)
        if name == "loop.gif"
        else made.movie([frame for frame in frames for _ in range(10)])
    )
    kind = "image" if name == "loop.gif" else "video"
    decision = decided(TimeRange(0.0, 3.0), TimeRange(2.0, 3.0), Box(0.5, 0.5, 1.0, 1.0), kind=kind)
    (picture,) = drawn(path, decision, tmp_path / "out")
    assert np.abs(np.subtract(picture.getpixel((10, 10)), colours[2])).max() < 30
    assert picture.getpixel((80, 110)) == evidence.COLOURS[0]
    assert [entry.name for entry in (tmp_path / "out").iterdir()] == [f"{path.stem}.2.0s.checked.png"]


def test_the_strongest_frames_of_a_film_are_drawn(tmp_path: Path) -> None:
    """In order of time, and not one for every moment."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(made.movie([made.scene(index // 10) for index in range(60)]))
    found = [
        signal._replace(score=0.5 + second / 20, evidence=(TimeRange(second, second + 1), PICTURE))
        for second, signal in enumerate(decided(kind="video").signals.scores * 6)
    ]
    (subject,) = subjects([str(path)], io.StringIO())
    decision = Decision("s", Verdict(), Signals(found), Content([]), lambda: "id")
    saved = evidence.show_evidence(subject, decision, Output(stdout=io.StringIO()), tmp_path)
    assert [entry.name for entry in saved] == [f"clip.{second}.0s.checked.png" for second in (2, 3, 4, 5)]


@pytest.mark.parametrize(
    "box",
    [Box(0.0, 0.0, 0.1, 0.1), Box(0.9, 0.0, 1.0, 0.1), Box(0.9, 0.9, 1.0, 1.0), Box(0.0, 0.0, 1.0, 1.0)],
)
def test_what_was_found_can_be_read_at_every_edge(box: Box, tmp_path: Path) -> None:
    """The whole of the words lies within the picture."""
    path = picture(tmp_path)
    (shown,) = drawn(path, decided(box), tmp_path / "out")
    (middle,) = drawn(path, decided(Box(0.3, 0.5, 0.6, 0.7)), tmp_path / "out")

    def ground(image: Pillow.Image) -> int:
        return int((np.asarray(image) == evidence.COLOURS[0]).all(axis=2).sum())

    assert ground(shown) > 0.5 * ground(middle)


def test_a_strip_does_not_fill_the_terminal() -> None:
    """A picture is shown in so many lines at most."""
    for size in ((100, 6000), (6000, 100), (1, 1)):
        rows = evidence._lines(Pillow.new("RGB", size))
        assert 1 <= len(rows) <= evidence.LINES
        assert {len(row) for row in rows} <= set(range(1, evidence.COLUMNS + 1))


TIFF = b"II*\0" + bytes(40)
LACKING = {
    "empty.png": (b"", "the file is empty"),
    "scan.tif": (TIFF, "begins as TIFF, which is not decoded as pictures: save it as JPEG"),
    "photo.heic": (b"\0\0\0\x18ftypheic" + bytes(40), "begins as HEIC"),
    "drawing.svg": (b"<?xml version='1.0'?><svg/>", "begins as SVG"),
    "report.png": (b"%PDF-1.4 canary-7f3a", "begins as PDF"),
    "half.png": (made.picture("PNG")[:60], "begins as PNG, and is damaged"),
    "noise.jpg": (b"canary-7f3a", "begins as no format that is decoded"),
    "huge.png": (made.stated_png(60_000, 60_000), "a frame has more than 50000000 pixels: scale it down"),
    "flat.png": (made.flat_png(7_000, 7_000), "bytes for each byte of the file: save it anew"),
    "picture.mp3": (made.picture("PNG"), "begins as PNG, which is not decoded as sound: save it as MP3"),
    "half.mp4": (made.movie([made.scene(1)] * 3)[:300], "begins as MP4, and is damaged"),
}


@pytest.mark.parametrize("name", LACKING)
def test_a_file_that_was_not_read_is_told_why(name: str, tmp_path: Path) -> None:
    """What it begins as, the limit that it exceeds, and the remedy; nothing of its content."""
    data, words = LACKING[name]
    path = tmp_path / name
    path.write_bytes(data)
    (subject,) = subjects([str(path)], io.StringIO())
    missing = [Missing("violence.threat", subject.kind, Cause.ERROR)]
    decision = Decision("s", Verdict(), Signals((), missing), Content([]), lambda: "id")
    why = unread(subject, decision, service=False)
    assert why is not None
    assert words in why.message
    assert "canary" not in why.message


def test_what_a_bank_says_of_the_bytes_explains_no_damage(tmp_path: Path) -> None:
    """A damaged recording is told why it was not read also where its bytes were looked up; one that was
    heard is not decoded again."""
    path = tmp_path / "half.wav"
    path.write_bytes(b"RIFF\0\0\0\0WAVE")
    (subject,) = subjects([str(path)], io.StringIO())
    missing = [Missing("hate.speech", "audio", Cause.ERROR), Missing("ncii", "audio", Cause.MODALITY)]
    for detector, told in (("local.audio.file", True), ("local.audio.speech", False)):
        found = Signal("violence.extremism", 0.0, "audio", 4, detector, "1")
        decision = Decision("s", Verdict(), Signals([found], missing), Content([]), lambda: "id")
        why = unread(subject, decision, service=False)
        assert (why is not None and "is damaged" in why.message) is told


@pytest.mark.parametrize(("service", "place"), [(False, "here"), (True, "on its machine")])
def test_without_the_extra_the_remedy_is_named(service: bool, place: str, tmp_path: Path) -> None:
    """On whichever machine looks at it."""
    (subject,) = subjects([str(picture(tmp_path))], io.StringIO())
    decision = Decision(
        "s", Verdict(), Signals((), [Missing("a", "image", Cause.MODALITY)]), Content([]), lambda: "id"
    )
    why = unread(subject, decision, service=service)
    assert why is not None
    assert "reads no pictures" in why.message
    assert place in why.message
    assert "pip install 'spotsafe[media]'" in why.message


def test_what_nothing_looked_at_is_no_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the policy lets it pass unseen, a script that publishes what passes is stopped by the exit code,
    and told."""
    with FakeService() as blind:
        for label in LABELS:
            blind.omit(label, Cause.MODALITY)
        assert main(["check", "--json", "--service", blind.url, str(picture(tmp_path))]) == 2
    found = json.loads(capsys.readouterr().out)
    assert (found["disposition"], found["status"], found["unread"]["reason"]) == (
        "allow",
        "unchecked",
        "modality",
    )


KINDS = {
    "song.flac": "audio", "song.opus": "audio", "book.m4b": "audio", "stream.ts": "video",
    "clip.mkv": "video", "clip.3gp": "video", "cover.webp": "image", "cover.AVIF": "image",
    "notes.md": "text",
}  # fmt: skip


def test_names_say_the_kind_on_every_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the system has no table of media types, or one that takes films for translations."""
    monkeypatch.setattr("mimetypes.guess_type", lambda *_: (None, None))
    for name in KINDS:
        (tmp_path / name).write_bytes(b"some bytes")
    found = subjects([str(tmp_path / name) for name in KINDS], io.StringIO())
    assert [subject.kind for subject in found] == list(KINDS.values())


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (made.picture("PNG"), "image"),
        (b"fLaC", "audio"),
        (b"\0\0\0\x18ftypisom", "video"),
        (b"OggS", "audio"),
    ],
)
def test_a_file_without_an_ending_is_what_it_begins_as(data: bytes, kind: str, tmp_path: Path) -> None:
    """Uploads are often kept under their hash."""
    path = tmp_path / "5f1c"
    path.write_bytes(data)
    assert subjects([str(path)], io.StringIO())[0].kind == kind


def test_a_text_that_is_too_long_is_not_checked_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end would be taken for checked."""
    monkeypatch.setattr("spotsafe.cli.subjects.MOST_TEXT", 10)
    path = tmp_path / "long.txt"
    path.write_text("hello, you there")
    with pytest.raises(ConfigurationError, match="in pieces"):
        subjects([str(path)], io.StringIO())
