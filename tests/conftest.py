"""Fixtures that tests share, and one thread: tiny networks are fastest on it."""

import pytest
import torch

from tests.fixtures.cli import cli

__all__ = ["cli"]


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    torch.set_num_threads(1)
