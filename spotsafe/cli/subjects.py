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
    name: str | None = None

    @property
    def title(self) -> str:
        """What people call it."""
        return ("the text" if self.name is None else self.name) if self.path is None else self.path.name

    @property
    def part(self) -> str:
        """The name of the part that it is: its own, else its kind."""
        return self.kind if self.name is None else self.name

    def named_for(self, policy: SurfacePolicy) -> Subject:
        """It as the first part of its kind that the surface declares, else under its kind's name."""
        declared = (name for name, spec in policy.content.items() if spec.kind == self.kind)
        return self._replace(name=next(declared, self.kind))

    def as_part(self) -> Part:
        """It as a part of content."""
        if self.text is not None:
            return Text(self.text, self.part)
        return PART_TYPES[self.kind](self.data, self.part, mime=self.mime)


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
            raise ConfigurationError(_no_file(word, words, any(found)))
    return [subject for subject in found if subject is not None]


def part_subject(name: str, value: str, kind: str | None) -> Subject:
    """What *value* is as the part *name*: of the declared *kind*; without one a file where it names one, else
    a text. Raises ConfigurationError that says what to write."""
    if _is_file(value):
        path = Path(value)
        if kind in (None, "text") or _kind(path) not in (None, kind):
            found = _file(path)
        else:  # what a product passes under this name is of its kind, whatever the bytes say
            data, _ = read_media(path, str(path))
            found = Subject(kind or "text", path, None, data, mimetypes.guess_type(path.name)[0])
    elif kind not in (None, "text") or (kind is None and _looks_like_media(value)):
        raise ConfigurationError(
            f"--part {name}: {_short(value)} is no file here; check the path"
            + ("" if kind is None else f" (the manifest declares the part as {kind})")
        )
    else:
        found = _text(value, place=f"--part {name}")
    if kind is not None and found.kind != kind:
        raise ConfigurationError(
            f"--part {name}: {found.title} is {found.kind}, and the manifest declares {kind}; change either"
        )
    return found._replace(name=name)


def _no_file(word: str, words: Sequence[str], has_files: bool) -> str:
    """Why *word* of *words* cannot be checked, and what to write."""
    if len(words) == 1 or _looks_like_media(word):
        return (
            f"{_short(word)} is no file here: check the path (a text of that name can be piped in, with '-')"
        )
    if has_files or any(" " in given for given in words):
        return (
            f"{_short(word)} is no file here, and several arguments are several files: check a text alone, "
            "or as a part beside the files: --part title='some words' --part cover=cover.png"
        )
    return f"{_short(word)} is no file here; write a text in quotes, as one argument"


def _short(word: str) -> str:
    return repr(word if len(word) <= 60 else word[:60] + "…")


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


def _text(text: str, path: Path | None = None, *, place: str | None = None) -> Subject:
    if not text.strip():
        where = f"{place}: " if place is not None else ""
        remedy = "give it some words" if place else "pass it as an argument or on standard input"
        raise ConfigurationError(f"{where}there is no text to check: {remedy}")
    return Subject("text", path, text)


def _read(stdin: TextIO) -> str:
    try:
        return stdin.read()
    except UnicodeDecodeError:
        raise ConfigurationError("standard input is not UTF-8 text") from None
