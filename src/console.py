"""Terminal output: consoles without markup, a log handler, libraries' warnings silenced."""

import io
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console


@contextmanager
def without_logs(up_to: int) -> Iterator[None]:
    """Drop log messages up to a level, of all loggers, inside of the block."""
    logging.disable(up_to)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


_IRRELEVANT_WARNINGS = (
    "treespec, LeafSpec",
    "Checkpoint directory .* exists and is not empty",
    "It is recommended to use .*sync_dist=True",  # the metrics have added up the ranks
    "Could not find the monitored key",  # before the first validation
    "The `srun` command is available on your system but is not used",
    "Be aware that when using `ckpt_path`, callbacks used to create the checkpoint",
    "The ``compute`` method of metric .* was called before the ``update`` method",
)


def quiet_lightning() -> None:
    """Log only errors of Lightning; its import sets the levels, so call this after it."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)


def quiet_warnings() -> None:
    """Ignore the warnings of libraries that do not concern a user."""
    for message in _IRRELEVANT_WARNINGS:
        warnings.filterwarnings("ignore", message=f".*{message}")


LOG_FILE_ONLY = {"file_only": True}
"""``extra=`` of a log call that goes to ``train.log`` and not to the screen."""


def plain_console() -> Console:
    """A console without markup: names of files and classes may hold ``[best]`` or ``:cat:``."""
    return Console(markup=False, emoji=False, highlight=False)


def replace_unencodable() -> None:
    """Print characters that the terminal's encoding lacks as ``?``, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


class ScreenHandler(logging.StreamHandler[TextIO]):
    """Log handler that writes to the current ``sys.stdout``, except :data:`LOG_FILE_ONLY`.

    A progress bar replaces ``sys.stdout`` so that lines go above it; ``StreamHandler`` keeps the
    stream it was made with, and would write through the bar.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record to the screen."""
        if not getattr(record, "file_only", False):
            self.stream = sys.stdout
            super().emit(record)
