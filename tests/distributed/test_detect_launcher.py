"""Which processes are ranks of one run, by what torchrun and srun leave in the environment."""

import os

import pytest

from src.distributed.ranks import Rank, detect_launcher, first_host, this_rank, threads_of_a_rank
from src.errors import UserError

TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "none",
    "TORCHELASTIC_RESTART_COUNT": "1",
    "RANK": "5",
    "LOCAL_RANK": "1",
    "WORLD_SIZE": "8",
    "LOCAL_WORLD_SIZE": "4",
}
BATCH = {"SLURM_JOB_ID": "123456", "SLURM_NTASKS": "4", "SLURM_NNODES": "2", "SLURM_PROCID": "0"}
TASK = BATCH | {
    "SLURM_PROCID": "3",
    "SLURM_LOCALID": "1",
    "SLURM_NODEID": "1",
    "SLURM_STEP_ID": "2",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_STEP_NUM_NODES": "2",
    "SLURM_STEP_NODELIST": "node[07-08]",
}


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment of its own, which is put back."""
    kept = {name: value for name, value in os.environ.items() if "SLURM" not in name}
    monkeypatch.setattr(os, "environ", kept)


def test_torchrun_says_how_many_there_are() -> None:
    os.environ.update(TORCHRUN)
    assert detect_launcher(["trainer=ddp"]) == ["trainer.devices=4", "trainer.num_nodes=2"]
    assert this_rank() == Rank(5, 8, 1, 4, "torchrun", attempt=1)
    assert detect_launcher(["trainer.devices=4", "trainer.num_nodes=2"]) == []


def test_another_number_or_a_sweep_is_refused() -> None:
    os.environ.update(TORCHRUN)
    with pytest.raises(UserError, match=r"trainer\.devices=2: torchrun has started 2 x 4"):
        detect_launcher(["trainer.devices=2"])
    del os.environ["LIGHTNING_HYDRA_RANK_OF"]
    with pytest.raises(UserError, match="-m: a sweep starts its processes itself"):
        detect_launcher(["seed=0,1"], multirun=True)


def test_a_task_of_srun_is_a_rank() -> None:
    os.environ.update(TASK)
    assert detect_launcher([]) == ["trainer.devices=2", "trainer.num_nodes=2"]
    assert this_rank() == Rank(3, 4, 1, 2, "srun")
    assert os.environ["MASTER_ADDR"] == "node07"
    assert 15000 <= int(os.environ["MASTER_PORT"]) < 25000


@pytest.mark.parametrize(
    "further",
    [
        {},
        {"SLURM_STEP_NUM_TASKS": "1"},
        {"SLURM_STEP_NUM_TASKS": "4", "SLURM_PTY_PORT": "1", "SLURM_TASK_PID": "1"},
    ],
)
def test_a_process_alone_in_an_allocation_is_none(further: dict[str, str]) -> None:
    os.environ.update(BATCH | further)
    assert detect_launcher(["trainer.devices=4"]) == []
    assert this_rank() == Rank()


@pytest.mark.parametrize(
    ("hosts", "first"),
    [("node[03-05,9],login1", "node03"), ("a1,b2", "a1"), ("n[7]", "n7"), ("10.0.0.1", "10.0.0.1")],
)
def test_the_first_of_the_hosts_is_where_they_meet(hosts: str, first: str) -> None:
    assert first_host(hosts) == first


def test_ranks_share_the_cores_unless_somebody_has_shared_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("src.distributed.ranks.usable_cores", lambda: 8)
    os.environ.pop("OMP_NUM_THREADS", None)
    assert threads_of_a_rank(Rank()) is None
    assert threads_of_a_rank(Rank(0, 6, 0, 3, "torchrun")) == 2
    os.environ["SLURM_CPUS_PER_TASK"] = "5"
    assert threads_of_a_rank(Rank(0, 6, 0, 3, "srun")) == 5
    os.environ["OMP_NUM_THREADS"] = "1"
    assert threads_of_a_rank(Rank(0, 6, 0, 3, "torchrun")) is None
