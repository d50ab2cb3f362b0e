"""Parameter groups, the optimizer factories, and resuming from their state."""

import copy
import io
from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from src.config.optimization import DecayOn
from src.errors import UserError
from src.factory import optimizer_factory
from src.training.optimizers import custom, parameter_groups
from tests.fixtures.options import optimizer_settings
from tests.training.small_network import network, train_step, weights


def build(name: str, model: nn.Module, **changes: object) -> torch.optim.Optimizer:
    return optimizer_factory(optimizer_settings(name, **changes))(model)


def names(model: nn.Module, groups: list[dict]) -> dict[float, list[str]]:
    """List the parameters of each group by its weight decay."""
    known = {id(parameter): name for name, parameter in model.named_parameters()}
    return {group["weight_decay"]: [known[id(p)] for p in group["params"]] for group in groups}


def test_weight_decay_acts_on_what_it_is_told_to() -> None:
    model = network()
    everything = [name for name, _ in model.named_parameters()]
    assert names(model, parameter_groups(model, 0.1, "all")) == {0.1: everything}
    assert names(model, parameter_groups(model, 0.1, "weights")) == {
        0.1: ["0.weight", "3.weight", "6.weight"],
        0.0: ["1.weight", "1.bias", "3.bias", "6.bias"],
    }
    assert names(model, parameter_groups(model, 0.1, "convolutions")) == {
        0.1: ["0.weight", "3.weight"],
        0.0: ["1.weight", "1.bias", "3.bias", "6.weight", "6.bias"],
    }


def test_frozen_and_shared_parameters() -> None:
    model = network()
    model[0].weight.requires_grad_(False)
    model.append(model[3])
    for decay_on in get_args(DecayOn):
        found = [
            name
            for part in names(model, parameter_groups(model, 1, decay_on)).values()
            for name in part
        ]
        assert sorted(found) == ["1.bias", "1.weight", "3.bias", "3.weight", "6.bias", "6.weight"]


@pytest.mark.parametrize("name", ["sgd", "muon"])
def test_biases_may_learn_faster(name: str) -> None:
    model = network()
    rate = {"sgd": "lr", "muon": "rest_lr"}[name]
    optimizer = build(name, model, **{rate: 0.5}, bias_lr_factor=8)
    known = {id(parameter): name for name, parameter in model.named_parameters()}
    rates = {known[id(p)]: group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert {name for name, lr in rates.items() if lr == 4.0} == {"1.bias", "3.bias", "6.bias"}
    assert rates["1.weight"] == 0.5
    assert optimizer.param_groups[0]["lr"] == {"sgd": 0.5, "muon": 0.02}[name], "the rate logged"
    # A schedule keeps the proportion.
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5**step)
    train_step(model, optimizer, seed=0)
    schedule.step()
    assert optimizer.param_groups[-1]["lr"] == 2.0


def test_no_group_is_empty() -> None:
    without_biases = nn.Linear(3, 2, bias=False)
    assert len(parameter_groups(without_biases, 0.1, "weights")) == 1
    without_convolutions = nn.Linear(3, 2)
    (group,) = parameter_groups(without_convolutions, 0.1, "convolutions")
    assert group["weight_decay"] == 0


def test_a_frozen_network_is_refused() -> None:
    model = network()
    with pytest.raises(ValueError, match=r"^the model has no trainable parameters"):
        parameter_groups(model.requires_grad_(False), 0.1, "all")


REFERENCES = {
    "sgd": (
        lambda m: build("sgd", m, lr=0.1),
        lambda p: torch.optim.SGD(p, 0.1, 0.9, weight_decay=5e-4, nesterov=True, foreach=False),
    ),
    "plain sgd": (
        lambda m: build("sgd", m, lr=0.1, momentum=0.0, nesterov=False, weight_decay=0.0),
        lambda p: torch.optim.SGD(p, 0.1, foreach=False),
    ),
    "adam": (
        lambda m: build("adam", m, lr=0.01, betas=[0.8, 0.99], weight_decay=0.1),
        lambda p: torch.optim.Adam(p, 0.01, (0.8, 0.99), weight_decay=0.1, foreach=False),
    ),
    "adamw": (
        lambda m: build("adamw", m, lr=0.01, eps=1e-6, weight_decay=0.1, decay_on="all"),
        lambda p: torch.optim.AdamW(p, 0.01, eps=1e-6, weight_decay=0.1, foreach=False),
    ),
    "custom": (
        lambda m: custom(m, torch.optim.RMSprop, lr=0.01, alpha=0.9),
        lambda p: torch.optim.RMSprop(p, 0.01, alpha=0.9, foreach=False),
    ),
}
each_reference = pytest.mark.parametrize(
    ("make", "reference"), REFERENCES.values(), ids=REFERENCES.keys()
)


@each_reference
@pytest.mark.parametrize("channels_last", [False, True])
def test_updates_equal_those_of_torch(make, reference, channels_last: bool) -> None:
    ours, theirs = network(channels_last), network()
    optimizer, plain = make(ours), reference(theirs.parameters())
    for step in range(4):
        train_step(ours, optimizer, step)
        train_step(theirs, plain, step)
    for mine, other in zip(weights(ours), weights(theirs), strict=True):
        assert torch.allclose(mine, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_weight_decay_spares_the_norms(name: str) -> None:
    model = network()
    before = dict(zip([n for n, _ in model.named_parameters()], weights(model), strict=True))
    optimizer = build(name, model, lr=0.1, weight_decay=0.5, decay_on="weights")
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    changed = {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}
    assert changed == {"0.weight", "3.weight", "6.weight"}


FACTORIES = {
    "sgd": lambda m: build("sgd", m, lr=0.05, decay_on="weights"),
    "adam": lambda m: build("adam", m, lr=0.01, decay_on="convolutions", weight_decay=1e-4),
    "adamw": lambda m: build("adamw", m, lr=0.01),
    "muon with sgd": lambda m: build("muon", m, rest_lr=0.05),
    "muon with adamw": lambda m: build("muon", m, rest="adamw", rest_lr=0.01),
    "custom": lambda m: custom(m, torch.optim.NAdam, lr=0.01, weight_decay=0.1),
}
every_factory = pytest.mark.parametrize("make", FACTORIES.values(), ids=FACTORIES.keys())


@every_factory
def test_training_lowers_the_loss(make) -> None:
    model = network()
    optimizer = make(model)
    losses = [train_step(model, optimizer, 0) for _ in range(30)]
    assert losses[-1] < 0.5 * losses[0]


@every_factory
@pytest.mark.parametrize("saved_as", [False, True], ids=["planes", "channels-last"])
@pytest.mark.parametrize("resumed_as", [False, True], ids=["planes", "channels-last"])
def test_a_resumed_run_continues(make, saved_as: bool, resumed_as: bool) -> None:
    """Bit for bit in the same memory format, and with the same updates in another."""
    model = network(saved_as)
    optimizer = make(model)
    for step in range(3):
        train_step(model, optimizer, step)
    file = io.BytesIO()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)
    file.seek(0)
    checkpoint = torch.load(file, weights_only=True)
    resumed = network(resumed_as)
    resumed_optimizer = make(resumed)
    resumed.load_state_dict(checkpoint["model"])
    resumed_optimizer.load_state_dict(checkpoint["optimizer"])
    for step in range(3, 6):
        train_step(model, optimizer, step)
        train_step(resumed, resumed_optimizer, step)
    for mine, other in zip(weights(model), weights(resumed), strict=True):
        if saved_as == resumed_as:
            assert torch.equal(mine, other)
        else:
            assert torch.allclose(mine, other, rtol=0.02, atol=2e-3)


@every_factory
def test_the_state_is_plain(make) -> None:
    model = network()
    optimizer = make(model)
    train_step(model, optimizer, 0)

    def check(value: object) -> None:
        if isinstance(value, dict):
            assert all(isinstance(key, str | int) for key in value)
            value = list(value.values())
        if isinstance(value, list | tuple):
            for part in value:
                check(part)
        else:
            assert value is None or type(value) in (bool, int, float, str, Tensor)

    state = optimizer.state_dict()
    check(state)
    assert set(state["state"]) == set(range(len(list(model.parameters()))))


def test_unused_parameters_are_left_alone() -> None:
    for make in FACTORIES.values():
        model = network()
        before = copy.deepcopy(model)
        optimizer = make(model)
        model[0].weight.grad = torch.ones_like(model[0].weight)
        optimizer.step()
        assert not torch.equal(model[0].weight, before[0].weight)
        for index in (1, 3, 6):
            assert torch.equal(model[index].weight, before[index].weight)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda m: build("muon", m[6]), "^optimizer=muon needs a trainable convolution"),
        (
            lambda m: custom(m, torch.optim.RMSprop, lr=1, alfa=1),
            "^optimizer._target_=RMSprop: .*unexpected keyword argument 'alfa'$",
        ),
        (
            lambda m: custom(m, torch.optim.LBFGS, lr=1, weight_decay=0.1),
            "^optimizer.weight_decay must be 0 for LBFGS, which has none, got 0.1$",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(make, message: str) -> None:
    with pytest.raises((UserError, ValueError), match=message):
        make(network())


def test_a_custom_optimizer_may_need_a_closure() -> None:
    model = network()
    optimizer = custom(model, torch.optim.LBFGS, lr=0.1, weight_decay=0.0, max_iter=2)
    images = torch.randn(4, 3, 8, 8)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), torch.arange(4))
        loss.backward()
        return loss

    before = closure().detach()
    optimizer.step(closure)
    assert closure().detach() < before
