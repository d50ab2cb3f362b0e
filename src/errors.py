"""Exceptions that are reported as one line instead of a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager


class UserError(Exception):
    """Something the user can put right; one line on stderr, exit code 2."""


class ConfigError(UserError):
    """A setting that does not exist, has a wrong type or value, or contradicts another."""


class RunFailed(Exception):
    """A run that was set up properly and then failed (diverged, out of memory); exit code 1."""


@contextmanager
def as_user_errors(*kinds: type[Exception]) -> Iterator[None]:
    """Turn errors of the given kinds (default: ValueError and OSError) into :class:`UserError`.

    Wraps the parts of a run that look at what the user handed in: files, names, sizes.
    """
    try:
        yield
    except kinds or (ValueError, OSError) as error:  # noqa: B030
        raise UserError(one_line(error)) from error


def one_line(error: BaseException) -> str:
    """The message of an error folded into a single line."""
    return " ".join(str(error).split()) or type(error).__name__


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory has run out, of the CPU or of a device.

    torch's OutOfMemoryError is a RuntimeError with ``out of memory`` in its message.
    """
    text = str(error)
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError)
        and ("out of memory" in text or "can't allocate memory" in text)
    )


class Interrupted(BaseException):
    """A run that stopped on a signal.

    Not an ``Exception``: a sweep goes on after a failed job, but not after Ctrl-C.

    Attributes:
        signal_number: the signal; the exit code is 128 more.
    """

    def __init__(self, signal_number: int, message: str):
        """Stopped by ``signal_number``; ``message`` says how to go on."""
        super().__init__(message)
        self.signal_number = signal_number
