"""Batched augmentation on the device; random numbers are a function of (seed, epoch, sample)."""

from src.augment.counter_rng import permutation
from src.augment.pipeline import Augment

__all__ = ["Augment", "permutation"]
