"""Batched augmentation on the device, its random numbers a function of (seed, epoch, sample)."""

from src.augment.counter import Stream, integers, permutation, uniform, words
from src.augment.erase import cutout, erase, erase_boxes
from src.augment.geometric import alternating_flip, crop, flip, random_flip
from src.augment.mix import cutmix, cutmix_boxes, mix_targets, mixup
from src.augment.pipeline import Augment

__all__ = [
    "Augment",
    "Stream",
    "alternating_flip",
    "crop",
    "cutmix",
    "cutmix_boxes",
    "cutout",
    "erase",
    "erase_boxes",
    "flip",
    "integers",
    "mix_targets",
    "mixup",
    "permutation",
    "random_flip",
    "uniform",
    "words",
]
