"""Muon for the matrices of a network, SGD or AdamW for its other parameters."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT

from src.config.optimization import MuonConfig
from src.training.optimizers import (
    build_fused,
    match_memory_format,
    parameter_groups,
    with_strides_of,
)


def muon_parameters(model: nn.Module) -> list[Tensor]:
    """Parameters for Muon: the weights of convolutions and of linear layers but the last.

    Keller Jordan, "Muon: An optimizer for hidden layers in neural networks"
    (https://kellerjordan.github.io/posts/muon/), leaves the classifier, norms, biases and
    embeddings to another optimizer; unlike there, a first convolution is among them.
    """
    layers = [m for m in model.modules() if isinstance(m, nn.Linear | nn.modules.conv._ConvNd)]
    linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
    # By their identity, because layers may share a weight.
    weights = {id(layer.weight): layer.weight for layer in layers}
    if linear:
        # A parametrized layer makes a new tensor each time.
        weights.pop(id(linear[-1].weight), None)
    return [weight for weight in weights.values() if weight.requires_grad]


def _memory_order(weight: Tensor) -> tuple[int, ...]:
    """Dimensions of a weight in memory order, rows first, so that they flatten to a view.

    The columns of channels-last weights are permuted. Orthogonalization commutes with that: for the
    matrix G and a permutation P of its columns, the iteration takes (G P)(G P)^T = G G^T and
    multiplies G P by it from the left.
    """
    return (0, *sorted(range(1, weight.ndim), key=lambda dim: -weight.stride()[dim]))


class MuonWithAuxiliary(Optimizer):
    """``torch.optim.Muon`` for matrices and an auxiliary optimizer for the rest, as one optimizer.

    A convolution's weight (out, in, kh, kw) is updated as the matrix (out, in*kh*kw). Muon sees
    views of weights, gradients and momentum, made anew in each step: the parameters may move to a
    device, change their memory format or be loaded. ``param_groups`` and ``state`` hold the
    parameters themselves. ``options`` are those of ``torch.optim.Muon``.
    """

    def __init__(
        self, matrices: ParamsT, auxiliary: Optimizer | None = None, **options: Any
    ) -> None:
        # The placeholder checks the options and fills in defaults; views replace it in each step.
        self._muon = torch.optim.Muon([torch.zeros(1, 1)], **options)
        self._auxiliary = auxiliary
        super().__init__(matrices, dict(self._muon.defaults))
        self._matrix_groups = len(self.param_groups)
        if auxiliary is not None:
            self.param_groups += auxiliary.param_groups
        self.register_load_state_dict_post_hook(match_memory_format)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self._step_matrices()
        if self._auxiliary is not None:
            # Assigned in each step, because loading a checkpoint replaces groups and state.
            self._auxiliary.param_groups = self.param_groups[self._matrix_groups :]
            self._auxiliary.state = self.state
            self._auxiliary.step()
        return loss

    def _step_matrices(self) -> None:
        self._muon.param_groups = []
        self._muon.state.clear()
        for group in self.param_groups[: self._matrix_groups]:
            trained = [parameter for parameter in group["params"] if parameter.grad is not None]
            self._muon.param_groups.append(group | {"params": [self._view(p) for p in trained]})
        self._muon.step()

    def _view(self, parameter: Tensor) -> Tensor:
        """Matrix view of a parameter, with its gradient and its momentum."""
        assert parameter.grad is not None
        state = self.state[parameter]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        state["momentum_buffer"] = with_strides_of(parameter, state["momentum_buffer"])
        columns, rows = _memory_order(parameter), len(parameter)
        matrix = parameter.detach().permute(columns).view(rows, -1)
        matrix.grad = parameter.grad.permute(columns).reshape(rows, -1)
        momentum = state["momentum_buffer"].permute(columns).view(rows, -1)
        self._muon.state[matrix] = {"momentum_buffer": momentum}
        return matrix


def muon(model: nn.Module, settings: MuonConfig) -> MuonWithAuxiliary:
    """Muon for convolutions and hidden matrices (``muon_parameters``), SGD or AdamW for the rest.

    Muon's and AdamW's weight decay is decoupled (lr * weight_decay a step), SGD's an L2 term.
    ``lr`` is that of ``torch.optim.Muon``, before its adjustment by the matrix's shape;
    ``rest_momentum`` is SGD's momentum or AdamW's first beta.
    """
    chosen = {id(weight) for weight in muon_parameters(model)}
    if not chosen:
        raise ValueError(
            "optimizer=muon needs a trainable convolution or hidden linear layer, and the model has"
            " none; take optimizer=sgd or adamw"
        )
    groups = parameter_groups(
        model, settings.weight_decay, settings.decay_on, settings.rest_lr, settings.bias_lr_factor
    )

    def select(by_muon: bool) -> list[dict[str, Any]]:
        selected = [
            group | {"params": [p for p in group["params"] if (id(p) in chosen) == by_muon]}
            for group in groups
        ]
        return [group for group in selected if group["params"]]

    auxiliary = None
    lr, momentum = settings.rest_lr, settings.rest_momentum
    if (rest := select(False)) and settings.rest == "adamw":
        auxiliary = build_fused(torch.optim.AdamW, rest, lr=lr, betas=(momentum, 0.999))
    elif rest:
        nesterov = settings.nesterov and momentum > 0  # torch refuses it without momentum
        auxiliary = build_fused(torch.optim.SGD, rest, lr=lr, momentum=momentum, nesterov=nesterov)
    return MuonWithAuxiliary(
        select(True),
        auxiliary,
        lr=settings.lr,
        momentum=settings.momentum,
        nesterov=settings.nesterov,
        ns_steps=settings.ns_steps,
        adjust_lr_fn=settings.adjust_lr_fn,
    )
