"""From a checked configuration to the objects it names."""

import logging
from dataclasses import asdict
from typing import Any

import torch
from hydra.errors import InstantiationException
from hydra.utils import get_class, instantiate
from torch import nn

from src.augment import Augment
from src.config import TrainConfig, UserError, as_user_errors
from src.config.errors import one_line
from src.config.schema import ResNetConfig
from src.data.module import ImageDataModule
from src.models import ModelSummary, ResNet, build_model, summarize
from src.training import optimizers
from src.training.classifier import ImageClassifier, OptimizerFactory, ScheduleFactory
from src.training.schedules import build_schedule

log = logging.getLogger(__name__)


def build_data(config: TrainConfig) -> ImageDataModule:
    """The opened and split data set.

    Raises:
        UserError: the images are missing, damaged, or not what the configuration says.
    """
    with as_user_errors():
        augment = Augment(seed=config.run.seed, **asdict(config.augment))
        data = ImageDataModule(config.data, augment, config.run.seed)
        data.setup()
    return data


def build_classifier(
    config: TrainConfig, data: ImageDataModule
) -> tuple[ImageClassifier, ModelSummary]:
    """The network for the data, ready to train, and its layer-by-layer summary.

    Raises:
        UserError: the network does not exist, or does not fit the images.
    """
    height, width, channels = data.image_shape
    backbone = _backbone(config.model, len(data.classes), channels)
    with as_user_errors():
        summary = summarize(backbone, (channels, height, width))
        mean, std = data.statistics()
    _check_fit(backbone, summary, data)
    classifier = ImageClassifier(
        backbone,
        mean=mean,
        std=std,
        optimizer=_optimizer(config.optimizer),
        schedule=_schedule(config.scheduler),
        loss=nn.CrossEntropyLoss(label_smoothing=config.run.label_smoothing),
        channels_last=config.trainer.channels_last,
    )
    if config.trainer.compile:
        # In place, which keeps the names in the state dict.
        classifier.network.compile()
    return classifier, summary


def _backbone(model: ResNetConfig | dict[str, Any], classes: int, channels: int) -> nn.Module:
    options = dict(model) if isinstance(model, dict) else asdict(model)
    target = options.pop("_target_")
    for key, value in (("num_classes", classes), ("in_channels", channels)):
        # A key that is there without a number is filled from the data; one that is left out is
        # not for this network.
        if options.get(key, 0) in (None, "auto"):
            options[key] = value
    if isinstance(model, ResNetConfig):
        with as_user_errors():
            return build_model(**options)
    try:
        network = instantiate({"_target_": target, **options})
    except InstantiationException as error:
        reason = one_line(error.__cause__ or error)
        raise UserError(f"model._target_={target}: cannot be built: {reason}") from error
    if not isinstance(network, nn.Module):
        raise UserError(f"model._target_={target}: not a torch.nn.Module")
    return network


def _check_fit(backbone: nn.Module, summary: ModelSummary, data: ImageDataModule) -> None:
    classes, output = len(data.classes), summary.output_size
    if output is None or len(output) != 1:
        what = "several values" if output is None else f"an output of {len(output)} dimensions"
        raise UserError(
            f"the model returns {what} for an image; a tensor of one number a class is needed"
        )
    if output[0] != classes:
        raise UserError(
            f"the model has {output[0]} outputs and the data {classes} classes; "
            "set model.num_classes=null to follow the data"
        )
    size = min(data.image_shape[:2])
    if isinstance(backbone, ResNet) and backbone.collapses(size):
        log.warning(
            "the last stage sees a single pixel: an image of %d pixels shrinks to %s in this "
            "network; model.stem=cifar keeps more of it, about 16 points of accuracy on CIFAR-10",
            size,
            backbone.feature_sizes(size),
        )


def _optimizer(settings: Any) -> OptimizerFactory:
    options = dict(settings) if isinstance(settings, dict) else asdict(settings)
    name = options.pop("name")
    if "betas" in options:
        options["betas"] = tuple(options["betas"])
    if name == "custom":
        target = options.pop("_target_")
        try:
            cls = get_class(target)
        except Exception as error:
            raise UserError(f"optimizer._target_={target}: {one_line(error)}") from error
        if not (isinstance(cls, type) and issubclass(cls, torch.optim.Optimizer)):
            raise UserError(f"optimizer._target_={target}: not a torch.optim.Optimizer")
        if issubclass(cls, torch.optim.LBFGS):
            raise UserError(f"optimizer._target_={target}: evaluates several times a step")
        options["cls"] = cls
    make = getattr(optimizers, name)

    def build(module: nn.Module) -> torch.optim.Optimizer:
        with as_user_errors(TypeError, ValueError):
            return make(module, **options)

    return build


def _schedule(settings: Any) -> ScheduleFactory:
    options = asdict(settings)
    name = options.pop("name")

    def make(
        optimizer: torch.optim.Optimizer, total_steps: int, steps_per_epoch: int
    ) -> torch.optim.lr_scheduler.LRScheduler:
        with as_user_errors(ValueError):
            return build_schedule(
                optimizer,
                name,
                total_steps=total_steps,
                steps_per_epoch=steps_per_epoch,
                **options,
            )

    return make
