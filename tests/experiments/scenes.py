"""Unrelated pictures in numbers, made from a seed: pieces of photographs, landscapes, fractals, textures,
posters, charts, screens, drawings, collages.

A picture depends on its number, the kind and the photographs found. Two numbers share no content but for
pieces of the same photograph, which never overlap within one size of piece, and for the two pictures that a
blend or a collage is made of.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

U8 = NDArray[np.uint8]
LONGEST = 900
NOT_PHOTOGRAPHS = ("chessboard", "motorcycle_right", "phantom", "color", "logo")
"""scikit-image's pictures that are symmetric, or the second one of a stereo pair."""

VARIANTS = (
    "screenshot", "images_dark", "-d.webp", "Ubuntu-Mate", "alphabets", "operators", "dreydl", "/flags/",
    "/faces/", "/military/",
)  # fmt: skip
"""In names of files: previews, the same picture darkened or in other colours, the same letter in two sizes,
signs that are each other's mirror image, drawings that are one drawing with another detail or colour."""

WORDS = (
    "night", "market", "summer", "episode", "listen", "live", "tonight", "sale", "free", "tour",
    "ticket", "album", "new", "winter", "river", "garden", "museum", "coffee", "jazz", "radio", "story",
    "city", "light", "open", "friday", "breakfast", "mountain", "train", "history", "science",
)  # fmt: skip


@lru_cache(maxsize=4)
def photographs(folder: str = "") -> tuple[Image.Image, ...]:
    """Photographs and drawings inside scikit-learn, scikit-image and Matplotlib, and, with *folder*, every
    picture file below it (one of several sizes of the same), longest side at most 900 pixels."""
    import matplotlib.cbook
    import skimage
    import sklearn

    files = sorted((Path(sklearn.__file__).parent / "datasets" / "images").glob("*.jpg"))
    files += sorted(
        path for path in (Path(skimage.__file__).parent / "data").iterdir()
        if path.suffix in {".png", ".jpg"} and not any(word in path.name for word in NOT_PHOTOGRAPHS)
    )  # fmt: skip
    files.append(Path(str(matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))))
    if folder:
        files += one_of_each(Path(folder))
    return tuple(opened(path) for path in files)


def one_of_each(folder: Path) -> list[Path]:
    """The picture files below *folder*; of files that differ only in the size that their name gives, one."""
    chosen: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in {".jpg", ".jpeg", ".png", ".webp"}:
            continue
        if any(word in str(path) for word in VARIANTS):
            continue
        sized = path.stem.replace("x", "").replace("_", "").isdigit()
        base = str(path.parent) if sized else str(path.parent / path.stem.partition("_")[0])
        chosen.setdefault(base, path)
    return list(chosen.values())


def opened(path: Path) -> Image.Image:
    """The picture, upright, on white where it is transparent, at most 900 pixels long."""
    picture = Image.open(path)
    picture.draft("RGB", (LONGEST, LONGEST))  # JPEG decodes to about that size at once
    if picture.mode in {"RGBA", "LA", "P"}:
        picture = picture.convert("RGBA")
        ground = Image.new("RGBA", picture.size, "white")
        ground.alpha_composite(picture)
        picture = ground
    picture = picture.convert("RGB")
    picture.thumbnail((LONGEST, LONGEST))
    return picture


def pieces(photos: Sequence[Image.Image], shortest: int = 150) -> list[Image.Image]:
    """Each photograph whole and in 2 × 2, 3 × 3 to 8 × 8 pieces, as long as the shorter side of a
    piece has *shortest* pixels."""
    found: list[Image.Image] = []
    for photo in photos:
        for parts in range(1, 9):
            width, height = photo.width // parts, photo.height // parts
            if min(width, height) < shortest:
                break
            found += pieces_of(photo, parts)
    return found


def pieces_of(picture: Image.Image, parts: int) -> list[Image.Image]:
    """The picture cut into *parts* × *parts* pieces."""
    width, height = picture.width // parts, picture.height // parts
    return [
        picture.crop((x * width, y * height, (x + 1) * width, (y + 1) * height))
        for x in range(parts)
        for y in range(parts)
    ]


def scene(number: int, photos: Sequence[Image.Image], side: int = 160) -> Image.Image:
    """The picture of that number: kind, proportions and content are drawn from it. *side* in pixels."""
    chance = np.random.default_rng((7, number))
    proportions = chance.choice((1.0, 1.0, 1.33, 1.5, 1.78, 0.75, 0.67))
    width, height = round(side * max(1.0, proportions)), round(side * max(1.0, 1 / proportions))
    make = KINDS[number % len(KINDS)]
    if make in (blend, collage):
        return make(chance, width, height, photos)  # type: ignore[call-arg]
    return make(chance, width, height)


def kind(number: int) -> str:
    """What sort of picture :func:`scene` makes of *number*."""
    return KINDS[number % len(KINDS)].__name__


def cloud(chance: np.random.Generator, width: int, height: int, slope: float) -> NDArray[np.float64]:
    """A field in [0, 1] whose spectrum falls as 1 / frequency ** *slope*, as that of natural scenes does."""
    noise = np.fft.rfft2(chance.standard_normal((height, width)))
    radius = np.hypot(np.fft.fftfreq(height)[:, None] * height, np.fft.rfftfreq(width)[None] * width)
    field = np.fft.irfft2(noise / np.maximum(radius, 1) ** slope, (height, width))
    low, high = np.percentile(field, [1, 99])
    return np.clip((field - low) / (high - low), 0, 1)


def coloured(chance: np.random.Generator, field: NDArray[np.float64]) -> Image.Image:
    """A field in [0, 1] through a palette of three colours."""
    palette = chance.integers(0, 256, (3, 3)).astype(float)
    while abs(palette[0].mean() - palette[2].mean()) < 80:
        palette = chance.integers(0, 256, (3, 3)).astype(float)
    part = field[..., None] * 2
    mixed = np.where(part < 1, palette[0] + (palette[1] - palette[0]) * part,
                     palette[1] + (palette[2] - palette[1]) * (part - 1))  # fmt: skip
    return Image.fromarray(np.clip(mixed, 0, 255).astype(np.uint8))


def texture(chance: np.random.Generator, width: int, height: int) -> Image.Image:
    """Clouds, marble, terrain."""
    field = cloud(chance, width, height, chance.uniform(0.8, 1.8))
    if chance.random() < 0.4:
        field = 0.5 + 0.5 * np.sin(field * chance.uniform(6, 30))
    return coloured(chance, field)


def fractal(chance: np.random.Generator, width: int, height: int) -> Image.Image:
    """A part of a Julia set."""
    c = 0.7885 * np.exp(1j * chance.uniform(0, 2 * np.pi))
    zoom, centre = chance.uniform(0.3, 1.5), complex(*chance.uniform(-0.6, 0.6, 2))
    z = centre + zoom * (np.linspace(-1, 1, width)[None] + 1j * np.linspace(-1, 1, height)[:, None])
    steps = np.zeros(z.shape)
    for _ in range(14):
        inside = np.abs(z) < 4
        steps += inside
        z = np.where(inside, z * z + c, z)
    return coloured(chance, np.sqrt(steps / max(1.0, steps.max())))


def landscape(chance: np.random.Generator, width: int, height: int) -> Image.Image:
    """Sky, sun, ridges with their own ground, trees or houses before them."""
    sky = 0.3 * cloud(chance, width, height, 1.6) + np.linspace(0.2, 0.7, height)[:, None]
    picture = np.asarray(coloured(chance, np.clip(sky, 0, 1))).astype(float)
    y = np.arange(height)[:, None]
    for level in np.sort(chance.uniform(0.25, 0.95, chance.integers(2, 5))):
        walk = np.cumsum(chance.standard_normal(width)) * chance.uniform(0.2, 1.2)
        ridge = height * level + np.convolve(walk - walk.mean(), np.ones(7) / 7, "same")
        ground = chance.uniform(10, 220, 3) * (0.6 + 0.6 * cloud(chance, width, height, 1.2)[..., None])
        picture = np.where((y > ridge[None])[..., None], ground, picture)
    drawn = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(drawn)
    for _ in range(chance.integers(0, 8)):
        left, base = chance.uniform(0, width), chance.uniform(0.5, 1) * height
        wide, high = chance.uniform(0.03, 0.2) * width, chance.uniform(0.05, 0.45) * height
        shape = draw.ellipse if chance.random() < 0.4 else draw.rectangle
        shape((left, base - high, left + wide, base), fill=_colour(chance))
    return drawn


def drawing(chance: np.random.Generator, width: int, height: int) -> Image.Image:
    """Overlapping shapes of flat colour: clip art, covers, illustrations."""
    picture = Image.new("RGB", (width, height), _colour(chance))
    draw = ImageDraw.Draw(picture)
    for _ in range(chance.integers(6, 30)):
        x, y = chance.uniform(-0.1, 1, 2) * (width, height)
        size = chance.uniform(0.05, 0.6) * width
        which = chance.integers(4)
        if which == 0:
            draw.ellipse((x, y, x + size, y + size * chance.uniform(0.3, 1.5)), fill=_colour(chance))
        elif which == 1:
            draw.rectangle((x, y, x + size, y + size * chance.uniform(0.2, 1.5)), fill=_colour(chance))
        elif which == 2:
            corners = (np.array((x, y)) + chance.uniform(-1, 1, (chance.integers(3, 7), 2)) * size).ravel()
            draw.polygon(corners.tolist(), fill=_colour(chance))
        else:
            x2, y2 = chance.uniform(0, 1, 2) * (width, height)
            draw.line((x, y, x2, y2), fill=_colour(chance), width=int(chance.integers(1, 12)))
    return picture


def poster(chance: np.random.Generator, width: int, height: int) -> Image.Image:
    """Words of several sizes on a plain, shaded or textured ground."""
    ground = np.linspace(0, 1, height)[:, None] * np.ones(width) if chance.random() < 0.5 else (
        cloud(chance, width, height, 1.8) * chance.uniform(0.2, 1)
    )  # fmt: skip
    picture = coloured(chance, ground)
    draw = ImageDraw.Draw(picture)
    y = chance.uniform(0, 0.15) * height
    while y < height * 0.9:
        size = chance.uniform(0.05, 0.2) * height
        line = " ".join(chance.choice(WORDS, chance.integers(1, 4)))
        draw.text((chance.uniform(0, 0.3) * width, y), line, fill=_colour(chance), font=_font(round(size)))
        y += size * chance.uniform(1.1, 2.5)
    return picture


def page(chance: np.random.Generator, width: int, height: int) -> Image.Image:
    """A screen or a letter: mostly white, lines of small text, boxes, a head line."""
    picture = Image.new("RGB", (width, height), (255, 255, 255) if chance.random() < 0.7 else (24, 26, 30))
    ink = (20, 20, 20) if picture.getpixel((0, 0)) == (255, 255, 255) else (225, 225, 225)
    draw = ImageDraw.Draw(picture)
    y, step = chance.uniform(0.02, 0.2) * height, chance.uniform(0.04, 0.09) * height
    while y < height * chance.uniform(0.7, 1):
        if chance.random() < 0.15:
            high = chance.uniform(0.1, 0.35) * height
            box = (chance.uniform(0, 0.4) * width, y, chance.uniform(0.5, 1) * width, y + high)
            draw.rectangle(box, fill=_colour(chance))
            y += high + step
            continue
        line = " ".join(chance.choice(WORDS, chance.integers(2, 9)))
        draw.text((0.05 * width, y), line, fill=ink, font=_font(max(5, round(step * 0.8))))
        y += step * (1 if chance.random() < 0.8 else 2)
    return picture


def chart(chance: np.random.Generator, width: int, height: int) -> Image.Image:
    """Bars or lines between axes."""
    picture = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(picture)
    left, base = 0.08 * width, 0.9 * height
    count = int(chance.integers(4, 24))
    values = chance.uniform(0.05, 0.85, count) * height
    step = (width - 1.5 * left) / count
    draw.line((left, 0.05 * height, left, base, width - left / 2, base), fill="black")
    if chance.random() < 0.5:
        colour = _colour(chance)
        for index, value in enumerate(values):
            draw.rectangle(
                (left + index * step, base - value, left + (index + 0.7) * step, base), fill=colour
            )
    else:
        for _ in range(chance.integers(1, 5)):
            walk = np.clip(np.cumsum(chance.standard_normal(60)) * height * 0.05 + height / 2, 5, base)
            x = np.linspace(left, width - left / 2, 60)
            draw.line(np.stack([x, walk], 1).ravel().tolist(), fill=_colour(chance), width=3)
    return picture


def blend(chance: np.random.Generator, width: int, height: int, photos: Sequence[Image.Image]) -> Image.Image:
    """A small random piece of one photograph over a texture, or over a piece of another one."""
    first, second = (_piece(chance, width, height, photos) for _ in range(2))
    if chance.random() < 0.5:
        second = texture(chance, width, height)
    return Image.blend(first, second, float(chance.uniform(0.35, 0.65)))


def collage(
    chance: np.random.Generator, width: int, height: int, photos: Sequence[Image.Image]
) -> Image.Image:
    """Four to nine pictures in one."""
    rows = int(chance.integers(2, 4))
    picture = Image.new("RGB", (width, height), _colour(chance))
    for x in range(rows):
        for y in range(rows):
            size = (width // rows, height // rows)
            part = _piece(chance, *size, photos) if chance.random() < 0.6 else texture(chance, *size)
            picture.paste(part, (x * size[0], y * size[1]))
    return picture


def _piece(
    chance: np.random.Generator, width: int, height: int, photos: Sequence[Image.Image]
) -> Image.Image:
    photo = photos[chance.integers(len(photos))]
    size = min(photo.size) * chance.uniform(0.15, 0.45)
    wide, high = (size, size * height / width) if width > height else (size * width / height, size)
    left, top = chance.uniform(0, photo.width - wide), chance.uniform(0, photo.height - high)
    box = (float(left), float(top), float(left + wide), float(top + high))
    return photo.resize((width, height), Image.Resampling.BILINEAR, box=box)


def _colour(chance: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = chance.integers(0, 256, 3).tolist()
    return red, green, blue


@lru_cache(maxsize=64)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(max(5, size))


KINDS: tuple[Callable[..., Image.Image], ...] = (
    texture, fractal, landscape, drawing, poster, page, chart, blend, collage,
)  # fmt: skip


def as_pixels(picture: Image.Image) -> U8:
    """The picture as banks take it: uint8[height, width, 3]."""
    return np.asarray(picture.convert("RGB"))


def jpeg(picture: Image.Image, quality: int) -> Image.Image:
    """The picture after a trip through JPEG."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


TILES = 6


def sheet(number: int, photos: Sequence[Image.Image], side: int = 64) -> list[Image.Image]:
    """36 pictures of one kind: textures, fractals and landscapes as pieces of one large picture that do not
    overlap, the others one by one."""
    make = KINDS[number % len(KINDS)]
    if make in (texture, fractal, landscape):
        return pieces_of(scene(number, photos, side * TILES), TILES)
    first = (number + 1) * len(KINDS) * TILES * TILES + number % len(KINDS)
    return [scene(first + len(KINDS) * step, photos, side) for step in range(TILES * TILES)]
