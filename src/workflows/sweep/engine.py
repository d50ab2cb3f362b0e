"""What runs the jobs: one after the other, several at once, or on other machines."""

from typing import Any

from src.workflows.ranks import usable_cores

__all__ = ["at_once", "is_sequential", "threads"]

_BASIC = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"


def is_sequential(launcher: Any) -> bool:
    """Whether jobs run one after the other, in sight of the terminal."""
    return str(launcher.get("_target_")) == _BASIC


def at_once(launcher: Any) -> int | None:
    """How many jobs share this machine's cores; ``None`` where the engine gives each its own.

    Args:
        launcher: the node ``hydra.launcher``.
    """
    if is_sequential(launcher):
        return 1
    jobs = launcher.get("n_jobs")
    if jobs is None:
        return None
    # As joblib counts: -1 is one a core, -2 leaves a core free.
    return max(1, jobs if jobs > 0 else usable_cores() + 1 + jobs)


def threads(launcher: Any) -> int | None:
    """Threads that a job may use; ``None`` where all that it finds are its own.

    Ray and SLURM say it themselves, by the variables and the cores they start a job with.
    """
    together = at_once(launcher)
    if together is None:
        cpus = launcher.get("cpus_per_task")
        return int(cpus) if cpus else None
    return max(1, usable_cores() // together) if together > 1 else None
