"""What is timed, in which order, and what is left out."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir

from src.benchmark import race
from src.benchmark.contenders import ours
from src.benchmark.contenders.ours import Script, Stopwatch
from src.benchmark.samples import Samples
from src.config.validate import CONF, check


def test_ratios_are_taken_round_by_round() -> None:
    ours, theirs = Samples("x", [10, 20, 60]), Samples("x", [5, 5, 30])
    ratio = ours.over(theirs)
    assert ratio.values == [2, 4, 2]
    assert ratio.median == 2
    assert ours.text(0) == "20 (10–60)"
    assert ours.over(Samples("x", [1])).values == [10]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock that goes on when it is told to."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(ours, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    return clock


def test_a_step_is_timed_from_the_end_of_the_one_before(clock: SimpleNamespace) -> None:
    watch = Stopwatch(torch.device("cpu"))
    found: list[float] = []

    def script() -> Script:
        yield from watch.steps(1)
        clock.now += 1000  # another contender's turn
        found.append((yield from watch.steps(2)))
        found.append(watch.images)

    watch.script = script()
    trainer: Any = SimpleNamespace(global_step=0, should_stop=False)
    batch = SimpleNamespace(labels=[0] * 8)
    watch.on_train_epoch_start(trainer, None)  # type: ignore[arg-type]
    for step in range(3):
        if step == 2:
            clock.now += 500  # validation
            trainer.global_step = step
            watch.on_train_epoch_start(trainer, None)  # type: ignore[arg-type]
        clock.now += 3
        watch.on_train_batch_end(trainer, None, None, batch, step)  # type: ignore[arg-type]
    assert found == [6, 16]
    assert trainer.should_stop


def test_every_other_round_goes_the_other_way_about(monkeypatch: pytest.MonkeyPatch) -> None:
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        config = check(compose("benchmark", overrides=["benchmark.rounds=2"]))
    config = replace(config, benchmark=replace(config.benchmark_settings, seconds=1.0))
    order: list[str] = []
    monkeypatch.setattr(race, "_measure", lambda name, loop, steps: order.append(name) or 100.0)
    watch: Any = SimpleNamespace(images=128)

    def steps(count: int) -> Any:
        order.append(f"ours {count}")
        yield
        return 1.0

    watch.steps = steps
    loop: Any = SimpleNamespace(run=lambda steps: None, images=128, device=torch.device("cpu"))
    speeds = {name: Samples("images/s") for name in ("ours", "bare", "plain")}
    for _ in race._rounds(config, watch, {"bare": loop, "plain": loop}, speeds):
        pass
    fewest = f"ours {race.FEWEST}"
    turn = [f"ours {race._untimed(race.FEWEST)}", fewest]
    warm_up = [f"ours {race.WARM_UP}", fewest, "bare", "plain"]
    assert order == [*warm_up, *turn, "bare", "plain", "plain", "bare", *turn]
    values = {name: samples.values for name, samples in speeds.items()}
    assert values == {"ours": [128.0] * 2, "bare": [100.0] * 2, "plain": [100.0] * 2}
