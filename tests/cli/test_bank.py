"""``spotsafe bank``: from files and lists to matches, for people and as JSON."""

from __future__ import annotations

import json
import wave
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from spotsafe.cli.main import main
from tests.detectors.match.made import picture, song

WHAT = ["--label", "ip.copyright", "--source", "a label", "--by", "maria"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a picture, a sound and a text."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPOTSAFE_BANKS", raising=False)
    Image.fromarray(picture(1)).save("cover.png")
    ImageOps.mirror(Image.fromarray(picture(1))).save("copy.jpg", quality=60)
    Image.fromarray(picture(2)).save("other.png")
    for name, sound in (("song.wav", song(1)), ("excerpt.wav", song(1)[40_000:])):
        with wave.open(name, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16_000)
            file.writeframes((sound * 32767).astype(np.int16).tobytes())
    Path("spam.txt").write_text("win a phone today, visit our stall at the market before it is too late")
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any]:
    code = main(["bank", *words, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_picture_goes_in_and_its_copy_is_found(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 1 and the entry for the mirrored JPEG, exit 0 for another picture; removed, it is gone."""
    code, added = run(capsys, "add", "cover.png", "--bank", "image", *WHAT)
    entry_id = added["added"][0]["id"]
    assert code == 0
    code, found = run(capsys, "match", "copy.jpg", "other.png")
    assert (code, [(m["item"], m["entry_id"]) for m in found["matches"]]) == (1, [("copy.jpg", entry_id)])
    assert run(capsys, "match", "other.png") == (0, {"matches": []})
    assert run(capsys, "rebuild") == (0, {"hashes": 23})
    assert run(capsys, "remove", entry_id, "--note", "appeal")[0] == 0
    assert run(capsys, "remove", entry_id)[0] == 1
    assert run(capsys, "match", "copy.jpg")[0] == 0
    changes = run(capsys, "log")[1]["changes"]
    assert [change["action"] for change in changes] == ["add", "rebuild", "remove"]
    assert changes[0]["actor"] == "maria"


def test_sounds_texts_and_files_too(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Which bank is asked about a file follows from the file."""
    assert run(capsys, "add", "song.wav", "--bank", "audio", *WHAT)[0] == 0
    assert run(capsys, "add", "spam.txt", "--bank", "text", *WHAT)[0] == 0
    assert run(capsys, "add", "other.png", "--bank", "exact", *WHAT)[0] == 0
    found = run(capsys, "match", "excerpt.wav", "spam.txt", "other.png")[1]["matches"]
    assert [(match["item"], match["bank"]) for match in found] == [
        ("excerpt.wav", "audio"), ("spam.txt", "text"), ("other.png", "exact"),
    ]  # fmt: skip
    listed = run(capsys, "list", "--bank", "audio")[1]
    assert [entry["bank"] for entry in listed["entries"]] == ["audio"]
    assert listed["banks"]["exact"] == {"entries": 1, "stored": 1}


def test_a_list_is_imported_with_its_bad_lines_named(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 1, for people with file and line."""
    digest = sha256(b"x").hexdigest()
    Path("list.csv").write_text(f"sha256,label\n{digest},child.csam\nnothing,child.csam\n")
    assert main(["bank", "import", "list.csv", "--bank", "exact", "--source", "ncmec"]) == 1
    said = capsys.readouterr().out
    assert "list.csv: 1 added, 0 there already" in said
    assert "list.csv:3: a SHA-256 digest has 64 hexadecimal digits" in said
    code, found = run(capsys, "match", digest, "--hash", "--bank", "exact")
    assert (code, found["matches"][0]["label"]) == (1, "child.csam")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["add", "cover.png", *WHAT], "--bank is needed"),
        (["add", "cover.png", "--bank", "image", "--source", "x"], "--label is needed"),
        (["add", "--bank", "image", *WHAT], "name what to add"),
        (["add", "spam.txt", "--bank", "image", *WHAT], "spam.txt: "),
        (["add", "nowhere.png", "--bank", "exact", *WHAT], "nowhere.png"),
        (["add", "zz", "--hash", "--bank", "image", *WHAT], "64 hexadecimal digits"),
        (["add", "cover.png", "--bank", "image", *WHAT, "--expires", "soon"], "ISO 8601"),
        (["match", "cover.png"], "there are no banks"),
        (["list", "x", "--banks", "known"], "there are no banks"),
    ],
)
def test_unusable_input_is_explained(
    words: list[str], says: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2 with the place and the remedy."""
    code, document = run(capsys, *words)
    assert code == 2
    assert says in document["error"]
