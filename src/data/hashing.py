"""Random words as a function of (seed, stream, counter): the same with every numpy.

The mixer is the finaliser of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom
number generators", OOPSLA 2014; constants of its variant 13 by David Stafford). numpy keeps the
word stream of a bit generator stable from version to version, but not the numbers that
``Generator`` makes of it; a split or a drawn image has to be the same everywhere.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["hash_words", "mix"]

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
