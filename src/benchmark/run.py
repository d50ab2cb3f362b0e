"""Run one benchmark: measure what its mode says, print it, write it."""

from typing import Any

from src.benchmark.input_pipeline import measure_input
from src.benchmark.output import draw_race, show_operations, show_race, show_samples
from src.benchmark.profile import profile_step
from src.benchmark.race import measure_throughput
from src.config.schema import TrainConfig
from src.errors import Interrupted
from src.files import write_json
from src.runs.directory import RunDirectory
from src.train.build import build_classifier, build_data
from src.train.lifecycle import explain_errors, run_lifecycle
from src.training.hardware import Compute, describe, facts, prepare


def run(config: TrainConfig, directory: RunDirectory) -> None:
    """Measure, and write ``benchmark.json`` and a picture or a trace to ``directory``.

    What was measured before a signal is shown and written as well.
    """
    mode = config.benchmark_settings.mode
    with run_lifecycle(directory, config) as record, explain_errors(config):
        compute = prepare(config)
        record.update(compute=facts(compute))
        measured: dict[str, Any] = {}
        stop: Interrupted | None = None
        try:
            data = build_data(config)
            if mode == "input":
                measure_input(config, data, measured)
            else:
                # Once for all contenders: the data is in the cache now, and the network fits it.
                build_classifier(config, data, compute)
            if mode == "training":
                measure_throughput(config, measured)
            elif mode == "operations":
                measured["step"] = profile_step(config, compute, directory.path / "trace.json")
        except Interrupted as error:
            stop = error
        if stop and not measured:
            raise Interrupted(stop.signal_number, "interrupted; nothing was measured")
        figures = {"compute": facts(compute), **_report(config, compute, directory, measured)}
        write_json(directory.path / "benchmark.json", figures)
        if stop:
            where = f"interrupted; what was measured is in {directory.path}"
            raise Interrupted(stop.signal_number, where)


def _report(
    config: TrainConfig, compute: Compute, directory: RunDirectory, measured: dict[str, Any]
) -> dict[str, Any]:
    """Print and draw; return the figures to be written."""
    model = config.model
    name = model.get("name") or model["_target_"] if isinstance(model, dict) else model.name
    title = f"{name}, batch {config.data.batch_size}, {describe(compute, config.trainer)}"
    if config.benchmark_settings.mode == "input":
        show_samples("input pipeline", measured)
        return {"measured": {name: samples.as_json() for name, samples in measured.items()}}
    if config.benchmark_settings.mode == "operations":
        show_operations(title, measured["step"])
        step = measured["step"]
        return {"title": title} | vars(step) | {"rows": step.rows.to_dict("records")}
    show_race(title, measured)
    draw_race(directory.path / "benchmark.png", title, measured)
    ours = measured["ours"].speeds
    others = [contender for name, contender in measured.items() if name != "ours"]
    return {
        "title": title,
        "speeds": {name: contender.speeds.as_json() for name, contender in measured.items()},
        "ratios": {f"ours/{other.name}": ours.over(other.speeds).as_json() for other in others},
        "alone": {
            name: {
                "seconds_to_first_step": round(contender.seconds_to_first_step, 3),
                "peak_memory_mib": round(contender.peak_memory / 2**20, 1),
            }
            for name, contender in measured.items()
        },
    }
