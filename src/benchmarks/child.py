"""Running Python in a process of its own."""

import os
import subprocess
import sys

REFUSED = 2
"""The exit code of a command that something the user can put right has stopped."""


def run_python(words: list[str]) -> subprocess.CompletedProcess[str]:
    """``python WORDS`` to its end, its output kept, as it would run from a shell."""
    # Set by our own launch, it would turn the child's one-line errors into tracebacks.
    environment = {key: value for key, value in os.environ.items() if key != "HYDRA_FULL_ERROR"}
    command = [sys.executable, *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment)
