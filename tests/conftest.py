"""Fixtures that tests share, and one thread: tiny networks are fastest on it."""

import os
import signal

import pytest
import torch

from tests.fixtures.browser import browser
from tests.fixtures.cli import (
    benchmark_cli,
    cli,
    evaluate_cli,
    export_cli,
    predict_cli,
    report_cli,
)
from tests.fixtures.datasets import cifar10_python_files, write_files
from tests.fixtures.finished_runs import runs, trained
from tests.fixtures.hosts import two_hosts

__all__ = [
    "benchmark_cli",
    "browser",
    "cli",
    "evaluate_cli",
    "export_cli",
    "predict_cli",
    "report_cli",
    "runs",
    "trained",
    "two_hosts",
]


# A shell's background jobs ignore Ctrl-C, and so would the processes that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Of processes that tests start, too.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def cifar(tmp_path_factory: pytest.TempPathFactory) -> str:
    """``data.root=<a CIFAR-10 of 200 training and 40 test images, in the python format>``."""
    folder = tmp_path_factory.mktemp("cifar") / "cifar-10-batches-py"
    return f"data.root={write_files(folder, cifar10_python_files(rows=40))}"
