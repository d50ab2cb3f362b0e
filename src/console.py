"""Terminal output: plain rich consoles, a log handler, libraries' warnings silenced."""

import io
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console


@contextmanager
def quiet_loggers(*names: str) -> Iterator[None]:
    """Let these loggers say nothing below a warning."""
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


_NOT_FOR_THE_USER = (
    "treespec, LeafSpec",
    "Checkpoint directory .* exists and is not empty",
    "It is recommended to use .*sync_dist=True",  # the metrics have added up the ranks
    "Could not find the monitored key",  # before the first validation
    "The `srun` command is available on your system but is not used",
    "Be aware that when using `ckpt_path`, callbacks used to create the checkpoint",
    "The ``compute`` method of metric .* was called before the ``update`` method",
)


def quiet_lightning() -> None:
    """Let Lightning's log begin at errors; to be called after its import, which sets the level."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)


def quiet_warnings() -> None:
    """Silence warnings of libraries that say nothing to a user, whenever they are imported."""
    for message in _NOT_FOR_THE_USER:
        warnings.filterwarnings("ignore", message=f".*{message}")


LOG_FILE_ONLY = {"file_only": True}
"""``extra=`` of a log call whose line is for ``train.log``: the screen shows it in another way."""


def plain_console() -> Console:
    """A console for names of files and classes: ``[best]`` and ``:cat:`` are no markup."""
    return Console(markup=False, emoji=False, highlight=False)


def replace_unencodable() -> None:
    """Let the streams take letters that their encoding lacks, as ``?``, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


class ScreenHandler(logging.StreamHandler[TextIO]):
    """Writes to whatever ``sys.stdout`` is when a line comes.

    A progress bar replaces ``sys.stdout`` so that lines go above it; the ordinary handler
    keeps the stream it was made with, and would write through the bar.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Leave out what is for files alone."""
        return not getattr(record, "file_only", False) and bool(super().filter(record))

    @property
    def stream(self) -> TextIO:
        """The standard output of this moment."""
        return sys.stdout

    @stream.setter
    def stream(self, value: TextIO) -> None:
        """Ignored: there is only the one of the moment."""
