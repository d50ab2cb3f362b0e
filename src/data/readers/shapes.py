"""``shapes``: ten classes of drawn figures, 32x32 in colour, made from a seed without any file.

Every number comes from a hash of (seed, image, draw), and all arithmetic is on integers, from the
turned outlines to the mixing of the colours, so the images are the same bytes everywhere. A
figure is drawn by OpenCV four times too large, without its anti-aliasing, and averaged down.

Place, size, angle and both colours are random, and the background may be the lighter or the
darker one, so no single pixel tells anything about the class; texture and noise cover the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.data.decode import fill_circle, fill_polygon
from src.data.readers.base import ReadOptions, fingerprint_of
from src.data.registry import SHAPES_CLASSES
from src.data.split import hash_words
from src.data.types import ImageData, ImageSet

_UNIT = 1 << 14
# Sine and cosine of whole degrees in 1/16384: integers, so that no platform's last digit matters.
_SINE = np.rint(np.sin(np.deg2rad(np.arange(450))) * _UNIT).astype(np.int64)
_COSINE = _SINE[90:450]

_Point = tuple[int, int]


def _around(*spokes: tuple[int, int]) -> NDArray[np.int64]:
    """Corners given as (degrees, distance from the centre in percent of the radius)."""
    return np.array(
        [(_COSINE[d % 360] * r // 100, _SINE[d % 360] * r // 100) for d, r in spokes], np.int64
    )


def _at(*points: tuple[int, int]) -> NDArray[np.int64]:
    """Corners given as (x, y) in percent of the radius."""
    return np.array(points, dtype=np.int64) * _UNIT // 100


# Outlines within a circle of radius _UNIT around the origin.
_POLYGONS = {
    "square": _around((45, 100), (135, 100), (225, 100), (315, 100)),
    "triangle": _around((90, 100), (210, 100), (330, 100)),
    "star": _around(*((90 + 36 * k, 42 if k % 2 else 100) for k in range(10))),
    "cross": _at(
        *((-28, -96), (28, -96), (28, -28), (96, -28), (96, 28), (28, 28)),
        *((28, 96), (-28, 96), (-28, 28), (-96, 28), (-96, -28), (-28, -28)),
    ),
    "arrow": _at((-96, -18), (10, -18), (10, -62), (98, 0), (10, 62), (10, 18), (-96, 18)),
    "bar": _at((-97, -22), (97, -22), (97, 22), (-97, 22)),
    "hourglass": _at((-62, -78), (62, -78), (-62, 78), (62, 78)),
}


def _turned(
    points: NDArray[np.int64], centre: _Point, radius: int, degrees: int
) -> Sequence[_Point]:
    """Outline points rotated, scaled and moved, rounded to whole pixels."""
    sine, cosine = int(_SINE[degrees]), int(_COSINE[degrees])
    turned = points @ np.array([[cosine, sine], [-sine, cosine]], dtype=np.int64)
    half = 1 << 27  # rounds the shift by 28 bits, which undoes the two factors of _UNIT
    placed = ((turned * radius + half) >> 28) + np.array(centre)
    return [(int(x), int(y)) for x, y in placed]


def figure_mask(
    canvas: NDArray[np.uint8], name: str, centre: _Point, radius: int, degrees: int
) -> None:
    """Draw a figure as ones into a canvas of zeros.

    Args:
        canvas: uint8 (H, W), changed in place.
        name: one of the classes of ``shapes``.
        centre: (x, y) in pixels.
        radius: of the circle around the figure, in pixels.
        degrees: by which it is turned, 0..359.
    """
    if name in _POLYGONS:
        fill_polygon(canvas, _turned(_POLYGONS[name], centre, radius, degrees))
        return
    # A disc, or a disc without another: the whole of it, its middle, or its side.
    fill_circle(canvas, centre, radius * 92 // 100)
    if name == "ring":
        fill_circle(canvas, centre, radius * 50 // 100, 0)
    elif name == "crescent":
        ((x, y),) = _turned(_at((50, 0)), centre, radius, degrees)
        fill_circle(canvas, (x, y), radius * 75 // 100, 0)
    else:
        assert name == "circle", name


SIDE = 32  # pixels
TRAIN_SIZE, TEST_SIZE = 10_000, 2_000
_SCALE = 4  # how much larger the figures are drawn
_VERSION = 1  # of the drawings; a change makes every cached set stale
_TEST_START = 1 << 32  # test images are numbered from here: no training set reaches them
_BLOCK = 1000  # images drawn at a time

# Streams of random words.
_PLACE, _COLOUR, _TEXTURE, _NOISE = 16, 17, 18, 19
_SMALLEST, _LARGEST = 7 * _SCALE, 13 * _SCALE  # radius around a figure, in drawn pixels
_DRAWS = 4096  # words an image may take from a stream
_CANDIDATES = 16  # foreground colours to choose from
_CONTRAST = 60  # least difference of brightness between figure and background, of 255
_LUMA = np.array([77, 150, 29])  # ITU-R BT.601's 0.299, 0.587, 0.114 in 256ths
_TEXTURE_CELL = 4  # pixels
_TEXTURE_AMPLITUDE, _NOISE_AMPLITUDE = 48, 48  # of 255, peak to peak


def _below(words: NDArray[np.uint64], bound: int | NDArray[np.int64]) -> NDArray[np.int64]:
    """Random integers 0..bound-1 from the upper 32 bits of random words."""
    upper = words >> np.uint64(32)
    return ((upper * np.asarray(bound).astype(np.uint64)) >> np.uint64(32)).astype(np.int64)


def _words(seed: int, stream: int, numbers: NDArray[np.uint64], draws: int) -> NDArray[np.uint64]:
    """Words (N, draws): a row for each image number."""
    assert draws <= _DRAWS, draws
    counters = numbers[:, None] * np.uint64(_DRAWS) + np.arange(draws).astype(np.uint64)
    return hash_words(seed, stream, counters)


def _bytes(
    seed: int, stream: int, numbers: NDArray[np.uint64], shape: tuple[int, ...]
) -> NDArray[np.int16]:
    """Random bytes (N, *shape) as int16, eight from each word; the shape's size divides by 8."""
    words = _words(seed, stream, numbers, int(np.prod(shape)) // 8)
    return words.astype("<u8").view(np.uint8).reshape(len(numbers), *shape).astype(np.int16)


def _colours(seed: int, numbers: NDArray[np.uint64]) -> tuple[NDArray[np.int64], ...]:
    """Background and foreground colours (N, 3), 0..255, of different brightness."""
    words = _words(seed, _COLOUR, numbers, 3 * (1 + _CANDIDATES))
    colours = _below(words, 256).reshape(len(numbers), 1 + _CANDIDATES, 3)
    luma = (colours @ _LUMA) >> 8
    difference = np.abs(luma[:, 1:] - luma[:, :1])
    # The first candidate with enough contrast; where there is none, the best of them.
    chosen = np.where(
        (difference >= _CONTRAST).any(1),
        (difference >= _CONTRAST).argmax(1),
        difference.argmax(1),
    )
    return colours[:, 0], colours[np.arange(len(numbers)), 1 + chosen]


def _masks(seed: int, numbers: NDArray[np.uint64], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """How much of each pixel the figure covers: (N, SIDE, SIDE), 0..16."""
    words = _words(seed, _PLACE, numbers, 4)
    radius = _SMALLEST + _below(words[:, 0], _LARGEST - _SMALLEST + 1)
    room = SIDE * _SCALE - 2 * radius
    left = radius + _below(words[:, 1], room)
    top = radius + _below(words[:, 2], room)
    degrees = _below(words[:, 3], 360)
    large = np.zeros((len(numbers), SIDE * _SCALE, SIDE * _SCALE), dtype=np.uint8)
    for index, label in enumerate(labels):
        figure_mask(
            large[index],
            SHAPES_CLASSES[label],
            (int(left[index]), int(top[index])),
            int(radius[index]),
            int(degrees[index]),
        )
    tiles = large.reshape(len(numbers), SIDE, _SCALE, SIDE, _SCALE)
    return tiles.sum(axis=(2, 4), dtype=np.int64)


def _draw(seed: int, numbers: NDArray[np.uint64], labels: NDArray[np.int64]) -> NDArray[np.uint8]:
    background, foreground = _colours(seed, numbers)
    cover = _masks(seed, numbers, labels)[..., None]
    most = _SCALE * _SCALE
    flat = (foreground[:, None, None] * cover + background[:, None, None] * (most - cover)) // most
    cells = SIDE // _TEXTURE_CELL
    texture = _bytes(seed, _TEXTURE, numbers, (cells, cells, 1)) - 128
    texture = texture.repeat(_TEXTURE_CELL, axis=1).repeat(_TEXTURE_CELL, axis=2)
    noise = _bytes(seed, _NOISE, numbers, (SIDE, SIDE, 3)) - 128
    drawn = flat + ((texture * _TEXTURE_AMPLITUDE) >> 8) + ((noise * _NOISE_AMPLITUDE) >> 8)
    return np.clip(drawn, 0, 255).astype(np.uint8)


def draw_shapes(count: int, seed: int, *, start: int = 0) -> ImageSet:
    """Draw images number ``start`` to ``start + count - 1`` of a seed.

    The classes take turns: the label of image i is i modulo 10.

    Returns:
        uint8 images (count, 32, 32, 3), RGB, with labels 0..9 and the numbers as names.
    """
    numbers = np.arange(start, start + count, dtype=np.uint64)
    labels = ((numbers - np.uint64(start)) % np.uint64(len(SHAPES_CLASSES))).astype(np.int64)
    images = np.empty((count, SIDE, SIDE, 3), dtype=np.uint8)
    for first in range(0, count, _BLOCK):
        block = slice(first, first + _BLOCK)
        images[block] = _draw(seed, numbers[block], labels[block])
    return ImageSet(images, labels, [f"shape[{number}]" for number in numbers.tolist()])


@dataclass(frozen=True)
class Shapes:
    """A training and a test set of drawn figures; neither depends on the other's size."""

    seed: int = 0
    train_size: int = TRAIN_SIZE
    test_size: int = TEST_SIZE
    location: Path | None = None

    @property
    def description(self) -> str:
        """What it was recognised as, and where."""
        return (
            f"shapes drawn from seed {self.seed}, {self.train_size} to train and "
            f"{self.test_size} to test on"
        )

    def fingerprint(self) -> str:
        """Changes with what the images depend on."""
        return fingerprint_of([], "shapes", _VERSION, self.seed, self.train_size, self.test_size)

    def read(self, options: ReadOptions) -> ImageData:
        """Draw every image; there is nothing to decode, so the options do not matter."""
        train = draw_shapes(self.train_size, self.seed)
        test = draw_shapes(self.test_size, self.seed, start=_TEST_START)
        return ImageData(train, test, SHAPES_CLASSES, self.description)
