"""Batched augmentation on the device; random numbers are a function of (seed, epoch, sample)."""
