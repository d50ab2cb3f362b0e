"""What is timed, in which order, and what is left out."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir

from src.benchmark import race, worker
from src.benchmark.contenders import ours
from src.benchmark.race import Samples
from src.config.schema import TrainConfig
from src.config.validate import CONF, check
from src.errors import Interrupted
from src.training.hardware import Compute


def test_ratios_are_taken_round_by_round() -> None:
    ours, theirs = Samples("x", [10, 20, 60]), Samples("x", [5, 5, 30])
    ratio = ours.over(theirs)
    assert ratio.values == [2, 4, 2]
    assert ratio.median == 2
    assert ours.text(0) == "20 (10–60)"
    assert ours.over(Samples("x", [1])).values == [10]


def test_other_contenders_turns_are_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(worker, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    requests = iter([(1, 0.0), (2, 0.0), (1, 10.0), (1, 0.0)])

    def receive() -> tuple[int, float]:
        clock.now += 1000  # the turn of another contender
        return next(requests)

    answers: list[tuple[int, float, int]] = []
    timer = worker.StepTimer(
        SimpleNamespace(send=answers.append, recv=receive),  # type: ignore[arg-type]
        torch.device("cpu"),
    )
    for _ in range(7):
        clock.now += 3
        timer.step_done(8)
    assert [answer[:2] for answer in answers] == [(8, 3.0), (16, 6.0), (32, 12.0)]
    assert answers[0][2] > 100 * 2**20


def config_of(*overrides: str) -> TrainConfig:
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        return check(compose("benchmark", overrides=list(overrides)))


def test_every_second_round_has_the_reverse_order(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    class Contender:
        def __init__(self, name: str, config: TrainConfig):
            self.name, self.speeds = name, Samples("images/s")

        def start(self) -> None:
            calls.append(f"start {self.name}")

        def measure(self, seconds: float) -> None:
            calls.append(self.name)
            self.speeds.values.append(100.0)

        def end(self) -> None:
            calls.append(f"end {self.name}")

    monkeypatch.setattr(race, "Contender", Contender)
    measured: dict[str, Any] = {}
    config = config_of("benchmark.rounds=2", "benchmark.contenders=[plain,ours,bare]")
    race.measure_throughput(config, measured)
    names = ["ours", "bare", "plain"]
    starts, ends = [f"start {name}" for name in names], [f"end {name}" for name in names[::-1]]
    assert calls == [*starts, *names, *names[::-1], *ends]
    assert list(measured) == names


def test_all_steps_are_of_whole_batches(cifar: str) -> None:
    sizes: list[int] = []

    def step_done(images: int) -> None:
        sizes.append(images)
        if len(sizes) == 5:
            raise Interrupted(2, "enough")

    config = config_of("data=cifar10", cifar, "data.batch_size=50", "model=resnet20")
    with pytest.raises(Interrupted):
        ours.train(config, Compute("cpu", "32-true"), step_done)
    assert sizes == [50] * 5
