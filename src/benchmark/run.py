"""Run one benchmark: measure what its mode says, print it, write it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hydra.core.hydra_config import HydraConfig

from src.benchmark.samples import Samples
from src.config.schema import TrainConfig
from src.errors import Interrupted
from src.files import write_json
from src.runs.directory import RunDirectory

Figures = dict[str, Any]


def run(config: TrainConfig, directory: RunDirectory) -> Figures:
    """Measure, and leave ``benchmark.json`` (and a picture of a race) in ``directory``.

    Returns:
        The contents of ``benchmark.json``.

    Raises:
        UserError: something the user can put right.
        RunFailed: a contender failed, or memory ran out.
        Interrupted: a signal came; what had been measured by then is shown and kept.
    """
    if config.benchmark_settings.mode == "alone":
        from src.benchmark.worker import run_alone

        return run_alone(config, directory.path)
    # Lightning comes with these: a contender by itself must not wait for it.
    from src.train.lifecycle import explain_errors, run_lifecycle

    words = list(HydraConfig.get().overrides.task)
    stops: list[Interrupted] = []
    try:
        with run_lifecycle(directory, config) as recording, explain_errors(config):
            figures = _MODES[config.benchmark_settings.mode](config, directory, words, stops)
            recording.update(compute=figures.get("compute"))
            write_json(directory.path / "benchmark.json", figures)
            if stops:
                said = f"interrupted; what was measured is in {directory.path}"
                raise Interrupted(stops[0].signal_number, said)
    except Interrupted as stop:
        if stops:
            raise
        raise Interrupted(stop.signal_number, "interrupted; nothing was measured") from stop
    return figures


@contextmanager
def _until_interrupted(stops: list[Interrupted]) -> Iterator[dict[str, Samples]]:
    """Measure until a signal comes, which is added to ``stops`` if there is something to show.

    What was not measured is taken out of the dictionary that is filled in between.
    """
    measured: dict[str, Samples] = {}
    try:
        yield measured
    except Interrupted as stop:
        if not any(samples.values for samples in measured.values()):
            raise
        stops.append(stop)
    for name in [name for name, samples in measured.items() if not samples.values]:
        del measured[name]


def _training(
    config: TrainConfig, directory: RunDirectory, words: list[str], stops: list[Interrupted]
) -> Figures:
    from src.benchmark.output import draw_race, show_race
    from src.benchmark.race import compare_throughput
    from src.benchmark.worker import measure_in_process
    from src.training.hardware import describe, facts, prepare

    compute = prepare(config)
    alone: dict[str, tuple[float, float]] = {}
    with _until_interrupted(stops) as speeds:
        compare_throughput(config, compute, directory.path, speeds)
        for name in speeds:
            alone[name] = measure_in_process(name, words)
    title = f"{_name(config)}, batch {config.data.batch_size}, {describe(compute, config.trainer)}"
    show_race(title, speeds, alone)
    draw_race(directory.path / "benchmark.png", title, speeds)
    others = [name for name in speeds if name != "ours" and "ours" in speeds]
    return {
        "title": title,
        "compute": facts(compute),
        "speeds": {name: samples.as_json() for name, samples in speeds.items()},
        "ratios": {f"ours/{name}": speeds["ours"].over(speeds[name]).as_json() for name in others},
        "alone": {
            name: {"seconds_to_first_step": round(seconds, 3), "peak_memory_mib": memory}
            for name, (seconds, memory) in alone.items()
        },
    }


def _input(
    config: TrainConfig, directory: RunDirectory, words: list[str], stops: list[Interrupted]
) -> Figures:
    from src.benchmark.input_pipeline import measure_input
    from src.benchmark.output import show_samples

    with _until_interrupted(stops) as measured:
        measure_input(config, measured)
    show_samples("the input path", measured)
    return {"measured": {name: samples.as_json() for name, samples in measured.items()}}


def _operations(
    config: TrainConfig, directory: RunDirectory, words: list[str], stops: list[Interrupted]
) -> Figures:
    from src.benchmark.output import show_operations
    from src.benchmark.profile import measure_operations
    from src.training.hardware import describe, facts, prepare

    compute = prepare(config)
    profile = measure_operations(config, compute)
    title = f"{_name(config)}, batch {config.data.batch_size}, {describe(compute, config.trainer)}"
    show_operations(title, profile)
    return {"title": title, "compute": facts(compute), **profile.as_json()}


def _name(config: TrainConfig) -> str:
    model = config.model
    return str(model.get("name") or model["_target_"] if isinstance(model, dict) else model.name)


_MODES: dict[str, Callable[[TrainConfig, RunDirectory, list[str], list[Interrupted]], Figures]] = {
    "training": _training,
    "input": _input,
    "operations": _operations,
}
