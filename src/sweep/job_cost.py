"""Cost of a job: number of images, size of the network, seconds an image."""

import logging
import math
import time
from dataclasses import asdict, dataclass

import torch
from torch import nn
from torch.nn import functional as F

from src.config.schema import TrainConfig
from src.errors import as_user_errors
from src.factory import build_backbone, without_pretrained_weights
from src.models.summary import summarize
from src.train.build import build_data, check_fit
from src.training.hardware import LOWER, choose_accelerator, choose_precision, device_of

TIMED_ON_CPU = 32
"""Most images of a batch that is timed on a CPU."""


@dataclass(frozen=True)
class JobCost:
    """Network and images of a job."""

    name: str
    parameters: int
    multiply_adds: int  # of a forward pass of one image
    train_images: int  # size of the training set
    seconds_per_image: float  # time of a training step; NaN if it was not measured

    def images(self, config: TrainConfig) -> int:
        """Number of images in all steps of a run."""
        size, trainer = config.data.batch_size, config.trainer
        epoch = min(self.train_images, size * (trainer.limit_train_batches or math.inf))
        step = size * trainer.accumulate_grad_batches
        by_epochs = epoch * (trainer.max_epochs or math.inf)
        by_steps = step * (trainer.max_steps or math.inf)
        return int(min(by_epochs, by_steps))


def measure_job_cost(config: TrainConfig, *, timed: bool) -> JobCost:
    """Open the data of a job, build its network, and time a step of it if ``timed``."""
    logging.getLogger().setLevel(logging.ERROR)  # the job logs the same again
    accelerator = choose_accelerator(config.trainer.accelerator, config.trainer.devices)
    data = build_data(config)
    height, width, channels = data.image_shape
    settings = without_pretrained_weights(config.model)
    with torch.device("cpu" if timed else "meta"):
        network = build_backbone(settings, len(data.classes), channels)
    with as_user_errors(ValueError):
        summary = summarize(network, (channels, height, width))
    check_fit(network, summary, data)
    model = asdict(config)["model"]
    return JobCost(
        str(model.get("name") or model["_target_"]),
        summary.parameters,
        summary.multiply_adds,
        len(data.train_indices),
        _seconds_per_image(network, config, accelerator, data.image_shape) if timed else math.nan,
    )


def _seconds_per_image(
    network: nn.Module, config: TrainConfig, accelerator: str, shape: tuple[int, int, int]
) -> float:
    """Time the second of two forward and backward passes; NaN if one fails."""
    size = config.data.batch_size
    if accelerator == "cpu":
        size = min(size, TIMED_ON_CPU)
        torch.set_num_threads(config.trainer.num_threads or torch.get_num_threads())
    device = device_of(accelerator)
    lower = LOWER.get(choose_precision(config.trainer.precision, accelerator))
    height, width, channels = shape
    network = network.to(device).to(memory_format=torch.channels_last)
    images = torch.rand(size, channels, height, width, device=device)
    images = images.to(memory_format=torch.channels_last)
    labels = torch.zeros(size, dtype=torch.int64, device=device)
    began = math.nan
    try:
        for _ in range(2):
            began = time.perf_counter()
            with torch.autocast(device.type, lower, enabled=lower is not None):
                loss = F.cross_entropy(network(images).float(), labels)
            loss.backward()
            loss.item()
    except RuntimeError:
        return math.nan  # for example out of memory, which the job reports
    return (time.perf_counter() - began) / size
