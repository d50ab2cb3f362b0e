"""The validation split: proportions, determinism, errors."""

import numpy as np
import pytest

from src.data.split import indices_hash, stratified_split

LABELS = np.arange(1000) % 10
PINNED = [0, 3, 5, 6, 9, 14, 32, 33, 35, 36]
PINNED_HASH = "0b9de22e0ccec678"


def test_every_image_is_on_one_side_and_indices_ascend():
    train, held_out = stratified_split(LABELS, 0.1, seed=0)
    assert np.array_equal(np.sort(np.concatenate([train, held_out])), np.arange(1000))
    assert (np.diff(train) > 0).all()
    assert (np.diff(held_out) > 0).all()
    assert train.dtype == held_out.dtype == np.int64


def test_every_class_gives_its_share():
    labels = np.repeat([0, 1, 2], [100, 50, 10])
    _, held_out = stratified_split(labels, 0.2, seed=3)
    assert np.bincount(labels[held_out]).tolist() == [20, 10, 2]


def test_uneven_shares_add_up_to_the_fraction():
    labels = np.repeat(np.arange(10), 15)  # 1.5 images of each
    _, held_out = stratified_split(labels, 0.1, seed=0)
    assert len(held_out) == 15
    assert set(np.bincount(labels[held_out])) == {1, 2}


@pytest.mark.parametrize("fraction", [0.001, 0.999])
def test_small_classes_are_on_both_sides(fraction: float):
    labels = np.array([0] * 200 + [5] * 2)
    for side in stratified_split(labels, fraction, seed=0):
        assert set(labels[side]) == {0, 5}


def test_depends_on_the_seed_and_on_nothing_else():
    first = stratified_split(LABELS, 0.1, seed=0)[1]
    np.random.seed(1)
    assert np.array_equal(first, stratified_split(LABELS.copy(), 0.1, seed=0)[1])
    assert not np.array_equal(first, stratified_split(LABELS, 0.1, seed=1)[1])


def test_is_the_same_everywhere():
    train, held_out = stratified_split(np.arange(40) % 4, 0.25, seed=0)
    assert held_out.tolist() == PINNED
    assert indices_hash(train) == PINNED_HASH


def test_membership_is_spread_evenly():
    labels = np.zeros(100_000, dtype=np.int64)
    _, held_out = stratified_split(labels, 0.5, seed=0)
    for bit in range(10):
        assert abs(((held_out >> bit) & 1).mean() - 0.5) < 0.01


def test_hash_tells_order_and_content():
    hashes = {indices_hash(np.array(indices)) for indices in ([1, 2], [2, 1], [1, 3], [1, 2, 0])}
    assert len(hashes) == 4
    assert indices_hash(np.array([1, 2], np.int32)) == indices_hash(np.array([1, 2], np.int64))
