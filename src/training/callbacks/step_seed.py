"""Seed torch's generator as a function of the step."""

from typing import Any

import lightning as L
import torch


class StepSeed(L.Callback):
    """Seeds torch from (seed, step, rank) before each step.

    Dropout and whatever else draws from torch's generator is then the same in a run that was
    interrupted and resumed, without any generator's state being saved.
    """

    def __init__(self, seed: int):
        """Mix ``seed`` into every step's."""
        self.seed = seed

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed the generators of the CPU and of the device that trains."""
        batches = trainer.fit_loop.epoch_loop.total_batch_idx
        # Odd multipliers keep neighbouring seeds, steps and ranks apart in 63 bits.
        mixed = self.seed * 0x9E3779B97F4A7C15 + batches * 0xBF58476D1CE4E5B9
        seed = (mixed + trainer.global_rank * 0x94D049BB133111EB) % 2**63
        # torch.manual_seed also speaks to devices that are not in use: without a GPU it notes
        # each call with its stack for a CUDA that may start later, 2 ms and some memory a step.
        torch.default_generator.manual_seed(seed)
        device = pl_module.device.type
        if device != "cpu":
            torch.get_device_module(device).manual_seed(seed)
