"""Predictions for images, with test-time augmentation."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from src.config.schema import InferenceConfig
from src.errors import RunFailed
from src.inference.load_run import TrainedRun
from src.training.hardware import choose_device_and_dtype

Classifier = Callable[[NDArray[np.uint8]], NDArray[np.float64]]
"""Images, uint8 (N, H, W, C), to the probability of each class, (N, classes)."""


@dataclass(frozen=True)
class Predictions:
    """Predictions for N images."""

    probabilities: NDArray[np.float64]  # (N, classes), rows adding up to 1
    labels: NDArray[np.int64]  # (N,), the true classes

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The most probable class of each image, int64 (N,)."""
        return self.probabilities.argmax(axis=1)

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether the most probable class is the true one, bool (N,)."""
        return self.predicted == self.labels

    @property
    def confidence(self) -> NDArray[np.float64]:
        """The probability of the most probable class, float64 (N,)."""
        return self.probabilities.max(axis=1)


def check_finite(logits: Tensor) -> None:
    """Raise :class:`RunFailed` for logits with NaN or infinity."""
    bad = logits.numel() - int(torch.isfinite(logits).sum())
    if bad:
        raise RunFailed(
            f"the network's outputs are not finite ({bad:,} of the first {logits.numel():,}): "
            "its weights are those of a training that diverged, or precision=32-true is needed"
        )


def views_of(images: Tensor, tta: str) -> list[Tensor]:
    """Views of images (N, C, H, W) that test-time augmentation averages over."""
    if tta == "flip":
        return [images, images.flip(3)]
    if tta == "shift":  # by a pixel to each corner; the new border is reflected
        height, width = images.shape[2:]
        padded = F.pad(images.float(), (1, 1, 1, 1), mode="reflect")
        starts = product((2, 0), repeat=2)
        return [images, *(padded[:, :, y : y + height, x : x + width] for y, x in starts)]
    return [images]


@torch.inference_mode()
def classify(
    network: nn.Module,
    images: NDArray[np.uint8],
    *,
    device: torch.device,
    autocast: torch.dtype | None = None,
    tta: str = "none",
    batch_size: int = 512,
) -> NDArray[np.float64]:
    """Probability of each class, float64 (N, classes), for images, uint8 (N, H, W, C).

    ``network`` maps images (N, C, H, W) in 0..255 to logits (N, classes), in the dtype of its
    weights where ``autocast`` is None.
    """
    network.eval()
    batches = []
    for start in range(0, len(images), batch_size):
        batch = torch.tensor(images[start : start + batch_size]).permute(0, 3, 1, 2).to(device)
        with torch.autocast(device.type, dtype=autocast, enabled=autocast is not None):
            logits = torch.stack([network(view) for view in views_of(batch, tta)])
        check_finite(logits)
        # On the CPU, because MPS has no float64.
        batches.append(F.softmax(logits.cpu().double(), dim=2).mean(dim=0).numpy())
    return np.concatenate(batches)


def classifier_of(trained: TrainedRun, settings: InferenceConfig, tta: str = "none") -> Classifier:
    """:func:`classify` by a run's network, on the device and in the precision of the settings."""
    device, autocast = choose_device_and_dtype(
        settings.accelerator, settings.precision, trained.precision
    )
    return partial(
        classify,
        trained.network.to(device),
        device=device,
        autocast=autocast,
        tta=tta,
        batch_size=settings.batch_size,
    )
