"""Images and settings that the promises are tried on."""

import pytest

from tests.fixtures.datasets import cifar10_python_files, write_files


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> str:
    """``data.root=`` a CIFAR-10 of 580 images to train on and 116 to test on.

    522 are left of the former without those held out: 16 steps of 32 images.
    """
    folder = tmp_path_factory.mktemp("images") / "cifar-10-batches-py"
    return f"data.root={write_files(folder, cifar10_python_files(rows=116))}"
