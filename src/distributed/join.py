"""Joining a new run of several ranks: all agree on its directory and on whether it is resumed."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from src.config.overrides import hydra_override
from src.config.schema import TrainerConfig
from src.distributed.launcher import DIRECTORY
from src.distributed.ranks import Rank, slurm_name, this_rank
from src.distributed.rendezvous import PeerFailed, rendezvous
from src.errors import UserError, as_user_errors
from src.files import read_json
from src.runs.claim import create_run_directory
from src.runs.directory import RunDirectory

if TYPE_CHECKING:
    from torch.distributed import Store


_PLACE = "lightning_hydra_directory"


def needs_local_launch(config_name: str, trainer: TrainerConfig) -> bool:
    """Whether ranks have to be started for a run, which nobody has done yet.

    Raises:
        UserError: it is to use several machines.
    """
    if trainer.devices * trainer.num_nodes == 1 or this_rank().started_by:
        return False
    if trainer.num_nodes > 1:
        raise UserError(
            f"trainer.num_nodes={trainer.num_nodes}: the processes of several machines are started "
            f"by torchrun --nnodes={trainer.num_nodes} --nproc-per-node={trainer.devices} "
            f"-m src.{config_name} …, on each of them, or by srun"
        )
    return True


def join_run(directory: Path, *, chosen: bool) -> list[str]:
    """Join the other ranks of a new run in one directory.

    Args:
        directory: the one asked for; of several ranks each may have composed another.
        chosen: whether the user named it.

    Returns:
        Words for the command line: the directory that all have agreed on, and that the run
        continues there where the ranks have been started again.

    Raises:
        UserError: the directory cannot be used, or the ranks do not come together.
    """
    rank, met = this_rank(), rendezvous()
    assert met is not None
    if DIRECTORY in os.environ:
        return [hydra_override("hydra.run.dir", os.environ[DIRECTORY]), *rank_overrides()]
    if rank.started_by == "srun" and not chosen:
        directory = directory.with_name(slurm_name())

    def decide() -> str:
        try:
            return _decide(met.run, rank, directory, chosen=chosen)
        except UserError as error:
            met.report_failure(str(error))
            raise

    try:
        agreed = met.broadcast_value("directory", decide)
    except PeerFailed:
        # The first rank has said why.
        sys.exit(2)
    words = [hydra_override("hydra.run.dir", agreed), *rank_overrides()]
    state = met.broadcast_value("state", lambda: _state(Path(agreed)))
    if state == "finished":
        # A job that is queued again runs all of its commands anew.
        if rank.first:
            print(f"{agreed}: this run is finished")
        sys.exit(0)
    if state:
        words += [hydra_override("resume", agreed), "hydra.output_subdir=null"]
    return words


def _decide(store: "Store", rank: Rank, directory: Path, *, chosen: bool) -> str:
    """Where the ranks began the run, if they are started again; otherwise a place of its own."""
    # torchrun's own store remembers it; SLURM says which job it is that begins anew.
    if rank.attempt and rank.started_by == "torchrun" and store.check([_PLACE]):
        return store.get(_PLACE).decode()
    if rank.attempt and rank.started_by == "srun" and _is_of_this_job(directory):
        return str(directory)
    place = str(create_run_directory(directory, "hydra.run.dir", chosen=chosen))
    store.set(_PLACE, place)
    return place


def _state(directory: Path) -> str:
    """That of the run there; empty where there is none yet."""
    with as_user_errors():
        return str(read_json(RunDirectory(directory).record).get("state", ""))


def _is_of_this_job(directory: Path) -> bool:
    with as_user_errors():
        ranks = read_json(RunDirectory(directory).record).get("ranks", {})
    return ranks.get("job") == slurm_name()


def rank_overrides() -> list[str]:
    """What a rank adds to the command line, so that only the first leaves something behind."""
    if this_rank().first:
        return []
    return ["hydra.output_subdir=null", "hydra/job_logging=further_rank"]


def rank_facts() -> dict[str, object]:
    """What to add to a run's record."""
    rank = this_rank()
    job = slurm_name() if rank.started_by == "srun" else None
    return {
        "world_size": rank.size,
        "per_machine": rank.local_size,
        "started_by": rank.started_by,
        "job": job,
    }
