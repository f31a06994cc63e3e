"""``spotsafe check`` on files: pictures, recordings and texts, with evidence for people and machines."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from spotsafe.cli import evidence
from spotsafe.cli.main import main
from spotsafe.cli.output import Output
from spotsafe.cli.subjects import subjects
from spotsafe.core.content import Content
from spotsafe.core.decision import Decision, Verdict
from spotsafe.core.errors import ConfigurationError
from spotsafe.core.signals import Box, Signal, Signals, TimeRange
from spotsafe.testing import FakeService

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
    Image.new("RGB", (320, 200), "white").save(path)
    return path


def test_a_picture_is_shown_with_its_boxes(tmp_path: Path, run: Callable[..., tuple[int, str]]) -> None:
    """In the table as places; drawn into a copy of the picture where a folder is given."""
    code, said = run(str(picture(tmp_path)), "--evidence", str(tmp_path / "out"))
    assert code == 1
    assert "box 25%, 50% to 75%, 100%" in " ".join(said.split())
    drawn = Image.open(tmp_path / "out" / "cover.checked.png").convert("RGB")
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
        (["no-such.png"], "is no file here"),
        (["two", "words"], "write a text in quotes"),
        (["{folder}/data.bin"], "does not tell whether"),
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
        assert evidence.show_evidence(subject, decision, Output(stdout=stream, stderr=stream), None) is None
        assert ("▀" * 1 in stream.getvalue()) is shown


def test_a_file_that_is_no_picture_is_not_drawn(tmp_path: Path) -> None:
    """The decision says that it could not be read; drawing adds no second failure."""
    path = tmp_path / "cover.png"
    path.write_bytes(b"no picture")
    (subject,) = subjects([str(path)], io.StringIO())
    signals = Signals([Signal("violence.threat", 0.9, "image", 4, "d", "1", (PICTURE,))])
    decision = Decision("s", Verdict(), signals, Content([]), lambda: "id")
    assert evidence.show_evidence(subject, decision, Output(stdout=io.StringIO()), tmp_path) is None


def test_a_text_that_is_too_long_is_not_checked_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end would be taken for checked."""
    monkeypatch.setattr("spotsafe.cli.subjects.MOST_TEXT", 10)
    path = tmp_path / "long.txt"
    path.write_text("hello, you there")
    with pytest.raises(ConfigurationError, match="in pieces"):
        subjects([str(path)], io.StringIO())
