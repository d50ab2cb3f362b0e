"""Augmentation of a training batch: the order of the operations, and their draws."""

from dataclasses import dataclass

import torch
from torch import Tensor

from src.augment.counter_rng import Stream, integers, uniform
from src.augment.crop_flip import alternating_flip, crop, flip, random_flip
from src.augment.erase import ERASE_DRAWS, channel_means, cutout, erase, erase_boxes, noise
from src.augment.mix import beta_quantile, cutmix, cutmix_boxes, mix_targets, mixup

FLIPS = {"random": random_flip, "alternating": alternating_flip}


@dataclass(frozen=True, kw_only=True)
class Augment:
    """Augments a batch: crop, flip, cutout, random erasing, then mixup or cutmix.

    The result for a sample is a function of (seed, epoch, the sample's index) alone: independent of
    its batch, the process, the device and earlier draws. With both mixup and cutmix, each sample
    gets one of them, with equal probability.
    """

    seed: int  # 0..2**64-1
    crop_padding: int = 0  # pixels on each side before a random crop to the original size
    crop_mode: str = "zeros"  # or "reflect"
    flip: str = "none"  # or "random", "alternating": left and right
    cutout: int = 0  # side of a black square, in pixels
    erase_probability: float = 0.0  # of a random rectangle
    erase_fill: str = "noise"  # uniform, the best in the paper; or "zero", "mean" of each channel
    mixup: float = 0.0  # alpha of Beta(alpha, alpha)
    cutmix: float = 0.0  # alpha of Beta(alpha, alpha)
    mix_probability: float = 1.0

    @property
    def mixes(self) -> bool:
        return (self.mixup > 0 or self.cutmix > 0) and self.mix_probability > 0

    @property
    def identity(self) -> bool:
        changes = self.crop_padding or self.flip != "none" or self.cutout
        return not (changes or self.erase_probability or self.mixes)

    def partners(self, indices: Tensor, epoch: int | Tensor, n: int) -> Tensor:
        """Draw a partner for each sample, from all ``n`` training samples: int64 (N,).

        Not from the batch, on which the result must not depend. A sample may be its own partner.
        """
        return integers(self.seed, epoch, indices, (n,), stream=Stream.PARTNER)[0]

    def __call__(
        self, images: Tensor, labels: Tensor, indices: Tensor, epoch: int | Tensor, num_classes: int
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Augment a batch on its device, without waiting for the device.

        Args:
            images: uint8 (M, C, H, W), M = N, or 2N when ``mixes``: the samples, then their
                partners in the same order. A partner is cropped, flipped and erased by its own
                index.
            labels: int64 (M,); so are the indices, positions in the training set.

        Returns:
            Images (N, C, H, W), uint8, or float32 in 0..255 when ``mixup`` is on; the samples' own
            labels, int64 (N,); float32 (N, num_classes) soft targets when ``mixes``, else None.
        """
        images = self._geometric(images, indices, epoch)
        images = self._erasing(images, indices, epoch)
        if not self.mixes:
            return images, labels, None
        return self._mixing(images, labels, indices, epoch, num_classes)

    def _geometric(self, images: Tensor, indices: Tensor, epoch: int | Tensor) -> Tensor:
        if self.crop_padding:
            places = 2 * self.crop_padding + 1
            y, x = integers(self.seed, epoch, indices, (places, places), stream=Stream.CROP)
            images = crop(images, y, x, self.crop_padding, self.crop_mode)
        if self.flip != "none":
            images = flip(images, FLIPS[self.flip](self.seed, epoch, indices))
        return images

    def _erasing(self, images: Tensor, indices: Tensor, epoch: int | Tensor) -> Tensor:
        _, channels, height, width = images.shape
        if self.cutout:
            y, x = integers(self.seed, epoch, indices, (height, width), stream=Stream.CUTOUT)
            images = cutout(images, y, x, self.cutout)
        if self.erase_probability:
            draws = uniform(self.seed, epoch, indices, ERASE_DRAWS, stream=Stream.ERASE)
            boxes = erase_boxes(draws, height, width, self.erase_probability)
            fill: Tensor | int = 0
            if self.erase_fill == "noise":
                fill = noise(self.seed, epoch, indices, (channels, height, width))
            elif self.erase_fill == "mean":
                fill = channel_means(images)
            images = erase(images, boxes, fill)
        return images

    def _mixing(
        self, images: Tensor, labels: Tensor, indices: Tensor, epoch: int | Tensor, num_classes: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        images, partners = images.chunk(2)
        labels, partner_labels = labels.chunk(2)
        indices = indices[: len(images)]
        draws = uniform(self.seed, epoch, indices, 3, stream=Stream.MIX)
        mixed = draws[:, 0] < self.mix_probability
        # Both operations process every sample, the others' samples with a ratio of 1, which changes
        # nothing. So no branch depends on values on the device.
        cuts = draws[:, 1] < (0.5 if self.mixup and self.cutmix else float(self.cutmix > 0))
        ratio = torch.ones_like(draws[:, 2])
        if self.mixup:
            blend = beta_quantile(draws[:, 2], self.mixup)
            ratio = torch.where(mixed & ~cuts, blend, ratio)
            images = mixup(images, partners, ratio)
        if self.cutmix:
            height, width = images.shape[2:]
            share = beta_quantile(draws[:, 2], self.cutmix)
            share = torch.where(mixed & cuts, share, 1.0)
            y, x = integers(self.seed, epoch, indices, (height, width), stream=Stream.CUTMIX_CENTER)
            boxes = cutmix_boxes(share, y, x, height, width)
            images, left = cutmix(images, partners, boxes)
            ratio = ratio * left
        return images, labels, mix_targets(labels, partner_labels, ratio, num_classes)
