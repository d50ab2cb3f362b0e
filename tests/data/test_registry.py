"""The table of known data sets."""

from src.data import registry
from src.data.registry import DATASETS


def test_every_known_set_is_described():
    assert list(DATASETS) == ["cifar10", "cifar100", "fashion_mnist", "shapes", "folder"]
    names = ("CIFAR10", "CIFAR100", "CIFAR100_COARSE", "FASHION_MNIST", "MNIST", "SHAPES")
    classes = [getattr(registry, f"{name}_CLASSES") for name in names]
    assert [len(set(found)) for found in classes] == [10, 100, 20, 10, 10, 10]
    assert DATASETS["cifar10"].files[0].md5 == "c58f30108f718f92721af3b95e74349a"
    assert DATASETS["cifar100"].files[0].md5 == "eb9058c3a382ffc7106e4002c42a8d85"
    assert len(DATASETS["fashion_mnist"].files) == 4
