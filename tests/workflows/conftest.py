"""A CIFAR-10 of 200 training and 40 test images, in the python format."""

import pytest

from tests.fixtures.datasets import cifar10_python_files, write_files


@pytest.fixture(scope="session")
def cifar(tmp_path_factory: pytest.TempPathFactory) -> str:
    """``data.root=<the tiny CIFAR-10>``."""
    folder = tmp_path_factory.mktemp("cifar") / "cifar-10-batches-py"
    return f"data.root={write_files(folder, cifar10_python_files(rows=40))}"
