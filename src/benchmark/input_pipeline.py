"""Speed of the input pipeline alone: decoding, cache, batches, augmentation."""

import logging
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

import torch

from src.benchmark.race import Samples
from src.config.schema import TrainConfig
from src.console import without_logs
from src.data.dataset import Batch
from src.data.load import open_images
from src.data.module import ImageDataModule

DECODINGS = 3  # most rounds of decoding, which takes seconds


def measure_input(config: TrainConfig, data: ImageDataModule, measured: dict[str, Samples]) -> None:
    """Add to ``measured`` the time of opening the data and the speed of batches and augmentation.

    Each round goes through the training images once, on one thread of the CPU: what a GPU does with
    resident images is part of ``benchmark.mode=training``.
    """
    rounds = config.benchmark_settings.rounds
    for _ in range(min(rounds, DECODINGS)):
        # A first and a later opening; the system has the files in memory.
        with (
            tempfile.TemporaryDirectory(prefix="benchmark-") as folder,
            without_logs(up_to=logging.INFO),
        ):
            open_data = partial(open_images, replace(config.data, cache_dir=folder))
            for name in ("first opening: decode and cache", "later opening: load and check"):
                measured.setdefault(name, Samples("s")).values.append(_seconds(open_data))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        _measure_batches(data, rounds, measured)
    finally:
        torch.set_num_threads(threads)


def _measure_batches(data: ImageDataModule, rounds: int, measured: dict[str, Samples]) -> None:
    loader = data.train_dataloader()
    measured_calls: dict[str, Callable[[], object]] = {
        "fetch batches, one thread": lambda: deque(loader, maxlen=0)
    }
    if not data.augment.identity:
        measured_calls["augment batches, one thread"] = partial(_augment, list(loader), data)
        measured_calls["fetch and augment, one thread"] = partial(_augment, loader, data)
    for number in range(rounds + 1):
        for name, call in measured_calls.items():
            speed = len(data.train_indices) / _seconds(call)
            if number:  # the first round warms up
                measured.setdefault(name, Samples("images/s")).values.append(speed)


def _augment(batches: Iterable[Batch], data: ImageDataModule) -> None:
    classes = len(data.classes)
    for batch in batches:
        data.augment(batch.images, batch.labels, batch.indices, epoch=0, num_classes=classes)


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
