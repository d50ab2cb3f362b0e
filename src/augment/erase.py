"""Cutout and random erasing of a batch, given the draws."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from src.augment.counter_rng import Stream, words


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


def boxes_around(
    centre_y: Tensor, centre_x: Tensor, height: Tensor | int, width: Tensor | int
) -> Boxes:
    """Lay rectangles of the given sides around centres; a side's odd pixel lies below or right."""
    top, left = centre_y - height // 2, centre_x - width // 2
    return Boxes(top, top + height, left, left + width)


_ATTEMPTS = 8
ERASE_DRAWS = 3 + 2 * _ATTEMPTS


def erase(images: Tensor, boxes: Boxes, fill: Tensor | int = 0) -> Tensor:
    """Paint the pixels inside the boxes.

    Args:
        images: (N, C, H, W); its memory format is kept.
        boxes: what to paint; an empty box leaves the image as it was.
        fill: of the dtype of `images`, one value or a tensor that broadcasts to its shape.
    """
    mask = boxes.mask(images.shape[2], images.shape[3])
    # Not masked_fill, which returns channels-last images as planes.
    paint = images.new_full((), fill) if isinstance(fill, int) else fill
    return torch.where(mask, paint, images)


def cutout(images: Tensor, centre_y: Tensor, centre_x: Tensor, size: int) -> Tensor:
    """Paint a square black whose centre may lie anywhere in the image, so that it may stick out.

    DeVries and Taylor, "Improved Regularization of Convolutional Neural Networks with Cutout"
    (arXiv:1708.04552), which uses 16 pixels on CIFAR-10 and 8 on CIFAR-100.

    Args:
        images: (N, C, H, W); its memory format is kept.
        centre_y: int64 (N,), 0..H-1.
        centre_x: int64 (N,), 0..W-1.
        size: the side in pixels; the square covers rows centre_y - size // 2 and the following.
    """
    return erase(images, boxes_around(centre_y, centre_x, size, size))


def erase_boxes(
    draws: Tensor,
    height: int,
    width: int,
    probability: float,
    area: tuple[float, float] = (0.02, 0.4),
    aspect: tuple[float, float] = (0.3, 1 / 0.3),
) -> Boxes:
    """Choose the rectangles of random erasing.

    Zhong et al., "Random Erasing Data Augmentation", algorithm 1 (arXiv:1708.04896), whose ranges
    are the defaults. The algorithm draws until a rectangle fits the image; here the first that
    fits of eight is taken, and an image for which none does (less than one in a million with the
    defaults on a square image) is left as it was.

    Args:
        draws: float32 (N, ERASE_DRAWS) in [0, 1): whether to erase, the place in y and in x, then
            area and aspect of each attempt.
        height: of the images, in pixels.
        width: of the images, in pixels.
        probability: of an image to be erased.
        area: range of the rectangle's share of the image.
        aspect: range of its height over its width.
    """
    shares = area[0] + (area[1] - area[0]) * draws[:, 3::2]
    aspects = aspect[0] + (aspect[1] - aspect[0]) * draws[:, 4::2]
    heights = (shares * aspects * (height * width)).sqrt().round().long()
    widths = (shares / aspects * (height * width)).sqrt().round().long()
    fits = (heights < height) & (widths < width)
    first = fits.int().argmax(1, keepdim=True)
    erased = (draws[:, 0] < probability) & fits.gather(1, first)[:, 0]
    box_height = heights.gather(1, first)[:, 0] * erased
    box_width = widths.gather(1, first)[:, 0] * erased
    top = (draws[:, 1] * (height - box_height + 1)).long()
    left = (draws[:, 2] * (width - box_width + 1)).long()
    return Boxes(top, top + box_height, left, left + box_width)


def noise(seed: int, epoch: int | Tensor, indices: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Draw images of uniform noise: uint8 (N, *shape), shape = (C, H, W), channels-last."""
    channels, height, width = shape
    size = math.prod(shape)
    bits = words(seed, epoch, indices, -(-size // 4), stream=Stream.ERASE_NOISE)
    # Four pixels a word; int32 is signed, so the words are moved into its range, not wrapped.
    pixels = (bits - (1 << 31)).to(torch.int32).view(torch.uint8)[:, :size].contiguous()
    return pixels.view(-1, height, width, channels).permute(0, 3, 1, 2)


def channel_means(images: Tensor) -> Tensor:
    """Average each image's channels, rounded: uint8 (N, C, 1, 1), in whole numbers throughout."""
    pixels = images.shape[2] * images.shape[3]
    total = images.sum((2, 3), keepdim=True, dtype=torch.int64)
    return ((2 * total + pixels) // (2 * pixels)).to(torch.uint8)
