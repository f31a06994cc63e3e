"""Decoding in this process: for training and measuring on files that one trusts."""

from __future__ import annotations

from typing import NamedTuple

from spotsafe.detectors.decode.decoded import Movie, Picture, Sound
from spotsafe.detectors.decode.limits import AUDIO, IMAGE, VIDEO, Limits


class MediaLimits(NamedTuple):
    """The limits of all kinds."""

    image: Limits = IMAGE
    audio: Limits = AUDIO
    video: Limits = VIDEO


class InlineDecoder:
    """Decodes in the calling thread. It keeps every limit but time and memory, which a process of its own
    takes (:class:`~spotsafe.detectors.decode.worker.WorkerDecoder`), and a hole in a codec is a hole in the
    caller: not for files from strangers."""

    def __init__(self, limits: MediaLimits | None = None) -> None:
        self.limits = limits or MediaLimits()

    def picture(self, data: bytes, *, timeout: float | None = None) -> Picture:
        """See :class:`~spotsafe.detectors.decode.decoder.Decoder`; *timeout* is not kept."""
        from spotsafe.detectors.decode.pictures import decode_picture

        return decode_picture(data, self.limits.image)

    def sound(self, data: bytes, *, timeout: float | None = None) -> Sound:
        """See :class:`~spotsafe.detectors.decode.decoder.Decoder`; *timeout* is not kept."""
        from spotsafe.detectors.decode.sounds import decode_sound

        return decode_sound(data, self.limits.audio)

    def movie(self, data: bytes, *, timeout: float | None = None) -> Movie:
        """See :class:`~spotsafe.detectors.decode.decoder.Decoder`; *timeout* is not kept."""
        from spotsafe.detectors.decode.movies import decode_movie

        return decode_movie(data, self.limits.video)
