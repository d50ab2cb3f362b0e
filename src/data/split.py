"""Stratified split of labels into training and held-out images, by a hash of (seed, index)."""

import hashlib

import numpy as np
from numpy.typing import NDArray

_STREAM = 1  # of hash_words; readers/shapes.py has 16 to 19
_GOLDEN = np.uint64(0x9E37_79B9_7F4A_7C15)  # 2**64 over the golden ratio


def _mix(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scramble 64-bit words, one to one (SplitMix64, https://prng.di.unimi.it/splitmix64.c)."""
    words = words ^ (words >> np.uint64(30))
    words *= np.uint64(0xBF58_476D_1CE4_E5B9)
    words ^= words >> np.uint64(27)
    words *= np.uint64(0x94D0_49BB_1331_11EB)
    words ^= words >> np.uint64(31)
    return words


def hash_words(seed: int, stream: int, counters: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Draw a random 64-bit word for each counter; streams of a seed are independent."""
    key = np.array([seed, stream], dtype=np.uint64)
    start = _mix(_mix(key[:1] + _GOLDEN) + key[1:])
    return _mix(_mix(counters * _GOLDEN + start) + start)


def stratified_split(
    labels: NDArray[np.int64], fraction: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ascending indices of the images to train on and of those held out: a fraction of each class.

    Of a class with two images or more at least one is on either side. The images of a class are
    ranked by a hash of (seed, index), and the first of them are held out.
    """
    classes, counts = np.unique(labels, return_counts=True)
    words = hash_words(seed, _STREAM, np.arange(len(labels), dtype=np.uint64))
    held_out = np.zeros(len(labels), dtype=bool)
    for label, share in zip(classes, _held_out_per_class(counts, fraction), strict=True):
        members = np.flatnonzero(labels == label)
        # A stable sort orders equal words by index.
        held_out[members[np.argsort(words[members], kind="stable")[:share]]] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def _held_out_per_class(counts: NDArray[np.int64], fraction: float) -> NDArray[np.int64]:
    """Each class's share by the method of largest remainders, at least 1 on either side."""
    # Rounded, because 0.29 * 100 = 28.999999999999996.
    quotas = np.round(counts * fraction, 9)
    shares = np.floor(quotas).astype(np.int64)
    missing = int(np.floor(quotas.sum() + 0.5)) - int(shares.sum())
    largest_first = np.argsort(shares - quotas, kind="stable")
    shares[largest_first[:missing]] += 1
    return np.clip(shares, 1, counts - 1)


def indices_hash(indices: NDArray[np.int64]) -> str:
    """Fingerprint of indices in their order: 16 hexadecimal digits of a SHA-256."""
    return hashlib.sha256(np.asarray(indices).astype("<i8").tobytes()).hexdigest()[:16]
