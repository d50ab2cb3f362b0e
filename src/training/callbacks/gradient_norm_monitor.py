"""Norm of the gradient at each depth of the network."""

import lightning as L
import torch
from lightning.pytorch.plugins import MixedPrecision
from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from src.training.callbacks.metrics_logger import MetricsLogger
from src.training.classifier import ImageClassifier


class GradientNormMonitor(L.Callback):
    """Logs ``gradient_norm/<depth>_<stage>``: the L2 norm of each stage's gradient.

    It is the gradient the optimizer step is made of: of all accumulated batches and all ranks,
    without the scale of float16 losses, before clipping. The norms are computed at the steps
    alone that :class:`MetricsLogger` reads, stay on the device and are read along with its figures.
    """

    def __init__(self, training_log: MetricsLogger):
        """Measure at the steps that ``training_log`` reads."""
        self.training_log = training_log
        self._stages: dict[str, list[nn.Parameter]] = {}

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Find the stages; by now the parameters are those that will be trained."""
        assert isinstance(pl_module, ImageClassifier)
        stages = stages_by_depth(pl_module.network.get_submodule("backbone"))
        self._stages = {f"gradient_norm/{name}": found for name, found in stages.items()}

    def on_before_optimizer_step(
        self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: Optimizer
    ) -> None:
        """Measure, if the step that is about to be made is going to be read."""
        batch_idx = trainer.fit_loop.epoch_loop.batch_idx
        if not self.training_log.is_due(trainer, trainer.global_step + 1, batch_idx):
            return
        norms = torch.stack([gradient_norm(stage) for stage in self._stages.values()])
        self.training_log.read_along(list(self._stages), norms / _scale(trainer, optimizer, norms))


def stages_by_depth(backbone: nn.Module) -> dict[str, list[nn.Parameter]]:
    """The trained parameters of a network by stage, ``1_stem``, ``2_layer1`` … ``6_fc``.

    The stages are the top-level children that have any, in their order. In a residual network,
    which is to say one with a ``layer1``, those before it are together the stem. Parameters
    outside of any child, such as a class token, come first as ``parameters``.
    """
    children = [name for name, _ in backbone.named_children()]
    stem = children[: children.index("layer1")] if "layer1" in children else []
    stages: dict[str, list[nn.Parameter]] = {}
    for name, parameter in backbone.named_parameters():
        child = name.split(".")[0] if "." in name else "parameters"
        if parameter.requires_grad:
            stages.setdefault("stem" if child in stem else child, []).append(parameter)
    # TensorBoard sorts by name, 10 before 2.
    width = len(str(len(stages)))
    return {f"{i:0{width}}_{name}": found for i, (name, found) in enumerate(stages.items(), 1)}


def gradient_norm(parameters: list[nn.Parameter]) -> Tensor:
    """The L2 norm of the gradients as one vector: a scalar on their device, 0 without any."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    return get_total_norm(gradients) if gradients else parameters[0].new_zeros(())


def _scale(trainer: L.Trainer, optimizer: Optimizer, like: Tensor) -> Tensor:
    """What the gradients are still multiplied by: a scalar on the device."""
    one = like.new_ones(())
    scaler = getattr(trainer.precision_plugin, "scaler", None)
    assert scaler is None or isinstance(trainer.precision_plugin, MixedPrecision)
    # Fused optimizers divide by it themselves, in their step.
    if scaler is None or not getattr(optimizer, "_step_supports_amp_scaling", False):
        return one
    scaled: Tensor = scaler.scale(one)
    return scaled
