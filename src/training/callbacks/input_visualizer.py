"""Picture of the first training batch, as the network gets it, for TensorBoard."""

from collections.abc import Sequence
from typing import Any

import lightning as L
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor

from src.plotting.figure import warn_if_fails
from src.plotting.image_grid import image_grid
from src.text import shorten
from src.training.classifier import ImageClassifier

MOST = 32
LONGEST = 14
"""Letters of a label that fit below a tile."""

UNMIXED = 0.995
"""The share from which on the other class would be given as 0%."""


class InputVisualizer(L.Callback):
    """Shows the first training batch of a run in TensorBoard, as the network sees it.

    The images are augmented, have been through the network's own normalisation, and are mapped
    back with the configured mean and standard deviation: ``255 * (y * std + mean)``. Right
    images come out as they went in. Images that were normalised twice come out all but uniform,
    images that were divided by 255 twice black, a mean or deviation in another order of channels
    as a tint, and channels in blue-green-red order with blue for red, since TensorBoard is
    handed red-green-blue.
    """

    def __init__(self, mean: Sequence[float] | None, std: Sequence[float] | None):
        """Map back with fractions of 255, one per channel; ``None`` for the network's own.

        Those of the configuration show a mistake that a network's own could not.
        """
        self.mean = mean
        self.std = std

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Draw the first batch of the run; a resumed one is past it."""
        assert isinstance(pl_module, ImageClassifier)
        if trainer.fit_loop.epoch_loop.total_batch_idx or not trainer.is_global_zero:
            return
        with warn_if_fails("first_batch"):
            self._draw(trainer, pl_module, batch)

    def _draw(self, trainer: L.Trainer, module: ImageClassifier, batch: Any) -> None:
        visible = self._visible(module, batch.images[:MOST])
        names: Sequence[str] = getattr(trainer.datamodule, "classes", ())  # type: ignore[attr-defined]
        targets = [None] * len(visible) if batch.targets is None else batch.targets[:MOST].cpu()
        labels = batch.labels[:MOST].tolist()
        texts = [_text(*pair, names) for pair in zip(labels, targets, strict=True)]
        picture = image_grid(visible.permute(0, 2, 3, 1).numpy(), texts)
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image("first_batch", picture, 0, dataformats="HWC")

    @torch.no_grad()
    def _visible(self, module: ImageClassifier, images: Tensor) -> Tensor:
        """Images (N, C, H, W) through normalisation and back: uint8, one or three channels."""
        layer: Any = module.network.normalize
        seen = layer(images)
        mean = layer.mean if self.mean is None else seen.new_tensor(self.mean).view(1, -1, 1, 1)
        std = layer.std if self.std is None else seen.new_tensor(self.std).view(1, -1, 1, 1)
        return (255 * (seen * std + mean)).round().clamp(0, 255).to(torch.uint8).cpu()


def _text(label: int, target: Tensor | None, names: Sequence[str]) -> str:
    """The class; of an image that was mixed of two, both with their shares, a line each."""

    def name(index: int, letters: int) -> str:
        return shorten(names[index] if index < len(names) else str(index), letters)

    if target is None:
        return name(label, LONGEST)
    shares, classes = target.topk(2)
    if shares[0] > UNMIXED:
        return name(int(classes[0]), LONGEST)
    pairs = zip(classes.tolist(), shares.tolist(), strict=True)
    return "\n".join(f"{name(index, LONGEST - 4)} {share:.0%}" for index, share in pairs)
