"""Whatever colours a picture is stored in → 8-bit sRGB, upright, without transparency."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

U8 = NDArray[np.uint8]

LARGEST_PROFILE = 1 << 20
"""Bytes of a colour profile that is applied; printers' profiles have half a megabyte."""

VISIBLE = 32
"""Alpha from which a pixel counts as seen."""

ALIKE = 64
"""Grey levels within which something cannot be made out from its background."""

_WIDE = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")


def as_rgb(image: Image, by: int, turn: str | None) -> U8:
    """``uint8[height, width, 3]`` of *image*, both sides divided *by* a whole number, and then turned; *turn*
    is Pillow's name of a transposition."""
    from PIL.Image import Transpose

    profile = image.info.get("icc_profile")
    image = _eight_bits(image)
    image = _plain(image)
    if by > 1:
        image = _reduced(image, by)
    image = _standard(image, profile)
    if image.mode in ("RGBA", "LA"):
        image = flattened(image.convert("RGBA"))
    if image.mode != "RGB":
        image = image.convert("RGB")
    if turn is not None:
        image = image.transpose(Transpose[turn])
    return np.asarray(image)


def _reduced(image: Image, by: int) -> Image:
    """Means of *by* times *by* pixels, where colours count as much as they are seen."""
    if image.mode in ("RGBA", "LA"):
        return image.convert(image.mode[:-1] + "a").reduce(by).convert(image.mode)
    return image.reduce(by)


def _eight_bits(image: Image) -> Image:
    """Sixteen bits of grey to eight; Pillow's own conversion clips."""
    if image.mode not in _WIDE:
        return image
    from PIL.Image import fromarray

    values = np.nan_to_num(np.asarray(image).astype(np.float64))
    top = float(values.max(initial=0.0))
    scale = 1.0 if top <= 255 else 255 / max(65_535.0, top)
    return fromarray((values.clip(min=0) * scale).astype(np.uint8))


def _plain(image: Image) -> Image:
    """Palettes resolved, and transparency that is kept beside the pixels made a channel."""
    if image.mode in ("P", "PA") or "transparency" in image.info:
        clear = image.mode == "PA" or "transparency" in image.info
        return image.convert("RGBA" if clear else "RGB")
    return image.convert("L") if image.mode == "1" else image


def _standard(image: Image, profile: bytes | None) -> Image:
    """Through its colour profile to sRGB, as viewers show it. A profile that is damaged, or for other
    channels, is passed over, as viewers do."""
    if not profile or len(profile) > LARGEST_PROFILE or image.mode not in ("L", "RGB", "RGBA", "CMYK"):
        return image
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        shown = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=mode)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image
    return image if shown is None else shown


def flattened(image: Image) -> Image:
    """*image* (RGBA) on white, or on black where what can be seen of it would vanish on white and would not
    on black: light drawings are made for dark pages."""
    from PIL.Image import alpha_composite, new

    ground = new("RGBA", image.size, background(image))
    return alpha_composite(ground, image).convert("RGB")


def background(image: Image) -> tuple[int, int, int, int]:
    """The colour to put behind *image* (RGBA). A sample of it decides."""
    from PIL.Image import Resampling

    small = image if max(image.size) <= 256 else image.resize((256, 256), Resampling.NEAREST)
    grey = np.asarray(small.convert("L"))[np.asarray(small.getchannel("A")) >= VISIBLE]
    if not grey.size:
        return (255, 255, 255, 255)
    lost_on_white = float((grey > 255 - ALIKE).mean())
    lost_on_black = float((grey < ALIKE).mean())
    return (0, 0, 0, 255) if lost_on_white > 0.5 and lost_on_black < lost_on_white else (255, 255, 255, 255)
