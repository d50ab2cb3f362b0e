"""Build data module, LightningModule and model summary from a checked configuration."""

import logging
from dataclasses import asdict
from functools import partial

from torch import nn

from src.augment.pipeline import Augment
from src.config.schema import TrainConfig
from src.data.module import ImageDataModule
from src.errors import UserError, as_user_errors
from src.factory import build_backbone, optimizer_factory, without_pretrained_weights
from src.models.resnet import ResNet
from src.models.summary import ModelSummary, summarize
from src.training.classifier import ImageClassifier
from src.training.conv_weight_grad import use_matmul_weight_grad
from src.training.hardware import Compute
from src.training.schedules import FactorSchedule

log = logging.getLogger(__name__)


def build_data(config: TrainConfig) -> ImageDataModule:
    """The opened and split data set."""
    with as_user_errors():
        augment = Augment(seed=config.run.seed, **asdict(config.augment))
        data = ImageDataModule(config.data, augment, config.run.seed)
        data.setup()
    return data


def build_classifier(
    config: TrainConfig, data: ImageDataModule, compute: Compute
) -> tuple[ImageClassifier, ModelSummary]:
    """The network for the data, ready to train, and its layer-by-layer summary."""
    height, width, channels = data.image_shape
    # A resumed run takes its weights from its checkpoint.
    model = without_pretrained_weights(config.model) if config.run.resume else config.model
    backbone = build_backbone(model, len(data.classes), channels)
    with as_user_errors():
        summary = summarize(backbone, (channels, height, width))
        mean, std = data.statistics()
    check_fit(backbone, summary, data)
    classifier = ImageClassifier(
        backbone,
        mean=mean,
        std=std,
        optimizer=optimizer_factory(config.optimizer),
        schedule=partial(FactorSchedule, config.scheduler),
        loss=nn.CrossEntropyLoss(label_smoothing=config.run.label_smoothing),
        channels_last=config.trainer.channels_last,
    )
    if compute.mixed_on_cpu:
        use_matmul_weight_grad(classifier.network)
    if config.trainer.compile:
        # Module.compile keeps the names in the state dict, torch.compile does not.
        classifier.network.compile(mode=config.trainer.compile_mode)
    return classifier, summary


def check_fit(backbone: nn.Module, summary: ModelSummary, data: ImageDataModule) -> None:
    """Refuse a network without one output a class; warn of a last stage of a single pixel."""
    classes, output = len(data.classes), summary.output_size
    if output is None or len(output) != 1:
        what = "several values" if output is None else f"an output of {len(output)} dimensions"
        raise UserError(
            f"the model returns {what} for an image; one number for each class is needed"
        )
    if output[0] != classes:
        raise UserError(
            f"the model has {output[0]} outputs and the data {classes} classes; "
            "set model.num_classes=null to follow the data"
        )
    size = min(data.image_shape[:2])
    # The 3x3 kernels of a stage that ends in a 1x1 map see mostly padding.
    if isinstance(backbone, ResNet) and min(sizes := backbone.feature_sizes(size)) == 1:
        log.warning(
            "the last stage sees a single pixel: an image of %d pixels shrinks to %s in this "
            "network; model.stem=cifar keeps more of it, about 16 points of accuracy on CIFAR-10",
            *(size, sizes),
        )
