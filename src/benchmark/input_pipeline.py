"""Speed of the input pipeline alone: decoding, cache, batches, augmentation."""

import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

import torch

from src.benchmark.samples import Samples
from src.config.schema import TrainConfig
from src.console import quiet_loggers
from src.data.dataset import Batch
from src.data.load import open_images
from src.data.module import ImageDataModule
from src.train.build import build_data

DECODINGS = 3
"""Rounds of what takes seconds, at most."""


def measure_input(config: TrainConfig, measured: dict[str, Samples]) -> None:
    """Add to ``measured`` what decoding, loading, fetching and augmenting take, each by itself.

    Fetching and augmenting go through the training images once a round, on one thread of the CPU:
    what a GPU does with resident images is part of ``benchmark.mode=training``.

    Raises:
        UserError: the data cannot be had.
    """
    data = build_data(config)
    rounds = config.benchmark_settings.rounds
    _opening(config, min(rounds, DECODINGS), measured)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        _batches(config, data, rounds, measured)
    finally:
        torch.set_num_threads(threads)


def _opening(config: TrainConfig, rounds: int, measured: dict[str, Samples]) -> None:
    """Seconds of the first and of a later opening, the files' pages in memory."""
    first = measured["first opening: decode and keep"] = Samples("s")
    later = measured["later opening: load and check"] = Samples("s")
    for _ in range(rounds):
        with (
            tempfile.TemporaryDirectory(prefix="benchmark-") as folder,
            quiet_loggers("src.data.cache", "src.data.load"),
        ):
            open_fresh = partial(open_images, replace(config.data, cache_dir=folder))
            first.values.append(_seconds(open_fresh))
            later.values.append(_seconds(open_fresh))


def _batches(
    config: TrainConfig, data: ImageDataModule, rounds: int, measured: dict[str, Samples]
) -> None:
    count = len(data.train_indices)
    augment = data.augment

    def augmented(batch: Batch) -> None:
        augment(batch.images, batch.labels, batch.indices, 0, len(data.classes))

    loader = data.train_dataloader()
    jobs: dict[str, Callable[[], None]] = {"fetch batches, one thread": lambda: _through(loader)}
    if not augment.identity:
        ready = list(loader)
        jobs["augment batches, one thread"] = lambda: _through(ready, augmented)
        jobs["fetch and augment, one thread"] = lambda: _through(loader, augmented)
    measured |= {name: Samples("images/s") for name in jobs}
    for number in range(rounds + 1):
        for name, job in jobs.items():
            speed = count / _seconds(job)
            if number:  # the first round warms up
                measured[name].values.append(speed)


def _through(batches: Iterable[Batch], do: Callable[[Batch], None] = lambda batch: None) -> None:
    for batch in batches:
        do(batch)


def _seconds(job: Callable[[], object]) -> float:
    start = time.perf_counter()
    job()
    return time.perf_counter() - start
