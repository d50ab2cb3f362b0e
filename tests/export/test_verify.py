"""How far an exported file is from its network."""

import numpy as np
import pytest

from src.export.verify import Images, largest_difference, milliseconds_per_image

PIXELS = np.linspace(0, 255, 7 * 3 * 4, dtype=np.float32).reshape(7, 3, 2, 2)


def network(images: Images) -> Images:
    return images.reshape(len(images), -1)[:, :2] - 100


def test_the_same_is_no_difference() -> None:
    assert largest_difference(network, network, PIXELS) == 0


def test_the_difference_is_a_share_of_the_largest_logit() -> None:
    def other(images: Images) -> Images:
        found = network(images)
        found[-1, 1] += 0.5
        return found

    shares = [0.5 / np.abs(network(PIXELS[:size])).max() for size in (1, 2, 7)]
    assert largest_difference(other, network, PIXELS) == pytest.approx(max(shares), rel=1e-4)


def test_a_difference_in_larger_batches_alone_is_found() -> None:
    def other(images: Images) -> Images:
        return network(images) * np.float32(1 if len(images) < 7 else 2)

    assert largest_difference(other, network, PIXELS) == pytest.approx(1)


@pytest.mark.parametrize("share", [np.nan, np.inf])
def test_what_is_not_finite_is_infinitely_far(share: float) -> None:
    def other(images: Images) -> Images:
        return network(images) * np.float32(share)

    assert largest_difference(other, network, PIXELS) == float("inf")


def test_another_shape_is_infinitely_far() -> None:
    def other(images: Images) -> Images:
        return network(images)[:, :1]

    assert largest_difference(other, network, PIXELS) == float("inf")


def test_time_is_of_one_image() -> None:
    assert 0 < milliseconds_per_image(network, PIXELS) < 1000
