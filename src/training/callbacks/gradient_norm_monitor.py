"""Norm of the gradient at each depth of the network."""

import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from src.training.callbacks.metrics_logger import MetricsLogger


class GradientNormMonitor(Callback):
    """Logs ``gradient_norm/<depth>_<stage>``: the L2 norm of each stage's gradient.

    The gradient is that of all accumulated batches and all ranks, without float16's loss scale,
    before clipping. Norms are computed at the steps that :class:`MetricsLogger` logs, and stay on
    the device until it reads its metrics.
    """

    def __init__(self, metrics_logger: MetricsLogger):
        self.metrics_logger = metrics_logger
        self._stages: dict[str, list[nn.Parameter]] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Find the stages, now that the parameters to train are final."""
        stages = stages_by_depth(pl_module.get_submodule("network.backbone"))
        self._stages = {f"gradient_norm/{name}": found for name, found in stages.items()}

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        batch_idx = trainer.fit_loop.epoch_loop.batch_idx
        if self.metrics_logger.should_log(trainer, trainer.global_step + 1, batch_idx):
            norms = torch.stack([gradient_norm(stage) for stage in self._stages.values()])
            scaler = getattr(trainer.precision_plugin, "scaler", None)
            # Only optimizers that divide by the loss scale in their own step get scaled gradients.
            if scaler is not None and getattr(optimizer, "_step_supports_amp_scaling", False):
                norms = norms / scaler.scale(norms.new_ones(()))
            self.metrics_logger.log_with_next(list(self._stages), norms)


def stages_by_depth(backbone: nn.Module) -> dict[str, list[nn.Parameter]]:
    """Trained parameters by stage of the network: ``1_stem``, ``2_layer1`` … ``6_fc``.

    Stages are the top-level children with trained parameters, in order; those before ``layer1``, if
    there is one, are the stem. Parameters of no child, such as a class token, are ``parameters``.
    """
    children = [name for name, _ in backbone.named_children()]
    stem = children[: children.index("layer1")] if "layer1" in children else []
    stages: dict[str, list[nn.Parameter]] = {}
    for name, parameter in backbone.named_parameters():
        child = name.split(".")[0] if "." in name else "parameters"
        if parameter.requires_grad:
            stages.setdefault("stem" if child in stem else child, []).append(parameter)
    # Zero-padded, because TensorBoard sorts names as text.
    width = len(str(len(stages)))
    return {f"{i:0{width}}_{name}": found for i, (name, found) in enumerate(stages.items(), 1)}


def gradient_norm(parameters: list[nn.Parameter]) -> Tensor:
    """L2 norm of all gradients together: a scalar on their device."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    return get_total_norm(gradients) if gradients else parameters[0].new_zeros(())
