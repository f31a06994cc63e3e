"""What ``spotsafe check`` is given: a text, or files by their kind."""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TextIO

from spotsafe.client.media import read_media
from spotsafe.core.content import PART_TYPES, Part, Text
from spotsafe.core.errors import ConfigurationError

if TYPE_CHECKING:
    from spotsafe.policy.surface import SurfacePolicy

MOST_TEXT = 1024 * 1024
"""Bytes of a text file."""


_ENDINGS = {
    "text": "txt text md markdown csv tsv log srt vtt html htm",
    "image": "png apng jpg jpeg jpe jfif gif webp avif bmp tif tiff heic heif svg ico",
    "audio": "mp3 m4a m4b aac ogg oga opus wav wave flac aif aiff aifc amr wma",
    "video": "mp4 m4v mov mkv webm avi ts mts m2ts 3gp 3g2 mpg mpeg ogv wmv flv",
}
_KIND_OF = {f".{ending}": kind for kind, endings in _ENDINGS.items() for ending in endings.split()}
"""Ending of a name → kind. A table of our own, since that of the system differs from machine to machine, and
takes transport streams for translations."""

_FILMS = ("mov", "matroska", "avi", "mpegts")
"""Containers that are video unless the name says sound."""


class Subject(NamedTuple):
    """One thing to check: a *text*, or the *data* of a file of some *kind*."""

    kind: str
    path: Path | None = None
    text: str | None = None
    data: bytes = b""
    mime: str | None = None

    @property
    def title(self) -> str:
        """What people call it."""
        return "the text" if self.path is None else self.path.name

    def part_for(self, policy: SurfacePolicy) -> Part:
        """It as the first part of its kind that the surface declares, else under its kind's name."""
        name = next((name for name, spec in policy.content.items() if spec.kind == self.kind), self.kind)
        if self.text is not None:
            return Text(self.text, name)
        return PART_TYPES[self.kind](self.data, name, mime=self.mime)


def subjects(words: Sequence[str], stdin: TextIO) -> list[Subject]:
    """What *words* of a command line name: nothing or ``-`` is a text on *stdin*, names of files are files,
    and one word that is no file is the text itself. Raises ConfigurationError that says what to write."""
    if list(words) in ([], ["-"]):
        return [_text(_read(stdin))]
    found = [_file(Path(word)) if _is_file(word) else None for word in words]
    if len(words) == 1 and found[0] is None and not _looks_like_media(words[0]):
        return [_text(words[0])]
    for word, subject in zip(words, found, strict=True):
        if subject is None:
            shown = word if len(word) <= 60 else word[:60] + "…"
            raise ConfigurationError(f"{shown!r} is no file here; write a text in quotes, as one argument")
    return [subject for subject in found if subject is not None]


def _is_file(word: str) -> bool:
    try:
        return Path(word).is_file()
    except (OSError, ValueError):  # a text is no name of a file: too long, or with a NUL in it
        return False


def _looks_like_media(word: str) -> bool:
    return " " not in word and _kind(Path(word)) in ("image", "audio", "video")


def _kind(path: Path) -> str | None:
    """By the name's ending; None where that says nothing."""
    return _KIND_OF.get(path.suffix.lower())


def _kind_within(data: bytes) -> str | None:
    """By the first bytes: what a file without a telling name is."""
    from spotsafe.detectors.decode import sniff

    if sniff.picture_format(data) is not None:
        return "image"
    container = sniff.container_format(data)
    return None if container is None else "video" if container in _FILMS else "audio"


def _file(path: Path) -> Subject:
    data, _ = read_media(path, str(path))
    kind = _kind(path) or _kind_within(data)
    if kind is None:
        raise ConfigurationError(
            f"{path}: neither its name nor its first bytes tell whether it is a text, a picture, a recording "
            "or a video; give it an ending such as .txt, .png, .mp3 or .mp4"
        )
    if kind != "text":
        return Subject(kind, path, None, data, mimetypes.guess_type(path.name)[0])
    if len(data) > MOST_TEXT:  # a part of it would be checked, and the rest taken for checked
        raise ConfigurationError(f"{path} has more than {MOST_TEXT} bytes; check it in pieces")
    try:
        return _text(data.decode("utf-8-sig"), path)
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not UTF-8 text") from None


def _text(text: str, path: Path | None = None) -> Subject:
    if not text.strip():
        raise ConfigurationError("there is no text to check: pass it as an argument or on standard input")
    return Subject("text", path, text)


def _read(stdin: TextIO) -> str:
    try:
        return stdin.read()
    except UnicodeDecodeError:
        raise ConfigurationError("standard input is not UTF-8 text") from None
