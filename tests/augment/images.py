"""Batches of random images whose every pixel the tests compare."""

import torch
from torch import Tensor


def channels_last_images(samples: int, channels: int, height: int, width: int) -> Tensor:
    """Make uint8 images (N, C, H, W) as the data set hands them out: NHWC in memory."""
    generator = torch.Generator().manual_seed(samples)
    pixels = torch.randint(
        0, 256, (samples, height, width, channels), dtype=torch.uint8, generator=generator
    )
    return pixels.permute(0, 3, 1, 2)


def is_channels_last(images: Tensor) -> bool:
    """Tell whether the memory is NHWC without a gap, whatever the number of channels."""
    return images.permute(0, 2, 3, 1).is_contiguous()
