"""Cutout and random erasing of a batch, for given draws."""

from typing import NamedTuple

import torch
from torch import Tensor

from src.augment.counter_rng import Stream, words


class Boxes(NamedTuple):
    """A rectangle for each of N images: int64 (N,), in pixels, the ends exclusive."""

    top: Tensor
    bottom: Tensor
    left: Tensor
    right: Tensor

    def clipped(self, height: int, width: int) -> "Boxes":
        rows = self.top.clamp(0, height), self.bottom.clamp(0, height)
        return Boxes(*rows, self.left.clamp(0, width), self.right.clamp(0, width))

    def area(self) -> Tensor:
        return (self.bottom - self.top) * (self.right - self.left)

    def mask(self, height: int, width: int) -> Tensor:
        """Pixels in the boxes: bool (N, 1, height, width)."""
        y = torch.arange(height, device=self.top.device)
        x = torch.arange(width, device=self.top.device)
        rows = (y >= self.top[:, None]) & (y < self.bottom[:, None])
        columns = (x >= self.left[:, None]) & (x < self.right[:, None])
        return (rows[:, :, None] & columns[:, None, :])[:, None]


def boxes_around(
    center_y: Tensor, center_x: Tensor, height: Tensor | int, width: Tensor | int
) -> Boxes:
    """Boxes around centers; of an even side the center is right or below of the middle."""
    top, left = center_y - height // 2, center_x - width // 2
    return Boxes(top, top + height, left, left + width)


_ATTEMPTS = 8
ERASE_DRAWS = 3 + 2 * _ATTEMPTS
# Ranges of a box in the paper: its share of the image, its height over its width.
AREA, ASPECT = (0.02, 0.4), (0.3, 1 / 0.3)


def erase(images: Tensor, boxes: Boxes, fill: Tensor | int = 0) -> Tensor:
    """Fill the boxes of images (N, C, H, W) by one value, or a tensor that broadcasts to them."""
    mask = boxes.mask(images.shape[2], images.shape[3])
    # Not masked_fill, which does not keep channels-last.
    paint = images.new_full((), fill) if isinstance(fill, int) else fill
    return torch.where(mask, paint, images)


def cutout(images: Tensor, center_y: Tensor, center_x: Tensor, size: int) -> Tensor:
    """Fill a square with black; its center, int64 (N,), lies in the image, its sides may not.

    DeVries and Taylor, "Improved Regularization of Convolutional Neural Networks with Cutout"
    (arXiv:1708.04552).
    """
    return erase(images, boxes_around(center_y, center_x, size, size))


def erase_boxes(draws: Tensor, height: int, width: int, probability: float) -> Boxes:
    """Boxes of random erasing: Zhong et al., "Random Erasing Data Augmentation" (arXiv:1708.04896).

    The paper's algorithm 1 draws until a rectangle fits the image; here the first of eight that
    fits is taken, and an image without one (less than one in a million square ones) is not erased.

    Args:
        draws: float32 (N, ERASE_DRAWS) in [0, 1): whether to erase, position in y and in x, then
            area and aspect of each attempt.
    """
    shares = AREA[0] + (AREA[1] - AREA[0]) * draws[:, 3::2]
    aspects = ASPECT[0] + (ASPECT[1] - ASPECT[0]) * draws[:, 4::2]
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
    """Images of uniform noise: uint8 (N, *shape), shape = (C, H, W), channels-last."""
    channels, height, width = shape
    size = channels * height * width
    bits = words(seed, epoch, indices, -(-size // 4), stream=Stream.ERASE_NOISE)
    # Four pixels a word; words are shifted into the range of the signed int32.
    pixels = (bits - (1 << 31)).to(torch.int32).view(torch.uint8)[:, :size].contiguous()
    return pixels.view(-1, height, width, channels).permute(0, 3, 1, 2)


def channel_means(images: Tensor) -> Tensor:
    """Rounded mean of each channel of each image: uint8 (N, C, 1, 1)."""
    pixels = images.shape[2] * images.shape[3]
    total = images.sum((2, 3), keepdim=True, dtype=torch.int64)
    return ((2 * total + pixels) // (2 * pixels)).to(torch.uint8)
