"""Schedules against closed forms and torch's own, their warm-up, state and refusals."""

import io
import json
import math
import warnings
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.optim import SGD
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    LRScheduler,
    MultiStepLR,
    OneCycleLR,
    StepLR,
)

from src.errors import UserError
from src.training.schedules import SCHEDULES, FactorSchedule, build_factor
from tests.fixtures.options import scheduler_settings

ONECYCLE = {"peak": 0.3, "start": 0.04, "final": 4e-6, "anneal": "cos"}  # torch's defaults
REQUIRED = {"step": {"step_size": 3}, "multistep": {"milestones": [2, 4]}, "onecycle": ONECYCLE}
every_schedule = pytest.mark.parametrize("name", SCHEDULES)


def build_schedule(
    optimizer: SGD, name: str, *, total_steps: int, steps_per_epoch: int, **options: object
) -> LRScheduler:
    return FactorSchedule(
        scheduler_settings(name, **options), optimizer, total_steps, steps_per_epoch
    )


def optimizer_of(*rates: float) -> SGD:
    return SGD([{"params": [nn.Parameter(torch.ones(1))], "lr": rate} for rate in rates])


def rates_of(schedule: LRScheduler, steps: int) -> list[float]:
    rates = []
    for _ in range(steps):
        rates.append(schedule.get_last_lr()[0])
        schedule.optimizer.step()
        schedule.step()
    return rates


def factor(name: str, step: int, total: int, per_epoch: int, **options: object) -> float:
    return build_factor(scheduler_settings(name, **options), total, per_epoch)(step)


def all_factors(name: str, total: int, per_epoch: int, **options: object) -> list[float]:
    return [factor(name, step, total, per_epoch, **options) for step in range(total)]


TORCHS: dict[str, tuple[str, dict, Callable[[SGD], LRScheduler]]] = {
    "step": ("step", {"step_size": 2, "gamma": 0.5}, lambda o: StepLR(o, 14, 0.5)),
    "step in steps": (
        "step",
        {"step_size": 5, "gamma": 0.5, "unit": "step"},
        lambda o: StepLR(o, 5, 0.5),
    ),
    "multistep": (
        "multistep",
        {"milestones": [1, 3.5], "gamma": 0.2},
        lambda o: MultiStepLR(o, [7, 24], 0.2),
    ),
    "multistep in steps": (
        "multistep",
        {"milestones": [4, 5, 30], "unit": "step"},
        lambda o: MultiStepLR(o, [4, 5, 30]),
    ),
    "cosine": ("cosine", {}, lambda o: CosineAnnealingLR(o, 42)),
    "cosine above 0": ("cosine", {"final": 0.1}, lambda o: CosineAnnealingLR(o, 42, 0.1 * 0.4)),
    "onecycle": ("onecycle", ONECYCLE, lambda o: OneCycleLR(o, 0.4, 42, cycle_momentum=False)),
    "onecycle in lines": (
        "onecycle",
        {"peak": 0.2, "start": 0.1, "final": 0.001, "anneal": "linear"},
        lambda o: OneCycleLR(
            o,
            0.4,
            42,
            pct_start=0.2,
            div_factor=10,
            final_div_factor=100,
            anneal_strategy="linear",
            cycle_momentum=False,
        ),
    ),
}


@pytest.mark.parametrize(("name", "options", "reference"), TORCHS.values(), ids=TORCHS.keys())
def test_rates_equal_those_of_torch(
    name: str, options: dict, reference: Callable[[SGD], LRScheduler]
) -> None:
    """Six epochs of seven steps at a learning rate of 0.4."""
    ours = build_schedule(optimizer_of(0.4), name, total_steps=42, steps_per_epoch=7, **options)
    expected = rates_of(reference(optimizer_of(0.4)), 42)
    assert rates_of(ours, 42) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_constant_is_constant() -> None:
    assert all_factors("constant", 9, 3) == [1.0] * 9


def test_cosine_ends_after_the_last_step() -> None:
    assert factor("cosine", 0, 20, 5) == 1
    assert factor("cosine", 10, 20, 5) == pytest.approx(0.5)
    assert factor("cosine", 19, 20, 5) == pytest.approx((1 + math.cos(math.pi * 0.95)) / 2)
    assert factor("cosine", 20, 20, 5) == 0
    assert factor("cosine", 20, 20, 5, final=0.3) == pytest.approx(0.3)


def test_onecycle_starts_peaks_and_ends_where_it_says() -> None:
    options = {"peak": 0.3, "start": 0.2, "final": 0.01}
    for anneal in ("cos", "linear"):
        factors = all_factors("onecycle", 101, 10, anneal=anneal, **(options | {"peak": 31 / 101}))
        assert factors[0] == pytest.approx(0.2)
        assert factors[30] == pytest.approx(1.0)
        assert factors[15] == pytest.approx(0.6)
        assert factors[65] == pytest.approx(0.505)
        assert factors[100] == pytest.approx(0.01)


def test_the_resnet_papers_schedule_in_steps() -> None:
    options = {"milestones": [32_000, 48_000], "unit": "step"}
    points = {0: 1, 31_999: 1, 32_000: 0.1, 47_999: 0.1, 48_000: 0.01, 63_999: 0.01}
    for step, expected in points.items():
        assert factor("multistep", step, 64_000, 391, **options) == pytest.approx(expected)


@pytest.mark.parametrize("size", [0.1, 0.3, 0.7])
def test_fractions_of_an_epoch_fall_on_whole_steps(size: float) -> None:
    """0.3 * 390 is 117 but for rounding."""
    period = round(size * 390)
    factors = all_factors("step", 1_000, 390, step_size=size, gamma=0.5)
    assert factors == [0.5 ** (step // period) for step in range(1_000)]


@every_schedule
def test_warm_up_is_a_line_to_where_the_schedule_begins(name: str) -> None:
    options = REQUIRED.get(name, {}) | {"warmup_epochs": 1.5, "warmup_start": 0.2}
    factors = all_factors(name, 60, 10, **options)
    begin = factors[15]
    assert begin == (0.04 if name == "onecycle" else 1.0)
    line = [begin * (0.2 + 0.8 * step / 15) for step in range(15)]
    assert factors[:15] == pytest.approx(line)


def test_warm_up_shortens_the_cosine_and_the_cycle() -> None:
    for name in ("cosine", "onecycle"):
        options = REQUIRED.get(name, {})
        warmed = all_factors(name, 60, 10, warmup_epochs=2, **options)[20:]
        assert warmed == pytest.approx(all_factors(name, 40, 10, **options))
    assert factor("cosine", 60, 60, 10, warmup_epochs=2) == 0


def test_warm_up_leaves_milestones_where_they_are() -> None:
    for name in ("step", "multistep"):
        warmed = all_factors(name, 60, 10, warmup_epochs=1, **REQUIRED[name])
        plain = all_factors(name, 60, 10, **REQUIRED[name])
        assert warmed[10:] == plain[10:]
        assert warmed[0] == 0


@every_schedule
@pytest.mark.parametrize("total", [1, 2, 3, 10])
def test_every_step_has_a_factor_beyond_the_end_too(name: str, total: int) -> None:
    options = REQUIRED.get(name, {}) | ({"unit": "step"} if name in ("step", "multistep") else {})
    for warmup in (0, total / 4, total / 2):
        for step in range(3 * total):
            value = factor(name, step, total, 2, warmup_epochs=warmup, **options)
            assert 0 <= value <= 1
        late = factor(name, 100 * total, total, 2, warmup_epochs=warmup, **options)
        assert late == pytest.approx({"cosine": 0, "onecycle": 4e-6}.get(name, late))


@every_schedule
def test_groups_keep_their_proportions(name: str) -> None:
    optimizer = optimizer_of(0.02, 0.1)
    options = REQUIRED.get(name, {}) | {"warmup_epochs": 0.5}
    schedule = build_schedule(optimizer, name, total_steps=20, steps_per_epoch=4, **options)
    for step in range(25):
        expected = factor(name, step, 20, 4, **options)
        rates = [group["lr"] for group in optimizer.param_groups]
        assert rates == pytest.approx([0.02 * expected, 0.1 * expected])
        optimizer.step()
        schedule.step()


@every_schedule
def test_a_resumed_schedule_continues(name: str) -> None:
    options = REQUIRED.get(name, {}) | {"warmup_epochs": 1}
    length = {"total_steps": 30, "steps_per_epoch": 5}
    optimizer = optimizer_of(0.4)
    schedule = build_schedule(optimizer, name, **length, **options)
    rates_of(schedule, 12)
    file = io.BytesIO()
    torch.save([optimizer.state_dict(), schedule.state_dict()], file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    json.dumps(saved[1])  # numbers, lists and names alone
    resumed_optimizer = optimizer_of(0.4)
    resumed = build_schedule(resumed_optimizer, name, **length, **options)
    resumed_optimizer.load_state_dict(saved[0])
    resumed.load_state_dict(saved[1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert rates_of(resumed, 18) == rates_of(schedule, 18)


def test_a_warm_up_longer_than_the_run_is_refused() -> None:
    message = r"^scheduler\.warmup_epochs=3\.1: longer than the run of 3 epochs$"
    with pytest.raises(UserError, match=message):
        build_factor(scheduler_settings("constant", warmup_epochs=3.1), 30, 10)
