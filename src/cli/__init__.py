"""Command-line entry points: compose and check the configuration, run, exit with a code."""

import sys
from typing import NoReturn


def start(name: str) -> NoReturn:
    """Run the command line of ``src.<name>`` in ``sys.argv`` and exit with its code."""
    try:  # The imports take a second, in which Ctrl-C would print a traceback.
        from src.cli.command import command
        from src.cli.hydra_app import launch
    except KeyboardInterrupt:
        sys.exit(130)
    if name in ("train", "benchmark"):
        launch(name)
    command(name)
