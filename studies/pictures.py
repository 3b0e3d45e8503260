"""Real images for the networks that read text: a photograph, digits of MNIST, and lines of text in three typefaces."""

from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

__all__ = ["lines", "pages", "planes", "upside_down"]

FONTS = ("DejaVuSans.ttf", "DejaVuSerif.ttf", "DejaVuSansMono.ttf")  # matplotlib ships them
PHOTOGRAPH = "sample_data/grace_hopper.jpg"  # so does it this one, of an admiral
PAPER, INK = 245, 25
TEXT = (
    "The precision of a group of values",
    "is that of the widest one in it.",
    "Most groups are narrow: 35 % of bits",
    "are left, 0.35 x 16 = 5.6 a value.",
    "Order No. 4711 / 2026-11-26, 18:23",
    "Total 1,234.50 EUR incl. 19 % VAT",
)
DIGITS = 10


def data():
    """The folder of matplotlib's fonts and sample data."""
    return Path(matplotlib.get_data_path())


def written(text, font, size, height, width, at=(6, 2)):
    """Lines of `text` in ink on paper: uint8 [height, width, 3]."""
    picture = Image.new("RGB", (width, height), (PAPER,) * 3)
    face = ImageFont.truetype(str(data() / "fonts" / "ttf" / font), size)
    ImageDraw.Draw(picture).multiline_text(at, text, (INK,) * 3, face, spacing=size // 2)
    return np.asarray(picture)


def strip(digits):
    """MNIST's digits [N, 28, 28] side by side, in ink on paper: uint8 [28, N * 28, 3]."""
    row = np.concatenate(list(digits), axis=1).astype(np.float64)
    return np.repeat((PAPER - row * ((PAPER - INK) / 255)).astype(np.uint8)[..., None], 3, axis=2)


def resized(picture, height, width):
    """`picture` at another size, without keeping its proportions."""
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR))


def pages(digits, side):
    """Square images: the photograph, a page of text, the digits in rows of `DIGITS`."""
    with Image.open(data() / PHOTOGRAPH) as file:
        photograph = np.asarray(file.convert("RGB"))
    page = written("\n".join(TEXT), FONTS[0], side // 20, side, side, (side // 20, side // 8))
    rows = [strip(digits[i : i + DIGITS]) for i in range(0, len(digits) // DIGITS * DIGITS, DIGITS)]
    return [resized(photograph, side, side), page, resized(np.concatenate(rows), side, side)]


def lines(digits, height, width):
    """One line of text each, in turns in the three typefaces, and a line of digits."""
    size = height // 2
    found = [written(text, FONTS[i % len(FONTS)], size, height, width * 2) for i, text in enumerate(TEXT)]
    return [resized(line, height, width) for line in (*found, strip(digits[:DIGITS]))]


def upside_down(pictures):
    """The pictures, and each turned by 180 degrees."""
    return [*pictures, *(picture[::-1, ::-1] for picture in pictures)]


def planes(picture):
    """What the networks take: blue, green and red planes from -1 to 1, float32 [3, H, W]."""
    return np.ascontiguousarray((picture[..., ::-1].transpose(2, 0, 1) / 127.5 - 1).astype(np.float32))
