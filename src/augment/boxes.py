"""Rectangles of pixels, one an image, as masks."""

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Boxes", "around"]


class Boxes(NamedTuple):
    """A rectangle for each of N images: int64 (N,) each, in pixels, the ends exclusive."""

    top: Tensor
    bottom: Tensor
    left: Tensor
    right: Tensor

    def clipped(self, height: int, width: int) -> "Boxes":
        """Cut off what lies outside the image."""
        return Boxes(
            self.top.clamp(0, height),
            self.bottom.clamp(0, height),
            self.left.clamp(0, width),
            self.right.clamp(0, width),
        )

    def area(self) -> Tensor:
        """Count the pixels inside: int64 (N,)."""
        return (self.bottom - self.top) * (self.right - self.left)

    def mask(self, height: int, width: int) -> Tensor:
        """Mark the pixels inside: bool (N, 1, height, width)."""
        y = torch.arange(height, device=self.top.device)
        x = torch.arange(width, device=self.top.device)
        rows = (y >= self.top[:, None]) & (y < self.bottom[:, None])
        columns = (x >= self.left[:, None]) & (x < self.right[:, None])
        return (rows[:, :, None] & columns[:, None, :])[:, None]


def around(centre_y: Tensor, centre_x: Tensor, height: Tensor | int, width: Tensor | int) -> Boxes:
    """Lay rectangles of the given sides around centres; a side's odd pixel lies below or right."""
    top, left = centre_y - height // 2, centre_x - width // 2
    return Boxes(top, top + height, left, left + width)
