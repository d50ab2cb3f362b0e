"""Pictures of the test set for TensorBoard: confusion matrix, worst mistakes."""

from typing import Any

import lightning as L
import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.utilities.distributed import gather_all_tensors

from src.data.module import ImageDataModule
from src.evaluate.plots import confusion_figure, worst_mistakes
from src.inference.predictions import Predictions
from src.plotting import as_pixels, warn_if_fails
from src.training.loggers import tensorboards


class PredictionVisualizer(L.Callback):
    """Draws the predictions of the test itself, with no second forward pass."""

    def __init__(self) -> None:
        self._batches: list[tuple[Tensor, Tensor, Tensor]] = []

    def on_test_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        own = len(batch.labels) if batch.weight else 0
        # Cloned: a CUDA graph writes the next batch's logits to the same memory.
        self._batches.append((batch.indices[:own], batch.labels[:own], outputs[:own].clone()))

    def on_test_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        parts = [torch.cat(column) for column in zip(*self._batches, strict=True)]
        self._batches.clear()
        if trainer.world_size > 1:
            parts = [torch.cat(gather_all_tensors(part.to(pl_module.device))) for part in parts]
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        if not trainer.is_global_zero or not isinstance(data, ImageDataModule):
            return
        with warn_if_fails("test/confusion, test/worst_mistakes"):
            _draw(trainer, data, parts)


def _draw(trainer: L.Trainer, data: ImageDataModule, parts: list[Tensor]) -> None:
    indices, labels, logits = (part.cpu() for part in parts)
    # Ranks take turns with the images; sorted they are the test set, or its beginning.
    order = indices.argsort()
    labels, logits = labels[order], logits[order]
    predictions = Predictions(F.softmax(logits.double(), dim=1).numpy(), labels.numpy())
    pictures = {
        "test/confusion": as_pixels(confusion_figure(predictions, data.classes)),
        "test/worst_mistakes": worst_mistakes(predictions, data.test_set.images, data.classes),
    }
    for logger in tensorboards(trainer.loggers):
        for name, pixels in pictures.items():
            logger.experiment.add_image(name, pixels, trainer.global_step, dataformats="HWC")
