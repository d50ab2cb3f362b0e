"""Rank of this process, by the environment variables of this project, torchrun or SLURM.

Ranks are started by :mod:`src.distributed.launcher` on one machine, or by torchrun or srun on any
number of machines. :func:`detect_launcher` sets the variables of ``torch.distributed`` (``RANK``,
``WORLD_SIZE``, ``MASTER_ADDR``, …) where srun has not.
"""

import os
import re
from dataclasses import dataclass

from src.config.compose import find_value
from src.errors import UserError

STARTED_BY = "LIGHTNING_HYDRA_RANK_OF"
"""Environment variable: what started the ranks, ``command``, ``torchrun`` or ``srun``."""

DEVICES, NODES = "trainer.devices", "trainer.num_nodes"


@dataclass(frozen=True)
class Rank:
    """One of a run's processes."""

    number: int = 0
    size: int = 1
    local: int = 0  # number on its machine, and of its GPU
    local_size: int = 1  # number of the run's processes on its machine
    started_by: str | None = None  # ``command``, ``torchrun`` or ``srun``; None if alone
    attempt: int = 0  # how often the ranks, or their SLURM job, have been started again

    @property
    def first(self) -> bool:
        """Whether this rank writes the run's files and prints its messages."""
        return self.number == 0


def this_rank() -> Rank:
    """The rank of this process; known once :func:`detect_launcher` has been called."""
    env = os.environ
    if STARTED_BY not in env:
        return Rank()
    restarts = env.get("TORCHELASTIC_RESTART_COUNT") or env.get("SLURM_RESTART_COUNT") or 0
    return Rank(
        number=int(env["RANK"]),
        size=int(env["WORLD_SIZE"]),
        local=int(env["LOCAL_RANK"]),
        local_size=int(env["LOCAL_WORLD_SIZE"]),
        started_by=env[STARTED_BY],
        attempt=int(restarts),
    )


def detect_launcher(overrides: list[str], multirun: bool = False) -> list[str]:
    """Find out whether torchrun or srun has started this process as one of several.

    Returns overrides for the number of devices and machines, where the given ones do not set it.
    """
    if STARTED_BY in os.environ:
        return []
    # torchrun sets the variables itself.
    by_torchrun = "TORCHELASTIC_RUN_ID" in os.environ
    found = {STARTED_BY: "torchrun"} if by_torchrun else _srun_variables()
    if found is None:
        return []
    os.environ.update(found)
    by, rank = found[STARTED_BY], this_rank()
    if multirun:
        raise UserError(f"-m: a sweep starts its processes itself; start it without {by}")
    if rank.size % rank.local_size:
        raise UserError(
            f"{by} has started {rank.size} processes, which differ in number between machines; "
            "start as many on each"
        )
    started = {DEVICES: rank.local_size, NODES: rank.size // rank.local_size}
    follow = []
    for key, count in started.items():
        value = find_value(overrides, key)
        if value is None:
            follow.append(f"{key}={count}")
        elif value != count:
            raise UserError(
                f"{key}={value}: {by} has started {started[NODES]} x {started[DEVICES]} processes "
                f"(machines x processes on each); leave {DEVICES} and {NODES} out to follow it"
            )
    return follow


def _srun_variables() -> dict[str, str] | None:
    """The variables of ``torch.distributed`` for a task of srun; ``None`` outside of one.

    A batch script and a shell in an allocation are not tasks.
    """
    env = os.environ
    tasks = int(env.get("SLURM_STEP_NUM_TASKS", 1))
    # `srun --pty bash`: the shell is the task, and this process was started in it.
    in_shell = "SLURM_PTY_PORT" in env and env.get("SLURM_TASK_PID") != str(os.getpid())
    if tasks == 1 or in_shell:
        return None
    job, step = env["SLURM_JOB_ID"], env["SLURM_STEP_ID"]
    # Below the ephemeral ports; other for each step, as steps of a job may share a machine.
    port = 15000 + (int(re.sub(r"\D", "", job)) + 101 * int(step)) % 10000
    return {
        STARTED_BY: "srun",
        "RANK": env["SLURM_PROCID"],
        "WORLD_SIZE": str(tasks),
        "LOCAL_RANK": env["SLURM_LOCALID"],
        "LOCAL_WORLD_SIZE": str(max(tasks // int(env["SLURM_STEP_NUM_NODES"]), 1)),
        "GROUP_RANK": env["SLURM_NODEID"],
        "MASTER_ADDR": env.get("MASTER_ADDR") or first_host(env["SLURM_STEP_NODELIST"]),
        "MASTER_PORT": env.get("MASTER_PORT") or str(port),
    }


def first_host(hosts: str) -> str:
    """The first name of a SLURM host list such as ``node[03-05,9],login1``."""
    return re.sub(r"\[(\d+)[^\]]*\].*", r"\1", hosts).split(",")[0]


def slurm_name() -> str:
    """Name of a SLURM job step's run directory, the same in all tasks and after a requeue."""
    return f"slurm-{os.environ['SLURM_JOB_ID']}-{os.environ['SLURM_STEP_ID']}"


def threads_of_a_rank(rank: Rank) -> int | None:
    """CPU threads for each of several ranks on a machine; ``None``: torch's default."""
    if rank.local_size == 1 or "OMP_NUM_THREADS" in os.environ:
        return None
    if rank.started_by == "srun" and "SLURM_CPUS_PER_TASK" in os.environ:
        return int(os.environ["SLURM_CPUS_PER_TASK"])
    return max(usable_cores() // rank.local_size, 1)


def usable_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
