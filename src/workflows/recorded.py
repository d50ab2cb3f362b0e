"""Keeping ``run.json`` in step with a run."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from src.config import Interrupted, TrainConfig, as_user_errors
from src.config.errors import one_line
from src.runs import RunDirectory, open_record
from src.workflows.place import is_worker


class Recording(Protocol):
    """Takes further facts about a run."""

    def update(self, **fields: Any) -> None:
        """Add them to the record."""


class _Unrecorded:
    """Further processes of a run on several devices leave the record to the first."""

    def update(self, **fields: Any) -> None:
        """Do nothing."""


@contextmanager
def recorded(directory: RunDirectory, config: TrainConfig) -> Iterator[Recording]:
    """Open the record of a run and close it with how the run ended.

    Raises:
        UserError: the directory already holds a run or cannot be written.
    """
    if is_worker():
        yield _Unrecorded()
        return
    with as_user_errors():
        record = open_record(directory, seed=config.run.seed, resumed=bool(config.run.resume))
    try:
        yield record
    except (Interrupted, KeyboardInterrupt) as stop:
        record.close("interrupted", str(stop) or "KeyboardInterrupt")
        raise
    except BaseException as error:
        logging.getLogger(__name__).debug("run failed", exc_info=True)
        record.close("failed", one_line(error))
        raise
    record.close("finished")
