"""Exit codes of every command, and its errors in one line.

0: success; 1: a run failed; 2: an error that the user can correct; 130 and 143: stopped by Ctrl-C
and by SIGTERM.
"""

import atexit
import logging
import os
import sys
from collections.abc import Callable
from typing import NoReturn

from hydra.errors import HydraException

from src.config.compose import explain
from src.console import quiet_warnings, replace_unencodable
from src.distributed.ranks import this_rank
from src.errors import Interrupted, RunFailed, UserError, one_line
from src.process.signals import ignore_signals, raise_on_signals

FULL_ERROR = "HYDRA_FULL_ERROR"


def exit_with(do: Callable[[], int]) -> NoReturn:
    """Exit with the code that ``do`` returns, or print its error and exit with the error's code."""
    replace_unencodable()
    quiet_warnings()
    full_error = os.environ.get(FULL_ERROR) == "1"
    # No tracebacks of a log file that cannot be written.
    logging.raiseExceptions = full_error
    message = None
    try:
        with raise_on_signals():
            code = do()
    except Interrupted as stop:
        code, message = 128 + stop.signal_number, str(stop)
    except KeyboardInterrupt:
        code, message = 130, "interrupted"
    except (UserError, RunFailed, HydraException, PermissionError) as error:
        if full_error:
            raise
        code = 1 if isinstance(error, RunFailed) else 2
        line = explain(error) if isinstance(error, HydraException) else one_line(error)
        message = f"error: {line}"
    # The other ranks have the same error, or have printed theirs in propagate_errors.
    if message and this_rank().first:
        print(message, file=sys.stderr)
    # Python takes a second or two to exit, in which a signal would change the exit code.
    atexit.register(ignore_signals)
    sys.exit(code)
