"""Joining a run of several ranks: they agree on its directory and on whether it is resumed."""

import os
import sys
from pathlib import Path
from typing import Any

from src.config.compose import hydra_override
from src.config.schema import TrainerConfig
from src.distributed.launcher import DIRECTORY_VARIABLE
from src.distributed.ranks import slurm_name, this_rank
from src.distributed.rendezvous import PeerFailed, Rendezvous, rendezvous
from src.errors import UserError, as_user_errors
from src.files import read_json
from src.runs.directory import RunDirectory, create_run_directory

_DIRECTORY_KEY = "lightning_hydra_directory"


def needs_local_launch(config_name: str, trainer: TrainerConfig) -> bool:
    """Whether this process has to launch the run's ranks."""
    if trainer.devices * trainer.num_nodes == 1 or this_rank().started_by:
        return False
    if trainer.num_nodes > 1:
        raise UserError(
            f"trainer.num_nodes={trainer.num_nodes}: the processes of several machines are started "
            f"by torchrun --nnodes={trainer.num_nodes} --nproc-per-node={trainer.devices} "
            f"-m src.{config_name} …, on each machine, or by srun"
        )
    return True


def join_run(directory: Path, *, chosen: bool) -> list[str]:
    """Agree with the other ranks on the directory of the run.

    Args:
        directory: the one that this rank has composed; it may contain the time.
        chosen: whether the user named it.

    Returns:
        Overrides: the directory of the run, and ``resume`` if the ranks have been started again
        after a failure.
    """
    peers = rendezvous()
    assert peers is not None
    agreed, state = os.environ.get(DIRECTORY_VARIABLE), ""
    if agreed is None:
        try:
            agreed = peers.broadcast_value(
                "directory", lambda: _run_directory(peers, directory, chosen=chosen)
            )
            state = peers.broadcast_value("state", lambda: str(_record(agreed).get("state", "")))
        except PeerFailed:
            sys.exit(2)  # the first rank has printed the error
    if state == "finished":
        # SLURM may queue a job again that has finished this run and has more commands.
        if peers.rank.first:
            print(f"{agreed}: this run is finished")
        sys.exit(0)
    overrides = [hydra_override("hydra.run.dir", agreed), *rank_overrides()]
    if state:
        overrides += [hydra_override("resume", agreed), "hydra.output_subdir=null"]
    return overrides


def _run_directory(peers: Rendezvous, directory: Path, *, chosen: bool) -> str:
    """The directory of the run that these ranks continue, or else a new one."""
    rank, store = peers.rank, peers.run_store
    # torchrun's store outlives the ranks; the directory of a SLURM job is named after it.
    if rank.attempt and store.check([_DIRECTORY_KEY]):
        return store.get(_DIRECTORY_KEY).decode()
    if rank.started_by == "srun":
        directory = directory if chosen else directory.with_name(slurm_name())
        if rank.attempt and _record(directory).get("ranks", {}).get("job") == slurm_name():
            return str(directory)
    created = str(create_run_directory(directory, "hydra.run.dir", chosen=chosen))
    store.set(_DIRECTORY_KEY, created)
    return created


def _record(directory: Path | str) -> dict[str, Any]:
    with as_user_errors():
        return read_json(RunDirectory(Path(directory)).record)


def rank_overrides() -> list[str]:
    """The overrides with which all ranks but the first write no configuration and no log."""
    if this_rank().first:
        return []
    return ["hydra.output_subdir=null", "hydra/job_logging=further_rank"]


def rank_facts() -> dict[str, object]:
    """The entry ``ranks`` of a run's record."""
    rank = this_rank()
    return {
        "world_size": rank.size,
        "per_machine": rank.local_size,
        "started_by": rank.started_by,
        "job": slurm_name() if rank.started_by == "srun" else None,
    }
