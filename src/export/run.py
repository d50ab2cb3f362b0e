"""Export a trained network and verify the file by loading it again."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra.core.override_parser.types import Override
from rich.table import Column, Table

from src.config.schema import ExportConfig
from src.console import plain_console
from src.errors import ConfigError, RunFailed, UserError, as_user_errors, one_line
from src.export.formats import INPUT, OUTPUT, write
from src.export.verify import (
    ENGINES,
    OPENCV,
    TOLERANCE,
    Engine,
    Images,
    OpenCVError,
    largest_difference,
    milliseconds_per_image,
    torch_engine,
)
from src.files import read_json, replacing_with
from src.inference.load_run import TrainedRun, load_chosen_run
from src.inference.predictions import check_finite

log = logging.getLogger(__name__)

SUFFIXES = {"onnx": ".onnx", "torch_export": ".pt2", "safetensors": ".safetensors"}
BATCHES = (1, 64)


def run(settings: ExportConfig, changes: list[Override]) -> int:
    """Export, verify and print; returns the exit code."""
    if changes:
        raise ConfigError(f"{changes[0].input_line}: an export needs no images; leave it out")
    trained = load_chosen_run(settings)
    path = _output_path(settings, trained)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # An existing file is replaced only by one that passes the comparison.
        with replacing_with(path) as temporary:
            _write_and_compare(settings.format, trained, temporary)
    except ImportError as error:
        raise UserError(
            f"format={settings.format}: {one_line(error)}; pip install -c constraints.txt "
            "-e '.[export]' brings what it needs"
        ) from error
    except OSError as error:
        raise UserError(f"output={path}: {one_line(error)}") from error
    size = path.stat().st_size / 1e6
    plain_console().print(f"written to {path}, {size:,.1f} MB", soft_wrap=True)
    return 0


def _write_and_compare(format: str, trained: TrainedRun, path: Path) -> None:
    height, width, channels = trained.image_shape
    noise = np.random.default_rng(0).integers(0, 256, (max(BATCHES), channels, height, width))
    images = noise.astype(np.float32)
    network = torch_engine(trained.network)
    check_finite(torch.from_numpy(network(images)))
    write(format, trained.network, torch.from_numpy(images[:2]), _metadata(trained), path)
    engines, differences = {"torch": network}, {}
    for name, load in ENGINES[format].items():
        try:
            engine = load(path, trained.network)
            differences[name] = largest_difference(engine, network, images)
            engines[name] = engine
        except OpenCVError as error:
            log.warning("%s cannot compute the exported file: %s", name, one_line(error))
    _show_table(engines, differences, images)
    for name, difference in differences.items():
        if difference <= TOLERANCE:
            continue
        message = (
            f"{name} computes something else from the exported file than the network does: "
            f"a difference of {difference:.1e} of the largest logit"
        )
        if name != OPENCV:
            raise RunFailed(f"{message}, more than {TOLERANCE:g}; the file is not kept")
        log.warning(message)


def _output_path(settings: ExportConfig, trained: TrainedRun) -> Path:
    suffix = SUFFIXES[settings.format]
    if settings.output is None:
        return trained.directory.path / "export" / f"{trained.checkpoint.stem}{suffix}"
    if not settings.output.endswith(suffix):
        raise ConfigError(
            f"output={settings.output}: must end with {suffix} for format={settings.format}"
        )
    return Path(settings.output).expanduser()


def _metadata(trained: TrainedRun) -> dict[str, Any]:
    height, width, channels = trained.image_shape
    pixels = f"{'RGB' if channels == 3 else 'gray'}, 0..255, not normalized"
    with as_user_errors(ValueError):
        tested = read_json(trained.directory.metrics).get("test/acc")
    return {
        "classes": list(trained.classes),
        "input": f"{INPUT}: float32 (N, {channels}, {height}, {width}), {pixels}",
        "output": f"{OUTPUT}: float32 (N, {len(trained.classes)}), before softmax",
        "run": trained.directory.path.name,
        "checkpoint": trained.checkpoint.name,
        "test_accuracy": tested,
    }


def _show_table(engines: dict[str, Engine], differences: dict[str, float], images: Images) -> None:
    figures = ["difference", *(f"ms/image, {size} at a time" for size in BATCHES)]
    table = Table("computed by", *(Column(name, justify="right") for name in figures))
    for name, engine in engines.items():
        difference = f"{differences[name]:.1e}" if name in differences else ""
        times = [f"{milliseconds_per_image(engine, images[:size]):.2f}" for size in BATCHES]
        table.add_row(name, difference, *times)
    plain_console().print(table)
