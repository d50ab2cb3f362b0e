"""Several processes train one network, as one process would."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from src.runs.directory import RunDirectory
from src.runs.reader import read_rows
from tests.fixtures.cli import Cli
from tests.fixtures.hosts import Host

ROOT = Path(__file__).parents[2]
Started = subprocess.Popen[str]

# 180 training images make 5 batches, 40 test images 4, the last of one image: fewer than ranks.
WORDS = [
    "model=custom",
    "model._target_=tests.fixtures.networks.Small",
    "augment=strong",
    "scheduler=cosine",
    "trainer.accelerator=cpu",
    "trainer.precision=32-true",
    "trainer.max_epochs=4",
    "trainer.log_every_n_steps=5",
    "data.batch_size=37",
    "data.eval_batch_size=13",
    "test_checkpoint=last",
    "callbacks.progress_bar=false",
    "callbacks.model_summary=false",
]


def environment(**further: object) -> dict[str, str]:
    """That of a user who has chosen a thread a process."""
    return os.environ | {
        "OMP_NUM_THREADS": "1",
        "HYDRA_FULL_ERROR": "",
        "PYTHONPATH": str(ROOT),
        **{key: str(value) for key, value in further.items()},
    }


@dataclass
class Done:
    """How a process ended."""

    code: int
    out: str
    err: str


def begin(*words: str, cwd: Path, enter: tuple[str, ...] = (), **env: object) -> Started:
    return subprocess.Popen(
        [*enter, sys.executable, "-m", *words],
        cwd=cwd,
        env=environment(**env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(*processes: Started) -> list[Done]:
    done = []
    for process in processes:
        out, err = process.communicate(timeout=200)
        done.append(Done(process.returncode, out, err))
    return done


def command(*words: str, cwd: Path, **env: object) -> Done:
    (done,) = end(begin(*words, cwd=cwd, **env))
    return done


def weights(path: Path) -> torch.Tensor:
    state = torch.load(path, weights_only=True)
    state = state.get("state_dict", state)
    return torch.cat([state[name].flatten() for name in sorted(state) if "normalize" not in name])


def pictures(run: RunDirectory) -> dict[str, bytes]:
    events = EventAccumulator(str(run.path)).Reload()
    return {
        tag: events.Images(tag)[0].encoded_image_string
        for tag in events.Tags()["images"]
        if tag.startswith("test/")
    }


def assert_same(one: RunDirectory, other: RunDirectory) -> None:
    """Two runs of the same settings have ended alike, but for rounding."""
    torch.testing.assert_close(weights(one.last), weights(other.last), rtol=1e-6, atol=1e-6)
    figures = [json.loads(run.metrics.read_text()) for run in (one, other)]
    for name in ("images", "steps", "epochs", "val/acc", "test/acc", "train/acc"):
        assert figures[0][name] == figures[1][name], name
    for name in ("val/loss", "test/loss", "train/loss"):
        assert figures[0][name] == pytest.approx(figures[1][name], rel=1e-6), name


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory, cifar: str) -> RunDirectory:
    """The run of one process that all others are compared with."""
    place = tmp_path_factory.mktemp("alone")
    done = command("src.train", *WORDS, cifar, "hydra.run.dir=one", cwd=place)
    assert done.code == 0, done.err
    return RunDirectory(place / "one")


def test_three_ranks_end_as_one_does(one: RunDirectory, cifar: str, tmp_path: Path) -> None:
    three = RunDirectory(tmp_path / "three")
    saved = tmp_path / "saved"
    saved.mkdir()
    words = ["src.train", "trainer=ddp", cifar, *WORDS, "trainer.devices=3"]
    done = command(*words, f"hydra.run.dir={three.path}", cwd=tmp_path, SAVE_WEIGHTS=saved)
    assert done.code == 0, done.err
    assert done.err == ""
    assert done.out.count("epoch 1/4") == done.out.count("training on CPU") == 1

    assert_same(one, three)
    ranks = [weights(saved / f"{rank}.pt") for rank in range(3)]
    assert torch.equal(ranks[0], ranks[1]) and torch.equal(ranks[0], ranks[2])
    rows = [[row for row in read_rows(run) if "train/loss" in row] for run in (one, three)]
    for name in ("train/loss", "train/acc", "lr", "gradient_norm/1_conv1"):
        np.testing.assert_allclose(*([row[name] for row in r] for r in rows), rtol=1e-5)
    assert len(pictures(one)) == 2
    assert pictures(one) == pictures(three)

    record = json.loads(three.record.read_text())
    assert record["ranks"]["world_size"] == 3
    assert record["command"].endswith("trainer.devices=3")
    names = [{path.name.split(".")[0] for path in run.path.iterdir()} for run in (one, three)]
    assert names[0] == names[1], "the further ranks leave nothing"


def test_a_rank_that_fails_ends_the_run_and_is_named(cifar: str, tmp_path: Path) -> None:
    words = ["src.train", "trainer=ddp", cifar, *WORDS, "hydra.run.dir=run"]
    done = command(*words, cwd=tmp_path, HAPPEN="1:3:no more")
    assert done.code == 1
    assert done.err.count("Traceback") == 1
    record = json.loads((tmp_path / "run/run.json").read_text())
    assert record["state"] == "failed"
    assert record["reason"] == "rank 1: ArithmeticError: no more"


def test_interrupted_ranks_continue_as_another_number(
    cli: Cli, one: RunDirectory, cifar: str, tmp_path: Path
) -> None:
    part = RunDirectory(tmp_path / "part")
    words = ["src.train", "trainer=ddp", cifar, *WORDS]
    done = command(*words, f"hydra.run.dir={part.path}", cwd=tmp_path, HAPPEN="1:8:SIGINT")
    assert done.code == 128 + signal.SIGINT, done.err
    (line,) = done.err.splitlines()
    trust = "trust=[tests.fixtures.networks.Small]"
    assert line.endswith(f"continue with resume={part.path} '{trust}'")
    assert json.loads(part.record.read_text())["state"] == "interrupted"
    done = cli(f"resume={part.path}", "trainer.devices=1", trust)
    assert done.code == 0, done.err
    assert_same(one, part)


def test_torchrun_starts_again_where_the_ranks_failed(
    one: RunDirectory, cifar: str, tmp_path: Path
) -> None:
    torchrun = ["torch.distributed.run", "--nproc-per-node=2", "--max-restarts=1", "-m"]
    words = [*torchrun, "src.train", "trainer=ddp", cifar, *WORDS]
    done = command(*words, cwd=tmp_path, HAPPEN="1:8:no more")
    assert done.code == 0, done.err
    (path,) = (tmp_path / "outputs/train").iterdir()
    part = RunDirectory(path)
    record = json.loads(part.record.read_text())
    assert (record["state"], record["ranks"]["world_size"]) == ("finished", 2)
    assert len(record["resumed"]) == 1
    assert_same(one, part)


def test_tasks_of_srun_find_their_job_again(one: RunDirectory, cifar: str, tmp_path: Path) -> None:
    part = RunDirectory(tmp_path / "outputs/train/slurm-77-0")

    def srun(**env: object) -> list[Done]:
        words = ["src.train", "trainer=ddp", cifar, *WORDS]
        job = {"SLURM_JOB_ID": 77, "SLURM_STEP_ID": 0, "SLURM_STEP_NUM_TASKS": 2, **env}
        job |= {"SLURM_STEP_NUM_NODES": 1, "SLURM_STEP_NODELIST": "localhost", "SLURM_NODEID": 0}
        tasks = [{"SLURM_PROCID": number, "SLURM_LOCALID": number} for number in range(2)]
        return end(*[begin(*words, cwd=tmp_path, **job, **task) for task in tasks])

    assert [done.code for done in srun(HAPPEN="1:8:no more")] == [1, 1]
    assert json.loads(part.record.read_text())["reason"] == "rank 1: ArithmeticError: no more"
    again = srun(SLURM_RESTART_COUNT=1)
    assert [done.code for done in again] == [0, 0], again
    assert_same(one, part)


def test_two_hosts(
    one: RunDirectory, cifar: str, tmp_path: Path, two_hosts: tuple[Host, Host]
) -> None:
    torchrun = ["torch.distributed.run", "--nnodes=2", "--nproc-per-node=1", "--rdzv-backend=c10d"]
    torchrun += ["--rdzv-id=7", f"--rdzv-endpoint={two_hosts[0].address}:29400"]
    processes = [
        begin(
            *torchrun,
            f"--local-addr={host.address}",
            f"--rdzv-conf=is_host={host is two_hosts[0]}",
            *["-m", "src.train", "trainer=ddp", cifar, *WORDS],
            cwd=tmp_path,
            enter=host.enter,
            GLOO_SOCKET_IFNAME=host.interface,
        )
        for host in two_hosts
    ]
    done = end(*processes)
    assert [host.code for host in done] == [0, 0], done
    (path,) = (tmp_path / "outputs/train").iterdir()
    record = json.loads((path / "run.json").read_text())
    assert (record["ranks"]["world_size"], record["ranks"]["per_machine"]) == (2, 1)
    assert_same(one, RunDirectory(path))
