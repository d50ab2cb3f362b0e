"""``shapes``: ten classes of drawn figures, 32x32 in color, made from a seed without any file.

Every number comes from a hash of (seed, image, draw), and all arithmetic is on integers, so the
images are the same bytes everywhere. OpenCV draws a figure four times too large, without
anti-aliasing, and it is averaged down. Place, size, angle and both colors are random, with texture
and noise over them, so that no single pixel tells anything about the class.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.data.decode import fill_circle, fill_polygon
from src.data.image_data import ImageData, ImageSet
from src.data.readers.base import ReadOptions, fingerprint_of
from src.data.registry import SHAPES_CLASSES
from src.data.split import hash_words

_SIDE = 32  # pixels
_SCALE = 4  # how much larger the figures are drawn
_VERSION = 1  # of the drawings; a change makes every cached set stale
_TEST_START = 1 << 32  # test images are numbered from here: no training set reaches them
_BLOCK = 1000  # images drawn at a time

# Streams of random words.
_PLACE, _COLOR, _TEXTURE, _NOISE = 16, 17, 18, 19
_SMALLEST, _LARGEST = 7 * _SCALE, 13 * _SCALE  # radius around a figure, in drawn pixels
_DRAWS = 4096  # words an image may take from a stream
_CANDIDATES = 16  # foreground colors to choose from
_CONTRAST = 60  # least difference of brightness between figure and background, of 255
_LUMA = np.array([77, 150, 29])  # ITU-R BT.601's 0.299, 0.587, 0.114 in 256ths
_TEXTURE_CELL = 4  # pixels
_AMPLITUDE = 48  # of texture and of noise, of 255, peak to peak

_UNIT = 1 << 14
# Sine and cosine of whole degrees in 1/16384: integers, so that no platform's last digit matters.
_SINE = np.rint(np.sin(np.deg2rad(np.arange(450))) * _UNIT).astype(np.int64)
_COSINE = _SINE[90:450]

_Point = tuple[int, int]


def _around(*spokes: tuple[int, int]) -> NDArray[np.int64]:
    """Corners given as (degrees, distance from the center in percent of the radius)."""
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


def draw_figure(
    canvas: NDArray[np.uint8], name: str, center: _Point, radius: int, degrees: int
) -> None:
    """Draw the figure of a class as ones into a canvas (H, W) of zeros.

    ``radius`` is that of the circle around the figure, in pixels, ``degrees`` are 0..359.
    """
    if name in _POLYGONS:
        fill_polygon(canvas, _turned(_POLYGONS[name], center, radius, degrees))
        return
    # A circle is a disc; a ring lacks a smaller disc in its middle, a crescent one at its side.
    fill_circle(canvas, center, radius * 92 // 100)
    if name == "ring":
        fill_circle(canvas, center, radius * 50 // 100, 0)
    elif name == "crescent":
        ((x, y),) = _turned(_at((50, 0)), center, radius, degrees)
        fill_circle(canvas, (x, y), radius * 75 // 100, 0)


def _turned(
    points: NDArray[np.int64], center: _Point, radius: int, degrees: int
) -> Sequence[_Point]:
    """Outline points rotated, scaled and moved, rounded to whole pixels."""
    sine, cosine = _SINE[degrees], _COSINE[degrees]
    turned = points @ np.array([[cosine, sine], [-sine, cosine]])
    half = 1 << 27  # rounds the shift by 28 bits, which undoes the two factors of _UNIT
    placed = ((turned * radius + half) >> 28) + np.array(center)
    return placed.tolist()


def _below(words: NDArray[np.uint64], bound: int | NDArray[np.int64]) -> NDArray[np.int64]:
    """Random integers 0..bound-1 from the upper 32 bits of random words."""
    upper = words >> np.uint64(32)
    return ((upper * np.asarray(bound).astype(np.uint64)) >> np.uint64(32)).astype(np.int64)


def _words(seed: int, stream: int, numbers: NDArray[np.uint64], draws: int) -> NDArray[np.uint64]:
    """Random words (N, draws), at most ``_DRAWS``: a row for each image number."""
    counters = numbers[:, None] * np.uint64(_DRAWS) + np.arange(draws).astype(np.uint64)
    return hash_words(seed, stream, counters)


def _pattern(
    seed: int, stream: int, numbers: NDArray[np.uint64], shape: tuple[int, int, int]
) -> NDArray[np.int16]:
    """Random brightness (N, *shape), -24..23; a word has eight bytes, which must fill the shape."""
    words = _words(seed, stream, numbers, math.prod(shape) // 8)
    values = words.astype("<u8").view(np.uint8).reshape(len(numbers), *shape).astype(np.int16)
    return ((values - 128) * _AMPLITUDE) >> 8


def _colors(seed: int, numbers: NDArray[np.uint64]) -> tuple[NDArray[np.int64], ...]:
    """Background and foreground colors (N, 3), 0..255, of different brightness."""
    words = _words(seed, _COLOR, numbers, 3 * (1 + _CANDIDATES))
    colors = _below(words, 256).reshape(len(numbers), 1 + _CANDIDATES, 3)
    luma = (colors @ _LUMA) >> 8
    difference = np.abs(luma[:, 1:] - luma[:, :1])
    # The first candidate with enough contrast; where there is none, the best of them.
    chosen = np.minimum(difference, _CONTRAST).argmax(1)
    return colors[:, 0], colors[np.arange(len(numbers)), 1 + chosen]


def _coverage(
    seed: int, numbers: NDArray[np.uint64], labels: NDArray[np.int64]
) -> NDArray[np.int64]:
    """How much of each pixel the figure covers: (N, _SIDE, _SIDE), 0..16."""
    words = _words(seed, _PLACE, numbers, 4)
    radius = _SMALLEST + _below(words[:, 0], _LARGEST - _SMALLEST + 1)
    room = _SIDE * _SCALE - 2 * radius
    center_x = radius + _below(words[:, 1], room)
    center_y = radius + _below(words[:, 2], room)
    degrees = _below(words[:, 3], 360)
    places = np.stack([center_x, center_y, radius, degrees], axis=1).tolist()
    large = np.zeros((len(numbers), _SIDE * _SCALE, _SIDE * _SCALE), dtype=np.uint8)
    for canvas, label, (x, y, size, angle) in zip(large, labels, places, strict=True):
        draw_figure(canvas, SHAPES_CLASSES[label], (x, y), size, angle)
    tiles = large.reshape(len(numbers), _SIDE, _SCALE, _SIDE, _SCALE)
    return tiles.sum(axis=(2, 4), dtype=np.int64)


def _draw(seed: int, numbers: NDArray[np.uint64], labels: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Images (N, _SIDE, _SIDE, 3): each pixel mixes two colors by how much the figure covers it."""
    background, foreground = (colors[:, None, None] for colors in _colors(seed, numbers))
    inside = _coverage(seed, numbers, labels)[..., None]
    whole = _SCALE * _SCALE
    mixed = (foreground * inside + background * (whole - inside)) // whole
    cells = _SIDE // _TEXTURE_CELL
    texture = _pattern(seed, _TEXTURE, numbers, (cells, cells, 1))
    texture = texture.repeat(_TEXTURE_CELL, axis=1).repeat(_TEXTURE_CELL, axis=2)
    noise = _pattern(seed, _NOISE, numbers, (_SIDE, _SIDE, 3))
    return np.clip(mixed + texture + noise, 0, 255).astype(np.uint8)


def draw_shapes(count: int, seed: int, *, start: int = 0) -> ImageSet:
    """Draw images number ``start`` to ``start + count - 1`` of a seed; the classes take turns."""
    numbers = np.arange(start, start + count, dtype=np.uint64)
    labels = np.arange(count) % len(SHAPES_CLASSES)
    images = np.empty((count, _SIDE, _SIDE, 3), dtype=np.uint8)
    for first in range(0, count, _BLOCK):
        block = slice(first, first + _BLOCK)
        images[block] = _draw(seed, numbers[block], labels[block])
    return ImageSet(images, labels, [f"shape[{number}]" for number in numbers.tolist()])


@dataclass(frozen=True)
class Shapes:
    """A training and a test set of drawn figures; neither depends on the other's size."""

    seed: int = 0
    train_size: int = 10_000
    test_size: int = 2_000
    location: Path | None = None  # of `Reader`; drawn images are read from no file

    @property
    def description(self) -> str:
        return (
            f"shapes drawn from seed {self.seed}, {self.train_size} to train and "
            f"{self.test_size} to test on"
        )

    def fingerprint(self) -> str:
        return fingerprint_of([], "shapes", _VERSION, self.seed, self.train_size, self.test_size)

    def read(self, options: ReadOptions) -> ImageData:
        train = draw_shapes(self.train_size, self.seed)
        test = draw_shapes(self.test_size, self.seed, start=_TEST_START)
        return ImageData(train, test, SHAPES_CLASSES, self.description)
