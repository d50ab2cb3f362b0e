"""Seed of torch's generators as a function of the step."""

from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer


class StepSeed(Callback):
    """Seeds torch's generators from (seed, step, rank) before each step.

    Dropout and other draws are then the same in a resumed run, with no generator state saved.
    """

    def __init__(self, seed: int):
        self.seed = seed

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        batches = trainer.fit_loop.epoch_loop.total_batch_idx
        # Odd multipliers give neighboring seeds, steps and ranks different 63-bit seeds.
        mixed = self.seed * 0x9E3779B97F4A7C15 + batches * 0xBF58476D1CE4E5B9
        seed = (mixed + trainer.global_rank * 0x94D049BB133111EB) % 2**63
        # Not torch.manual_seed, which seeds unused devices too: without a GPU it queues each call
        # with its stack for a later start of CUDA, at 2 ms and some memory a step.
        torch.default_generator.manual_seed(seed)
        device = pl_module.device.type
        if device != "cpu":
            torch.get_device_module(device).manual_seed(seed)
