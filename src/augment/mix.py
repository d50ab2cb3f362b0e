"""Mixup and cutmix of a batch with its partners, for given draws."""

from functools import lru_cache

import torch
from torch import Tensor

from src.augment.erase import Boxes, boxes_around

_CELLS = 1 << 12  # a power of two, so that the position in the table is exact in float32


@lru_cache(maxsize=16)
def _beta_table(alpha: float, device: torch.device) -> Tensor:
    """Quantiles of Beta(alpha, alpha) at k / 4096: float32 (4097,) on ``device``."""
    from scipy.special import betaincinv

    wanted = torch.linspace(0, 0.5, _CELLS // 2 + 1, dtype=torch.float64)
    # Half the smallest draw instead of 0: the quantile of 0 is 0 for every alpha, and interpolation
    # from there would leave the distribution of a large alpha.
    wanted[0] = 2.0**-25
    lower = torch.from_numpy(betaincinv(alpha, alpha, wanted.numpy()))
    return torch.cat((lower, 1 - lower[:-1].flip(0))).float().to(device)


def beta_quantile(uniform: Tensor, alpha: float) -> Tensor:
    """Map uniform numbers in [0, 1) to numbers of Beta(alpha, alpha), by interpolated quantiles."""
    if alpha == 1.0:
        return uniform
    table = _beta_table(alpha, uniform.device)
    place = uniform * _CELLS
    cell = place.long()
    low = table[cell]
    return low + (table[cell + 1] - low) * (place - cell)


def mixup(images: Tensor, partners: Tensor, ratio: Tensor) -> Tensor:
    """Blend each image with its partner: float32 (N, C, H, W), 0..255, in the same memory format.

    Zhang et al., "mixup: Beyond Empirical Risk Minimization" (arXiv:1710.09412). ``ratio``, float32
    (N,) in [0, 1], is the share of ``images``.
    """
    share = ratio[:, None, None, None]
    return images * share + partners * (1 - share)


def cutmix_boxes(
    ratio: Tensor, center_y: Tensor, center_x: Tensor, height: int, width: int
) -> Boxes:
    """Boxes of the area 1 - ratio, float32 (N,), around centers, int64 (N,), clipped to the images.

    Yun et al., "CutMix: Regularization Strategy to Train Strong Classifiers with Localizable
    Features", equation 2 (arXiv:1905.04899).
    """
    side = (1 - ratio).sqrt()
    box_height, box_width = (side * height).long(), (side * width).long()
    return boxes_around(center_y, center_x, box_height, box_width).clipped(height, width)


def cutmix(images: Tensor, partners: Tensor, boxes: Boxes) -> tuple[Tensor, Tensor]:
    """Paste the boxes of the partners into the images (N, C, H, W), uint8 or float32.

    Returns the images in their dtype and the share of their own pixels, float32 (N,).
    """
    height, width = images.shape[2:]
    mixed = torch.where(boxes.mask(height, width), partners.to(images.dtype), images)
    return mixed, 1 - boxes.area().to(torch.float32) / (height * width)


def mix_targets(labels: Tensor, partner_labels: Tensor, ratio: Tensor, num_classes: int) -> Tensor:
    """Soft targets of two labels, int64 (N,): float32 (N, num_classes), rows sum to 1."""
    classes = torch.arange(num_classes, device=labels.device)
    own = (labels[:, None] == classes) * ratio[:, None]
    return own + (partner_labels[:, None] == classes) * (1 - ratio)[:, None]
