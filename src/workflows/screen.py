"""What is said on the screen, as it stands."""

import io
import logging
import sys
from typing import TextIO

from rich.console import Console

FILE_ONLY = {"file_only": True}
"""``extra=`` of a log call whose line is for ``train.log``: the screen shows it in another way."""


def plain_console() -> Console:
    """A console for names of files and classes: ``[best]`` and ``:cat:`` are no markup."""
    return Console(markup=False, emoji=False, highlight=False)


def write_any_letter() -> None:
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
