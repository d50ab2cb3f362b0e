"""Many runs from one command, each in a process of its own."""

from src.workflows.sweep.run import run_sweep

__all__ = ["run_sweep"]
