"""Counter-based random numbers: a function of (seed, epoch, sample, draw), without state.

The mixer is ``lowbias32`` of Chris Wellons, "Prospecting for Hash Functions"
(https://nullprogram.com/blog/2018/07/31/): a bijection of 32-bit words with two multiplications.
It is evaluated in int64 with masks, so that the CPU, a GPU and plain Python agree bit for bit.

Seed, stream and epoch are chained into a key of two words. One is mixed with the sample's index,
the other with the number of the draw: with one word for both, of a few thousand epochs two would
have the same draws in another order.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import TypeVar

import torch
from torch import Tensor

_MASK = 0xFFFF_FFFF
_FIRST = 0x7FEB_352D
# The second multiplier, 0x846CA68B, less 2**32: equal in its low 32 bits, and a product with a
# 32-bit word stays within int64.
_SECOND = 0x846C_A68B - (1 << 32)
_GOLDEN = 0x9E37_79B9  # 2**32 over the golden ratio: steps through the words evenly
_STARTS = (0x243F_6A88, 0x85A3_08D3)  # the first binary digits of pi; any two numbers would do

_Word = TypeVar("_Word", int, Tensor, int | Tensor)


class Stream(IntEnum):
    """Use of the random numbers; each has draws of its own."""

    ORDER = 1
    CROP = 2
    FLIP = 3
    CUTOUT = 4
    ERASE = 5
    ERASE_NOISE = 6
    PARTNER = 7
    MIX = 8
    CUTMIX_CENTER = 9


def _mix(word: _Word) -> _Word:
    """Mix the bits of 32-bit words (lowbias32)."""
    word = word ^ (word >> 16)
    word *= _FIRST
    word &= _MASK
    word ^= word >> 15
    word *= _SECOND
    word &= _MASK
    word ^= word >> 16
    return word


def _key(seed: int, epoch: int | Tensor, stream: int) -> tuple[int | Tensor, int | Tensor]:
    first, second = (
        _mix(_mix(_mix(start ^ (seed & _MASK)) ^ (seed >> 32)) ^ stream) for start in _STARTS
    )
    return _mix(first ^ epoch), _mix(second ^ epoch)


def words(seed: int, epoch: int | Tensor, indices: Tensor, draws: int, *, stream: int) -> Tensor:
    """Draw 32 random bits for each sample and draw: int64 (N, draws) in 0..2**32-1.

    Args:
        seed: 0..2**64-1.
        epoch: 0..2**32-1; or an int64 tensor without dimensions on the device of ``indices``, so
            that a captured CUDA graph can be replayed in the next epoch.
        indices: int64 (N,), positions of the samples in the data set, 0..2**32-1.
        draws: words for each sample; more draws do not change the first ones.
    """
    first, second = _key(seed, epoch, stream)
    draw = torch.arange(draws, dtype=torch.int64, device=indices.device)
    return _mix(_mix(indices ^ first)[:, None] ^ ((draw * _GOLDEN + second) & _MASK))


def uniform(seed: int, epoch: int | Tensor, indices: Tensor, draws: int, *, stream: int) -> Tensor:
    """Draw uniform numbers in [0, 1), by the arguments of ``words``: float32 (N, draws)."""
    # More than 24 bits could round up to 1 in float32.
    bits = words(seed, epoch, indices, draws, stream=stream) >> 8
    return bits.to(torch.float32) * 2.0**-24


def integers(
    seed: int, epoch: int | Tensor, indices: Tensor, bounds: Sequence[int], *, stream: int
) -> tuple[Tensor, ...]:
    """Draw a whole number in 0..bound-1 for each bound: a tuple of int64 (N,).

    Bounds are 1..2**31; probabilities differ by at most the fraction bound / 2**32.
    """
    bits = words(seed, epoch, indices, len(bounds), stream=stream)
    return tuple(bits[:, draw] * bound >> 32 for draw, bound in enumerate(bounds))


def permutation(
    seed: int, epoch: int | Tensor, n: int, *, device: torch.device | str = "cpu"
) -> Tensor:
    """Order of the samples in an epoch: int64 (n,), each of 0..n-1 once."""
    # Words of one draw are a bijection of the index: no ties that devices could break differently.
    samples = torch.arange(n, dtype=torch.int64, device=device)
    return torch.argsort(words(seed, epoch, samples, 1, stream=Stream.ORDER)[:, 0])
