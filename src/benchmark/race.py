"""Throughput of the contenders: a process each, one of which trains while the others wait."""

import logging
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing import get_context
from statistics import median
from typing import Any

from src.benchmark.worker import Answer, run_contender
from src.config.schema import TrainConfig
from src.errors import RunFailed
from src.process.signals import defer_signals

log = logging.getLogger(__name__)

WARM_UP_STEPS = 3
FEWEST_STEPS = 3
"""Steps of a measurement, at least."""

TIME_TO_END = 10.0
"""Seconds in which a worker may end its loader processes and remove its logs."""


@dataclass
class Samples:
    """Repeated measurements of one quantity, in the order they were taken."""

    unit: str
    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The middle value, which one disturbed measurement does not move."""
        return median(self.values)

    def over(self, other: "Samples") -> "Samples":
        """The ratio round by round, which a machine whose speed drifts hardly changes."""
        pairs = zip(self.values, other.values, strict=False)  # the last round may be half done
        return Samples("", [ours / theirs for ours, theirs in pairs])

    def as_json(self) -> dict[str, Any]:
        """Median, extremes and every value."""
        extremes = {"min": min(self.values), "max": max(self.values)}
        return {"median": self.median, **extremes, "unit": self.unit, "values": self.values}

    def text(self, digits: int | None = None) -> str:
        """``median (min–max)``, or the only value; by default with three figures or so."""
        if digits is None:
            digits = 0 if self.median >= 100 else 1 if self.median >= 10 else 3
        if len(self.values) == 1:
            return f"{self.median:,.{digits}f}"
        low, high = min(self.values), max(self.values)
        return f"{self.median:,.{digits}f} ({low:,.{digits}f}–{high:,.{digits}f})"


class Contender:
    """A training loop in a process of its own, and what was measured of it."""

    def __init__(self, name: str, config: TrainConfig):
        self.name = name
        self.seconds_to_first_step = 0.0  # from the start of the process to the end of the step
        self.peak_memory = 0  # the highest use so far, in bytes
        self.speeds = Samples("images/s")  # of each round
        spawn = get_context("spawn")
        self._connection, self._end_of_worker = spawn.Pipe()
        arguments = (name, config, self._end_of_worker)
        self._process = spawn.Process(target=run_contender, args=arguments)

    def start(self) -> None:
        """Start the process and wait until it has warmed up."""
        start = time.perf_counter()
        self._process.start()
        self._end_of_worker.close()
        self._train(1, 0.0)
        self.seconds_to_first_step = time.perf_counter() - start
        self._train(WARM_UP_STEPS, 0.0)

    def measure(self, seconds: float) -> None:
        """Add a round, after a fifth as long that is not timed and refills the caches."""
        self._train(1, seconds / 5)
        images, elapsed, self.peak_memory = self._train(FEWEST_STEPS, seconds)
        self.speeds.values.append(images / elapsed)

    def end(self) -> None:
        """End the process, if it has been started, whatever it is doing."""
        with defer_signals(answered=False):
            if self._process.is_alive():
                self._process.terminate()
                self._process.join(TIME_TO_END)
            if self._process.is_alive():
                self._process.kill()

    def _train(self, steps: int, seconds: float) -> Answer:
        try:
            self._connection.send((steps, seconds))
            answer = self._connection.recv()
        except (EOFError, ConnectionError) as error:
            self._process.join()
            code = self._process.exitcode
            raise RunFailed(f"{self.name}: its process ended with code {code}") from error
        if isinstance(answer, Exception):
            raise type(answer)(f"{self.name}: {answer}")
        return answer


def measure_throughput(config: TrainConfig, measured: dict[str, Contender]) -> None:
    """Measure the contenders in turn, and add each to ``measured`` after its first round.

    Every second round has the reverse order, so that none always follows the same one. All steps
    are of whole batches.
    """
    settings = config.benchmark_settings
    names = [name for name in ("ours", "bare", "plain") if name in settings.contenders]
    contenders = [Contender(name, config) for name in names]
    with ExitStack() as stack:
        for contender in contenders:
            stack.callback(contender.end)
            contender.start()
        for number in range(1, settings.rounds + 1):
            for contender in contenders if number % 2 else reversed(contenders):
                contender.measure(settings.seconds)
                measured[contender.name] = contender
            speeds = [f"{each.name} {each.speeds.values[-1]:,.0f}" for each in contenders]
            log.info("round %d/%d, images/s: %s", number, settings.rounds, ", ".join(speeds))
