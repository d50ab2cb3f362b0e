"""Stratified validation split, a function of labels, fraction and seed."""

import hashlib

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E37_79B9_7F4A_7C15)
_FIRST = np.uint64(0xBF58_476D_1CE4_E5B9)
_SECOND = np.uint64(0x94D0_49BB_1331_11EB)
_MASK = (1 << 64) - 1


def mix(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scramble 64-bit words: a bijection in which every output bit hangs on every input bit."""
    words = words ^ (words >> np.uint64(30))
    words *= _FIRST
    words ^= words >> np.uint64(27)
    words *= _SECOND
    words ^= words >> np.uint64(31)
    return words


def hash_words(seed: int, stream: int, counters: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """One random 64-bit word for each counter.

    Args:
        seed: any integer; its low 64 bits count.
        stream: what the words are for, so that two uses of a seed share none.
        counters: uint64, any shape.

    Returns:
        uint64, the shape of the counters.
    """
    key = np.array([seed & _MASK, stream & _MASK], dtype=np.uint64)
    start = mix(mix(key[:1] + _GOLDEN) + key[1:])
    return mix(mix(counters * _GOLDEN + start) + start)


_STREAM = 1  # apart from the streams of the drawn figures


def _held_out_per_class(counts: NDArray[np.int64], fraction: float) -> NDArray[np.int64]:
    """Each class's share by the method of largest remainders, at least 1 on either side."""
    # Rounding takes away the dust of products such as 0.29 * 100 = 28.999999999999996.
    quotas = np.round(counts * fraction, 9)
    shares = np.floor(quotas).astype(np.int64)
    missing = int(np.floor(quotas.sum() + 0.5)) - int(shares.sum())
    largest_first = np.argsort(shares - quotas, kind="stable")
    shares[largest_first[:missing]] += 1
    return np.clip(shares, 1, counts - 1)


def stratified_split(
    labels: NDArray[np.int64], fraction: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Hold out the same fraction of every class.

    The images of a class are ranked by a hash of (seed, index), and the first of them are held
    out; so the split depends on nothing but the arguments.

    Args:
        labels: integers (N,).
        fraction: the share to hold out, above 0 and below 1.
        seed: any integer.

    Returns:
        The indices kept for training and those held out: int64, ascending, together 0..N-1.

    Raises:
        ValueError: the fraction is out of range, there are no labels, or a class has a single
            image, which cannot be on both sides.
    """
    labels = np.asarray(labels)
    if not 0 < fraction < 1:
        raise ValueError(f"the fraction to hold out must be above 0 and below 1, not {fraction}")
    if labels.size == 0:
        raise ValueError("there are no images to split")
    classes, counts = np.unique(labels, return_counts=True)
    if counts.min() < 2:
        single = int(classes[np.argmin(counts)])
        raise ValueError(
            f"class {single} has a single image: at least 2 are needed, one to train on and one "
            "to hold out"
        )
    shares = _held_out_per_class(counts.astype(np.int64), fraction)
    words = hash_words(seed, _STREAM, np.arange(labels.size, dtype=np.uint64))
    held_out = np.zeros(labels.size, dtype=bool)
    for label, share in zip(classes, shares, strict=True):
        members = np.flatnonzero(labels == label)
        # A stable sort settles equal words by index.
        held_out[members[np.argsort(words[members], kind="stable")[:share]]] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def indices_hash(indices: NDArray[np.int64]) -> str:
    """Fingerprint of a list of indices: 16 hexadecimal digits of its SHA-256, order included."""
    return hashlib.sha256(np.asarray(indices).astype("<i8").tobytes()).hexdigest()[:16]
