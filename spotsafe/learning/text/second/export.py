"""The fitted model as the file that ships: int8 weights per channel, activations quantised at run time."""

from __future__ import annotations

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory

from spotsafe.core.errors import ConfigurationError
from spotsafe.detectors.text.transformer import MODEL, TOKENIZER
from spotsafe.learning.text.second.fitting import Fitted

LARGEST = 23_000_000
"""Bytes of the model file."""


def export(fitted: Fitted, folder: Path) -> str:
    """Write model and vocabulary to *folder*; returns the model's SHA-256. Raises ConfigurationError where
    ``onnx`` is absent or the file is larger than :data:`LARGEST`."""
    try:
        from onnxruntime.quantization import QuantType, quantize_dynamic
    except ImportError:
        raise ConfigurationError("storing the second tier needs onnx: pip install onnx") from None
    from spotsafe.learning.text.second import network

    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as place:
        whole = Path(place) / "whole.onnx"
        network.export(fitted.model, whole)
        quantize_dynamic(str(whole), str(folder / MODEL), per_channel=True, weight_type=QuantType.QInt8)
    (folder / TOKENIZER).write_text(fitted.tokenizer, encoding="utf-8", newline="\n")
    raw = (folder / MODEL).read_bytes()
    if len(raw) > LARGEST:
        raise ConfigurationError(f"{folder / MODEL}: {len(raw)} bytes; at most {LARGEST} may ship")
    return hashlib.sha256(raw).hexdigest()
