"""Log lines on the screen."""

import logging
import sys
from typing import TextIO


class ScreenHandler(logging.StreamHandler[TextIO]):
    """Writes to whatever ``sys.stdout`` is when a line comes.

    A progress bar replaces ``sys.stdout`` so that lines go above it; the ordinary handler
    keeps the stream it was made with, and would write through the bar.
    """

    @property
    def stream(self) -> TextIO:
        """The standard output of this moment."""
        return sys.stdout

    @stream.setter
    def stream(self, value: TextIO) -> None:
        """Ignored: there is only the one of the moment."""
