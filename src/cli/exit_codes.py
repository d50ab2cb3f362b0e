"""Exit codes 0, 1, 2, 130 and 143, and errors as one line."""

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
from src.process.signals import ignore_signals_at_exit, raise_on_signals

FULL_ERROR = "HYDRA_FULL_ERROR"


def exit_with(do: Callable[[], int]) -> NoReturn:
    """Exit with the code that ``do`` returns, or that of the error it raises, said in one line."""
    replace_unencodable()
    quiet_warnings()
    full_error = os.environ.get(FULL_ERROR) == "1"
    # A log that cannot be written is no reason to fill the screen with tracebacks.
    logging.raiseExceptions = full_error
    try:
        with raise_on_signals():
            code = do()
    except Interrupted as stop:
        code = _say(str(stop), 128 + stop.signal_number)
    except KeyboardInterrupt:
        code = _say("interrupted", 130)
    except (UserError, RunFailed, HydraException, PermissionError) as error:
        if full_error:
            raise
        message = explain(error) if isinstance(error, HydraException) else one_line(error)
        code = _say(f"error: {message}", 1 if isinstance(error, RunFailed) else 2)
    ignore_signals_at_exit()
    sys.exit(code)


def _say(message: str, code: int) -> int:
    # Every rank of a run finds the same; what only one has found it has said itself.
    if this_rank().first:
        print(message, file=sys.stderr)
    return code
