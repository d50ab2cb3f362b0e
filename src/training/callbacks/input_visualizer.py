"""First training batch as the network sees it, for TensorBoard."""

from collections.abc import Sequence
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor

from src.plotting import image_grid, warn_if_fails
from src.text import shorten
from src.training.classifier import ImageClassifier
from src.training.loggers import tensorboards

MAX_IMAGES = 32
MAX_LETTERS = 14  # of a label, which fit below a tile
UNMIXED = 0.995  # share above which the other class would be shown as 0%


class InputVisualizer(Callback):
    """Shows the first training batch of a run in TensorBoard, as the network sees it.

    The augmented images pass the network's normalization and are mapped back by the configured
    ``mean`` and ``std``, so that mistakes show: images normalized twice come out almost uniform.
    """

    def __init__(self, mean: Sequence[float] | None, std: Sequence[float] | None):
        self.mean = mean
        self.std = std

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, ImageClassifier)
        if trainer.fit_loop.epoch_loop.total_batch_idx or not trainer.is_global_zero:
            return
        with warn_if_fails("first_batch"):
            self._draw(trainer, pl_module, batch)

    def _draw(self, trainer: Trainer, module: ImageClassifier, batch: Any) -> None:
        visible = self._denormalized(module, batch.images[:MAX_IMAGES])
        classes: Sequence[str] = trainer.datamodule.classes  # type: ignore[attr-defined]
        if batch.targets is None:
            labels = batch.labels[:MAX_IMAGES].tolist()
            texts = [shorten(classes[label], MAX_LETTERS) for label in labels]
        else:
            texts = [_shares(target, classes) for target in batch.targets[:MAX_IMAGES].cpu()]
        picture = image_grid(visible.permute(0, 2, 3, 1).numpy(), texts)
        for logger in tensorboards(trainer.loggers):
            logger.experiment.add_image("first_batch", picture, 0, dataformats="HWC")

    @torch.no_grad()
    def _denormalized(self, module: ImageClassifier, images: Tensor) -> Tensor:
        """Normalize images (N, C, H, W) and map them back, to uint8."""
        layer: Any = module.network.normalize
        seen = layer(images)
        mean = layer.mean if self.mean is None else seen.new_tensor(self.mean).view(1, -1, 1, 1)
        std = layer.std if self.std is None else seen.new_tensor(self.std).view(1, -1, 1, 1)
        return (255 * (seen * std + mean)).round().clamp(0, 255).to(torch.uint8).cpu()


def _shares(target: Tensor, classes: Sequence[str]) -> str:
    """Label of a mixed image: both classes with their shares."""
    top = target.topk(2)
    (share, _), (first, second) = top.values.tolist(), top.indices.tolist()
    if share > UNMIXED:
        return shorten(classes[first], MAX_LETTERS)
    names = (shorten(classes[index], MAX_LETTERS - 4) for index in (first, second))
    return "\n".join(f"{name} {part:.0%}" for name, part in zip(names, top.values, strict=True))
