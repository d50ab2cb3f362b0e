"""The ten figures of ``shapes``: outlines in integers, filled by OpenCV."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["figure_mask"]

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
        corners = _turned(_POLYGONS[name], centre, radius, degrees)
        cv2.fillPoly(canvas, [np.array(corners, dtype=np.int32)], 1, cv2.LINE_8)
        return
    # A disc, or a disc without another: the whole of it, its middle, or its side.
    cv2.circle(canvas, centre, radius * 92 // 100, 1, cv2.FILLED, cv2.LINE_8)
    if name == "ring":
        cv2.circle(canvas, centre, radius * 50 // 100, 0, cv2.FILLED, cv2.LINE_8)
    elif name == "crescent":
        ((x, y),) = _turned(_at((50, 0)), centre, radius, degrees)
        cv2.circle(canvas, (x, y), radius * 75 // 100, 0, cv2.FILLED, cv2.LINE_8)
    else:
        assert name == "circle", name
