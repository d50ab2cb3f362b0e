"""``MuonWithAuxiliary``: torch's Muon on convolutions, and one optimizer to everybody else."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from src.training.muon import MuonWithAuxiliary, muon, muon_parameters
from tests.fixtures.options import optimizer_settings
from tests.training.small_network import network, train_step, weights


def build_muon(model: nn.Module, **changes: object) -> MuonWithAuxiliary:
    return muon(model, optimizer_settings("muon", **changes))


def test_only_the_classifier_is_not_a_hidden_matrix() -> None:
    model = nn.Sequential(network(), nn.LayerNorm(4), nn.Linear(4, 5), nn.Linear(5, 3))
    found = {id(weight) for weight in muon_parameters(model)}
    names = [name for name, parameter in model.named_parameters() if id(parameter) in found]
    assert names == ["0.0.weight", "0.3.weight", "0.6.weight", "2.weight"]
    model[0][3].weight.requires_grad_(False)
    assert len(muon_parameters(model)) == 3


@pytest.mark.parametrize("adjust", ["original", "match_rms_adamw"])
@pytest.mark.parametrize("nesterov", [True, False])
def test_matrices_are_updated_as_torch_does(adjust: str, nesterov: bool) -> None:
    options = {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.1, "ns_steps": 4}
    options |= {"nesterov": nesterov, "adjust_lr_fn": adjust}
    torch.manual_seed(1)
    ours = [nn.Parameter(torch.randn(6, 4)), nn.Parameter(torch.randn(3, 9))]
    theirs = [nn.Parameter(matrix.detach().clone()) for matrix in ours]
    optimizers = MuonWithAuxiliary(ours, **options), torch.optim.Muon(theirs, **options)
    for _ in range(5):
        for mine, other in zip(ours, theirs, strict=True):
            mine.grad = torch.randn_like(mine)
            other.grad = mine.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
        for mine, other in zip(ours, theirs, strict=True):
            assert torch.equal(mine, other)


def convolution_update(weight: Tensor, gradient: Tensor, **options: float) -> Tensor:
    """Make one update and return what was subtracted from the weight, per unit of lr."""
    parameter = nn.Parameter(weight.clone(memory_format=torch.preserve_format))
    optimizer = MuonWithAuxiliary([parameter], lr=0.5, weight_decay=0.0, **options)
    parameter.grad = gradient
    optimizer.step()
    return (weight - parameter.detach()) / 0.5


def test_a_convolution_is_updated_as_the_matrix_of_its_rows() -> None:
    torch.manual_seed(2)
    weight, gradient = torch.randn(6, 4, 3, 3), torch.randn(6, 4, 3, 3)
    update = convolution_update(weight, gradient)
    as_matrix = convolution_update(weight.flatten(1), gradient.flatten(1))
    assert torch.equal(update.flatten(1), as_matrix)
    singular = torch.linalg.svdvals(update.flatten(1))
    assert singular.min() > 0.6
    assert singular.max() < 1.3
    assert torch.linalg.svdvals(gradient.flatten(1)).max() > 4


@pytest.mark.parametrize("shape", [(6, 4, 3, 3), (8, 2, 1, 1), (4, 1, 5, 3)])
def test_channels_last_weights_get_the_same_update(shape: tuple[int, ...]) -> None:
    torch.manual_seed(3)
    weight, gradient = torch.randn(shape), torch.randn(shape)
    last = weight.to(memory_format=torch.channels_last)
    expected = convolution_update(weight, gradient)
    for layout in (gradient, gradient.to(memory_format=torch.channels_last)):
        # bfloat16 sums in another order: equal to within its 8 bits.
        assert torch.allclose(convolution_update(last, layout), expected, atol=0.03)


def test_a_change_of_memory_format_keeps_the_momentum() -> None:
    changed, kept = network(), network()
    optimizers = build_muon(changed), build_muon(kept)
    for step in range(6):
        if step == 3:
            changed.to(memory_format=torch.channels_last)
        train_step(changed, optimizers[0], step)
        train_step(kept, optimizers[1], step)
    for mine, other in zip(weights(changed), weights(kept), strict=True):
        assert torch.allclose(mine, other, rtol=0.02, atol=3e-3)


def test_replaced_storage_is_followed() -> None:
    """Moving a module to a device gives its parameters new memory."""
    moved, kept = network(), network()
    optimizers = build_muon(moved), build_muon(kept)
    for step in range(4):
        for parameter in moved.parameters():
            parameter.data = parameter.data.clone()
        train_step(moved, optimizers[0], step)
        train_step(kept, optimizers[1], step)
    for mine, other in zip(weights(moved), weights(kept), strict=True):
        assert torch.equal(mine, other)


def test_the_rest_resumes_in_another_memory_format() -> None:
    torch.manual_seed(4)
    gradients = torch.randn(2, 1, 4, 5, 6)

    def update(value: Tensor, gradient: Tensor, state: dict | None = None) -> tuple[Tensor, dict]:
        offset = nn.Parameter(value)
        rest = torch.optim.SGD([offset], lr=0.1, momentum=0.9, fused=True)
        optimizer = MuonWithAuxiliary([nn.Parameter(torch.ones(3, 3))], rest)
        if state is not None:
            optimizer.load_state_dict(state)
        offset.grad = torch.empty_like(offset).copy_(gradient)
        optimizer.step()
        return offset.detach(), optimizer.state_dict()

    value, state = update(torch.zeros(1, 4, 5, 6), gradients[0])
    last = value.to(memory_format=torch.channels_last, copy=True)
    expected, _ = update(value, gradients[1], copy.deepcopy(state))
    assert torch.equal(update(last, gradients[1], state)[0], expected)


def test_groups_hold_the_models_own_parameters() -> None:
    model = network()
    optimizer = build_muon(model, lr=0.02, rest_lr=0.1, weight_decay=0.01, decay_on="weights")
    held = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(held) == sorted(id(parameter) for parameter in model.parameters())
    rates = [(group["lr"], group["weight_decay"]) for group in optimizer.param_groups]
    assert rates == [(0.02, 0.01), (0.1, 0.01), (0.1, 0.0)]
    train_step(model, optimizer, 0)
    assert optimizer.state[model[3].weight]["momentum_buffer"].shape == (8, 6, 3, 3)


@pytest.mark.parametrize("rest", ["sgd", "adamw"])
def test_a_schedule_scales_every_group(rest: str) -> None:
    """Also after a checkpoint has been loaded, which replaces the groups."""
    for reload in (False, True):
        model = network()
        optimizer = build_muon(model, lr=0.02, rest=rest, rest_lr=0.1, weight_decay=0.0)
        if reload:
            optimizer.load_state_dict(optimizer.state_dict())
        schedule = LambdaLR(optimizer, lambda step: 0.5 if step == 1 else 0.0)
        assert [group["lr"] for group in optimizer.param_groups] == [0.0, 0.0, 0.0]
        before = weights(model)
        train_step(model, optimizer, 0)
        assert all(torch.equal(a, b) for a, b in zip(weights(model), before, strict=True))
        schedule.step()
        assert [group["lr"] for group in optimizer.param_groups] == [0.01, 0.05, 0.05]
        train_step(model, optimizer, 0)
        assert not any(torch.equal(a, b) for a, b in zip(weights(model), before, strict=True))


def test_a_closure_is_called_once_with_gradients() -> None:
    model = network()
    optimizer = build_muon(model)
    calls = []

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = model(torch.ones(2, 3, 8, 8)).square().mean()
        loss.backward()
        calls.append(loss)
        return loss

    assert optimizer.step(closure) is calls[0]
    assert len(calls) == 1


def test_unknown_options_are_refused() -> None:
    with pytest.raises(ValueError, match=r"is not supported$"):
        MuonWithAuxiliary([nn.Parameter(torch.ones(3, 3))], adjust_lr_fn="spectral")
