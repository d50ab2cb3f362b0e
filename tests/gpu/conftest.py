"""What needs a CUDA GPU is skipped where there is none."""

import pytest
import torch


@pytest.fixture(autouse=True)
def gpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("torch finds no CUDA GPU")
