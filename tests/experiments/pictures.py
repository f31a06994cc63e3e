"""Pictures with text in them, made from a seed: many fonts, sizes, colours, backgrounds, layouts, qualities.

What a picture looks like depends on the seed alone (and on the fonts found), so that an experiment can be run
again. Photographs are those that scikit-learn and Matplotlib carry.
"""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

U8 = NDArray[np.uint8]
Colour = tuple[int, int, int]

FONT_FOLDER = Path("/usr/share/fonts")
LATIN_FONTS = (
    "DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSerif.ttf", "DejaVuSansCondensed-Bold.ttf",
    "DejaVuSansMono.ttf", "LiberationSans-Regular.ttf", "LiberationSans-Bold.ttf",
    "LiberationSerif-Italic.ttf", "LiberationSansNarrow-Bold.ttf", "LiberationSerif-Regular.ttf",
    "FreeSerifBoldItalic.ttf", "FreeSansOblique.ttf", "OpenSans-Bold.ttf", "ComicNeue-Bold.otf",
)  # fmt: skip
CJK_FONTS = ("NotoSansCJK-Regular.ttc", "NotoSansCJK-Bold.ttc")

LAYOUTS = ("note", "photo", "meme", "gradient", "noise", "bubbles")
"""note: dark on light or light on dark; photo: over a photograph; meme: capitals with an outline at the top
and the bottom of a photograph; gradient; noise; bubbles: as in a chat, each line in a box."""


class Made(NamedTuple):
    """A picture, and how it was made."""

    pixels: U8
    style: dict[str, str]


def made(text: str, seed: str, *, fonts: Sequence[str] = LATIN_FONTS, layout: str = "") -> Made:
    """A picture of *text*, decided by *seed*; *layout* one of :data:`LAYOUTS` or empty for any."""
    chance = random.Random(seed)
    layout = layout or chance.choice(LAYOUTS)
    font_name = chance.choice([name for name in fonts if found(name)])
    size = round(14 * (64 / 14) ** chance.random()) if layout != "meme" else chance.randint(28, 64)
    font = ImageFont.truetype(str(found(font_name)), size)
    width = chance.randint(480, 1280)
    lines = broken(text.upper() if layout == "meme" and fonts is LATIN_FONTS else text, font, width - 60)
    angle = chance.choice((0, 0, 0, 0, 2, -4, 8, -12, 90, 180)) if layout in ("note", "photo") else 0
    picture, contrast = _drawn(lines, font, width, layout, chance)
    if angle:
        fill = picture.getpixel((2, 2))
        picture = picture.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=fill)
    quality = chance.choice((95, 85, 70, 50, 35))
    style = {
        "layout": layout, "font": font_name, "size": _band(size, (20, 32, 48)), "contrast": contrast,
        "angle": str(abs(angle)), "quality": str(quality),
    }  # fmt: skip
    return Made(reencoded(picture, quality), style)


def reencoded(picture: Image.Image, quality: int) -> U8:
    """The picture after a trip through JPEG."""
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer).convert("RGB"))


def broken(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """*text* in lines that are no wider than *width* pixels; words that are too long are cut."""
    lines: list[str] = []
    for paragraph in text.splitlines() or [""]:
        line = ""
        for whole in paragraph.split():
            word = whole
            longer = f"{line} {word}".strip()
            if font.getlength(longer) <= width:
                line = longer
                continue
            if line:
                lines.append(line)
            while font.getlength(word) > width:
                fits = max(1, int(len(word) * width / font.getlength(word)) - 1)
                lines.append(word[:fits])
                word = word[fits:]
            line = word
        lines.append(line)
    return [line for line in lines if line]


def _drawn(
    lines: list[str], font: ImageFont.FreeTypeFont, width: int, layout: str, chance: random.Random
) -> tuple[Image.Image, str]:
    step = round(font.size * chance.uniform(1.15, 1.5))
    height = max(round(width * chance.uniform(0.5, 0.9)), step * len(lines) + 60)
    picture = _background(width, height, layout, chance)
    draw = ImageDraw.Draw(picture)
    if layout == "meme":
        _caption(draw, lines, font, picture.size, step)
        return picture, "outlined"
    ink, contrast = _ink(picture, layout, chance)
    outline = contrast == "outlined"
    top = chance.randint(20, max(20, height - step * len(lines) - 30))
    left = chance.randint(15, 40)
    for number, line in enumerate(lines):
        place = (left, top + number * step)
        if layout == "bubbles":
            box = draw.textbbox(place, line, font=font)
            draw.rounded_rectangle((box[0] - 8, box[1] - 5, box[2] + 8, box[3] + 5), 8, fill=(255, 255, 255))
            draw.text(place, line, (20, 20, 30), font=font)
        else:
            stroke = (
                {"stroke_width": max(1, round(font.size / 16)), "stroke_fill": (0, 0, 0)} if outline else {}
            )
            draw.text(place, line, ink, font=font, **stroke)
    return picture, contrast


def _caption(
    draw: ImageDraw.ImageDraw,
    lines: list[str],
    font: ImageFont.FreeTypeFont,
    size: tuple[int, int],
    step: int,
) -> None:
    above = (len(lines) + 1) // 2
    for number, line in enumerate(lines):
        top = 15 + number * step if number < above else size[1] - 20 - step * (len(lines) - number)
        left = (size[0] - font.getlength(line)) / 2
        draw.text(
            (left, top), line, (255, 255, 255), font=font,
            stroke_width=max(2, round(font.size / 14)), stroke_fill=(0, 0, 0),
        )  # fmt: skip


def _ink(picture: Image.Image, layout: str, chance: random.Random) -> tuple[Colour, str]:
    """A colour to write in, and what to call the contrast."""
    if layout in ("photo", "noise"):
        return (255, 255, 255), chance.choice(("outlined", "outlined", "plain white"))
    ground = float(np.asarray(picture.convert("L"), np.float32).mean())
    contrast = chance.choice(("high", "high", "middle", "low"))
    distance = {
        "high": chance.randint(140, 200),
        "middle": chance.randint(80, 120),
        "low": chance.randint(40, 60),
    }
    target = ground - distance[contrast] if ground > 127 else ground + distance[contrast]
    return tuple(int(np.clip(target + chance.randint(-25, 25), 0, 255)) for _ in range(3)), contrast  # type: ignore[return-value]


def _background(width: int, height: int, layout: str, chance: random.Random) -> Image.Image:
    if layout in ("photo", "meme", "bubbles"):
        return photograph(width, height, chance)
    dark = chance.random() < 0.4
    base = np.array(
        [chance.randint(0, 60) if dark else chance.randint(195, 255) for _ in range(3)], np.float32
    )
    canvas = np.broadcast_to(base, (height, width, 3)).copy()
    if layout == "gradient":
        other = np.array(
            [chance.randint(0, 90) if dark else chance.randint(165, 255) for _ in range(3)], np.float32
        )
        part = np.linspace(0, 1, width if chance.random() < 0.5 else height, dtype=np.float32)
        part = part[None, :, None] if len(part) == width else part[:, None, None]
        canvas = canvas * (1 - part) + other * part
    if layout == "noise":
        noise = np.random.default_rng(chance.randint(0, 2**31)).normal(0, 40, (height, width, 3))
        canvas = canvas * 0.4 + 50 + noise
    return Image.fromarray(np.clip(canvas, 0, 255).astype(np.uint8))


def photograph(width: int, height: int, chance: random.Random) -> Image.Image:
    """A piece of a photograph, mirrored or blurred now and then, of that size."""
    source = chance.choice(photographs())
    share = chance.uniform(0.4, 1.0)
    wide, high = round(source.width * share), round(source.height * share)
    left, top = chance.randint(0, source.width - wide), chance.randint(0, source.height - high)
    piece = source.crop((left, top, left + wide, top + high)).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    if chance.random() < 0.5:
        piece = piece.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return piece.filter(ImageFilter.GaussianBlur(chance.choice((0, 0, 2))))


@cache
def photographs() -> tuple[Image.Image, ...]:
    """Photographs inside installed packages: a temple, a flower, a portrait."""
    import matplotlib.cbook
    from sklearn.datasets import load_sample_images

    pictures = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        pictures.append(Image.open(file).convert("RGB"))
    return tuple(pictures)


@cache
def found(name: str) -> Path | None:
    """Where a font file of that name is, or None."""
    return next(iter(sorted(FONT_FOLDER.rglob(name))), None)


def _band(size: int, edges: Sequence[int]) -> str:
    lower = max((edge for edge in edges if size >= edge), default=14)
    upper = next((edge for edge in edges if edge > size), None)
    return f"{lower} px and more" if upper is None else f"{lower} to {upper - 1} px"
