"""Which of the accepted formats a file is in, by its first bytes alone.

A name or a media type that comes with a file is its sender's word. Nothing here guesses: a file whose first
bytes belong to no accepted format goes to no parser at all.
"""

from __future__ import annotations

PICTURES = ("jpeg", "png", "gif", "webp", "avif", "bmp")
"""Formats of pictures that are decoded. TIFF, with by far the longest record of holes, is not among them."""

CONTAINERS = ("mov", "matroska", "ogg", "wav", "flac", "mp3", "aac", "aiff", "avi", "mpegts")
"""FFmpeg's names of the containers of sound and video that are opened."""

_PICTURE_MAGIC = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"BM", "bmp"),
)
_CONTAINER_MAGIC = (
    (b"\x1aE\xdf\xa3", "matroska"),
    (b"OggS", "ogg"),
    (b"fLaC", "flac"),
)
_FORMS = {
    (b"RIFF", b"WAVE"): "wav",
    (b"RF64", b"WAVE"): "wav",
    (b"RIFF", b"AVI "): "avi",
    (b"FORM", b"AIFF"): "aiff",
    (b"FORM", b"AIFC"): "aiff",
}
_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_STILL_BRANDS = (b"avif", b"avis", b"mif1", b"msf1", b"heic", b"heix", b"hevc", b"hevx")
_PADDING = 1 << 16
"""Zeros that taggers leave before the sound, at most."""

_REFERRING = (
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"Rar!\x1a\x07",
    b"7z\xbc\xaf\x27\x1c",
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ\x00",
    b"\x28\xb5\x2f\xfd",
    b"#EXTM3U",
    b"ffconcat",
    b"[playlist]",
    b"[reference]",
)


def picture_format(data: bytes) -> str | None:
    """One of :data:`PICTURES`, or None."""
    for magic, name in _PICTURE_MAGIC:
        if data.startswith(magic):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return "avif" if data[4:8] == b"ftyp" and data[8:12] in (b"avif", b"avis") else None


def container_format(data: bytes) -> str | None:
    """One of :data:`CONTAINERS`, or None."""
    for magic, name in _CONTAINER_MAGIC:
        if data.startswith(magic):
            return name
    form = _FORMS.get((data[:4], data[8:12]))
    if form is not None:
        return form
    if data[4:8] in _BOXES:
        return None if data[4:8] == b"ftyp" and data[8:12] in _STILL_BRANDS else "mov"
    if len(data) > 376 and data[0] == data[188] == data[376] == 0x47:
        return "mpegts"
    tag = _tag_length(data)
    return _bare_audio(data[tag : tag + _PADDING].lstrip(b"\0")[:4])


def _bare_audio(start: bytes) -> str | None:
    """MPEG audio without a container. Both have eleven or more sync bits; ADTS has layer 0."""
    if start == b"fLaC":
        return "flac"
    if len(start) < 2 or start[0] != 0xFF or start[1] & 0xE0 != 0xE0:
        return None
    return "aac" if start[1] & 0xF6 == 0xF0 else "mp3"


def _tag_length(data: bytes) -> int:
    """Bytes of the ID3v2 tags in front (its sizes have seven bits to a byte); some files carry two."""
    offset = 0
    while data[offset : offset + 3] == b"ID3" and len(data) >= offset + 10:
        size = 0
        for byte in data[offset + 6 : offset + 10]:
            size = size << 7 | byte & 0x7F
        offset += 10 + size
    return offset


_NAMES = {
    "jpeg": "JPEG", "png": "PNG", "gif": "GIF", "webp": "WebP", "avif": "AVIF", "bmp": "BMP",
    "mov": "MP4", "matroska": "Matroska or WebM", "ogg": "Ogg", "wav": "WAV", "flac": "FLAC", "mp3": "MP3",
    "aac": "AAC", "aiff": "AIFF", "avi": "AVI", "mpegts": "MPEG-TS",
}  # fmt: skip
_OTHERS = (
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"%PDF", "PDF"),
    (b"8BPS", "Photoshop"),
    (b"\0\0\1\0", "an icon"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\x30\x26\xb2\x75", "Windows Media"),
    (b"#!AMR", "AMR"),
    (b"MThd", "MIDI"),
    (b"FLV\1", "Flash video"),
    (b"PK\3\4", "a ZIP archive"),
)


def called(data: bytes) -> str | None:
    """What people call the format that *data* begins as, be it decoded or not; None where it is unknown. For
    messages alone."""
    known = picture_format(data) or container_format(data)
    if known is not None:
        return _NAMES[known]
    for magic, name in _OTHERS:
        if data.startswith(magic):
            return name
    if data[4:8] == b"ftyp":
        return "HEIC"
    return "SVG" if b"<svg" in data[:1024].lower() else None


def refers_elsewhere(data: bytes) -> bool:
    """Whether the file is a list or an archive of other files."""
    return data.startswith(_REFERRING) or b"<MPD" in data[:1024] or b"<smil" in data[:1024]


def webp_canvas(data: bytes) -> tuple[int, int]:
    """Width and height that a WebP file states; its decoder allocates them when it opens the file.
    ``(0, 0)`` for one too short. Layout: RFC 9649, sections 2.5 to 2.7."""
    if len(data) < 30:
        return 0, 0
    if data[12:16] == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if data[12:16] == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = (int.from_bytes(data[start : start + 2], "little") & 0x3FFF for start in (26, 28))
    return width, height
