"""Ctrl-C and SIGTERM, from the first line of a run to its last."""

import logging
import shlex
import signal
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from src.config import Interrupted

log = logging.getLogger(__name__)

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class SignalWatch:
    """Ends a run on Ctrl-C and SIGTERM with :class:`Interrupted`.

    At once, except while ``patient``: the training loop then looks at ``received`` where it can
    stop without losing a step. A second signal ends the run at once even then; a third one is
    the system's, which ends the process.

    Attributes:
        received: the first signal, here or on another rank of the run, or ``None``.
        patient: whether the loop is going to look.
    """

    def __init__(self, last_checkpoint: Path | None, words: Sequence[str] = ()):
        """Say to go on with ``words``, if ``last_checkpoint`` exists when the run is stopped."""
        self.received: int | None = None
        self.patient = False
        self._count = 0
        self._last = last_checkpoint
        self._words = words
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Self:
        """Take over the signals."""
        self.install()
        return self

    def install(self) -> None:
        """Take over the signals, also from Lightning, which sets up handlers of its own."""
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                previous = signal.signal(number, self._on_signal)
                self._previous.setdefault(number, previous)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the signals back."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def interrupted(self, where: str = "") -> Interrupted:
        """The exception to raise for the received signal; ``where`` is part of its message."""
        assert self.received is not None
        name = signal.Signals(self.received).name
        if self._last is not None and self._last.exists():
            how = f"continue with {' '.join(map(shlex.quote, self._words))}"
        else:
            how = "nothing was saved yet"
        return Interrupted(self.received, f"interrupted by {name}{where}; {how}")

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._count += 1
        # Where another rank was faster the run is stopping already; this is no second signal.
        known, self.received = self.received is not None, self.received or number
        if self._count == 1 and (self.patient or known):
            log.warning("stopping after this step; once more to stop at once")
            return
        if self._count > 1:
            signal.signal(number, signal.SIG_DFL)
        raise self.interrupted()
