"""Exceptions that are reported as one line instead of a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager


class UserError(Exception):
    """An error that the user can correct; exit code 2."""


class ConfigError(UserError):
    """A setting that does not exist, has a wrong type or value, or contradicts another."""


class RunFailed(Exception):
    """A failure of a run that was set up correctly (diverged, out of memory); exit code 1."""


@contextmanager
def as_user_errors(*kinds: type[Exception]) -> Iterator[None]:
    """Turn errors of the given kinds (default: ValueError and OSError) into :class:`UserError`."""
    try:
        yield
    except kinds or (ValueError, OSError) as error:  # noqa: B030
        raise UserError(one_line(error)) from error


def one_line(error: BaseException) -> str:
    """The message of an error folded into a single line."""
    return " ".join(str(error).split()) or type(error).__name__


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that the CPU or a device has run out of memory.

    torch's OutOfMemoryError is a RuntimeError with ``out of memory`` in its message.
    """
    text = str(error)
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError)
        and ("out of memory" in text or "can't allocate memory" in text)
    )


class Interrupted(BaseException):
    """A run stopped by a signal; exit code 128 + ``signal_number``.

    Not an ``Exception``: a sweep goes on after a failed job, but not after Ctrl-C.
    """

    def __init__(self, signal_number: int, message: str):
        super().__init__(message)
        self.signal_number = signal_number
