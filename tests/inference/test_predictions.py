"""Each image is seen once, in the views that were asked for."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from src.inference.predictions import classify, views_of
from tests.fixtures.datasets import random_images


class Corner(nn.Module):
    """Logits from the upper left pixel alone: its value for class 0, nothing for class 1."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        self.seen.append(images.clone())
        corner = images[:, 0, 0, 0].float()
        return torch.stack([corner, torch.zeros_like(corner)], dim=1)


def images(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 6, (count, 4, 4, 3), dtype=np.uint8)


def ask(network: nn.Module, pixels: np.ndarray, views: str = "none") -> np.ndarray:
    options = {"device": torch.device("cpu"), "tta": views, "batch_size": 3}
    return classify(network, pixels, **options)


def sigmoid(corner: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-corner.astype(float)))


def test_every_image_is_seen_once_in_order() -> None:
    network, pixels = Corner(), images(7)
    found = ask(network, pixels)
    assert torch.cat(network.seen).permute(0, 2, 3, 1).numpy().tolist() == pixels.tolist()
    np.testing.assert_allclose(found[:, 0], sigmoid(pixels[:, 0, 0, 0]))
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_flipping_averages_probabilities_of_both_sides() -> None:
    pixels = images(5)
    expected = (sigmoid(pixels[:, 0, 0, 0]) + sigmoid(pixels[:, 0, -1, 0])) / 2
    np.testing.assert_allclose(ask(Corner(), pixels, "flip")[:, 0], expected)


def test_shifting_moves_the_picture_by_a_pixel_each_way_and_reflects() -> None:
    pixels = images(5)
    corners = [pixels[:, y, x, 0] for y, x in ((0, 0), (1, 1), (1, 1), (1, 1), (1, 1))]
    expected = np.mean([sigmoid(corner) for corner in corners], axis=0)
    np.testing.assert_allclose(ask(Corner(), pixels, "shift")[:, 0], expected)


def test_the_four_shifts_are_diagonal_and_each_another() -> None:
    pixels = torch.arange(25, dtype=torch.uint8).reshape(1, 1, 5, 5)
    views = views_of(pixels, "shift")
    # What stands in the middle afterwards was one row and one column away.
    middles = [int(view[0, 0, 2, 2]) for view in views]
    assert sorted(middles) == [6, 8, 12, 16, 18]
    assert all(view.shape == pixels.shape for view in views)


@pytest.mark.parametrize("views", ["none", "flip", "shift"])
def test_the_network_is_in_evaluation_mode_and_needs_no_gradient(views: str) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Dropout(0.9), nn.Linear(48, 2))
    wrapped = _ToFloat(network).train()
    first = ask(wrapped, images(4), views)
    np.testing.assert_array_equal(first, ask(wrapped, images(4), views))
    assert not wrapped.training


class _ToFloat(nn.Module):
    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        return self.network(pixels.float())


class OnAppleGpu(torch.Tensor):
    """A tensor on a device without float64, as ``mps`` is one."""

    def double(self) -> torch.Tensor:
        raise TypeError("Cannot convert a MPS Tensor to float64 dtype")

    def cpu(self) -> torch.Tensor:  # type: ignore[override]
        return self.as_subclass(torch.Tensor)


class AppleNetwork(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.float().mean(dim=(2, 3)).as_subclass(OnAppleGpu)


@pytest.mark.parametrize("views", ["none", "flip"])
def test_probabilities_are_taken_on_the_cpu_for_not_every_gpu_has_float64(views: str) -> None:
    images = random_images(5)
    found = classify(AppleNetwork(), images, device=torch.device("cpu"), tta=views)
    assert found.dtype == np.float64
    means = torch.from_numpy(images.mean(axis=(1, 2)))
    np.testing.assert_allclose(found, means.softmax(dim=1).numpy(), rtol=1e-4)
