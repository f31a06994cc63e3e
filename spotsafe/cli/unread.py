"""Why a file has no scores, in words for the person who gave it: where, what, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from spotsafe.cli.subjects import Subject
from spotsafe.core.decision import Decision
from spotsafe.core.errors import SpotsafeError
from spotsafe.core.signals import Cause

if TYPE_CHECKING:
    from spotsafe.detectors.decode.decoder import DecodeError

_COMMON = {
    "image": "JPEG, PNG, GIF, WebP, AVIF or BMP",
    "audio": "MP3, AAC, Ogg, Opus, FLAC or WAV",
    "video": "MP4, WebM or Matroska",
}
"""What to save a file as; all that is accepted stands in ``docs/media-safety.md``."""

BYTES_ALONE = ".file"
"""Last word of the ids of detectors that look up a file's bytes and decode nothing
(:class:`spotsafe.detectors.match.detector.KnownFileDetector`)."""

_KINDS = {"image": "pictures", "audio": "sound", "video": "video"}


class Unread(NamedTuple):
    """*reason*: ``modality``, or one of the decoder's closed set; *message*: for people."""

    reason: str
    message: str


def reasons_unread(subjects: Sequence[Subject], decision: Decision, *, service: bool) -> dict[str, Unread]:
    """Why files among *subjects*, the parts of one content, were not read, by the parts' names. *service*: a
    service checked them."""
    found = {subject.part: unread(subject, decision, service=service) for subject in subjects}
    return {name: why for name, why in found.items() if why is not None}


def unread(subject: Subject, decision: Decision, *, service: bool) -> Unread | None:
    """Why nothing of a file was judged; None where something was, or where nobody here knows. What a bank
    says of its bytes alone is no judgement: it says it of damaged files too. *service*: a service
    checked it."""
    if subject.kind not in _KINDS:
        return None
    judged = any(
        signal.part == subject.part and not signal.detector.endswith(BYTES_ALONE)
        for signal in decision.signals.scores
    )
    causes = {entry.cause for entry in decision.signals.missing if entry.part in ("", subject.part)}
    kinds = _KINDS[subject.kind]
    if judged:
        return None
    if causes & {Cause.ERROR, Cause.SIZE, Cause.TIMEOUT}:
        error = _decoding(subject)
        if error is not None:
            return Unread(error.reason.value, _words(subject, error))
    if Cause.MODALITY in causes and not causes & {Cause.ERROR, Cause.SIZE, Cause.TIMEOUT}:
        who, where = ("the service", "on its machine, ") if service else ("the engine here", "")
        return Unread("modality", f"{who} reads no {kinds}: {where}pip install 'spotsafe[media]'")
    return None


def _decoding(subject: Subject) -> DecodeError | None:
    """The error that decoding the file ends in here, within the usual limits and in a process of its own."""
    if find_spec("PIL") is None or find_spec("av") is None or find_spec("numpy") is None:
        return None
    from spotsafe.detectors.decode.decoder import DecodeError
    from spotsafe.detectors.decode.worker import WorkerDecoder

    decoder = WorkerDecoder()
    decode = {"image": decoder.picture, "audio": decoder.sound, "video": decoder.movie}[subject.kind]
    try:
        decode(subject.data)
    except DecodeError as error:
        return error
    except SpotsafeError:
        return None
    finally:
        decoder.close()
    return None


def _words(subject: Subject, error: DecodeError) -> str:
    from spotsafe.detectors.decode import sniff
    from spotsafe.detectors.decode.limits import Reason

    if not subject.data:
        return "the file is empty"
    if error.reason is not Reason.UNREADABLE:
        return str(error)
    name = sniff.called(subject.data)
    save = f"save it as {_COMMON[subject.kind]}"
    if name is None:
        return f"it begins as no format that is decoded: {save}"
    accepted = sniff.picture_format if subject.kind == "image" else sniff.container_format
    if accepted(subject.data) is None:
        return f"it begins as {name}, which is not decoded as {_KINDS[subject.kind]}: {save}"
    return f"it begins as {name}, and is damaged, incomplete, or in a codec that is not decoded: {save}"
