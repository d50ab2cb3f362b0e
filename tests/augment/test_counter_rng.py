"""The counter-based numbers: pinned values, their statistics, and what they may depend on."""

import pytest
import torch

from src.augment.counter_rng import Stream, integers, permutation, uniform, words

SAMPLES = torch.arange(20_000)
GOLDEN_WORDS = [[588409797, 277659631], [2835084924, 3233905854], [2314658867, 1342249570]]
GOLDEN_ORDER = [2, 1, 5, 11, 10, 4, 3, 6, 0, 9, 8, 7]


def lowbias32(word: int) -> int:
    """Mix a word as its author's C code does, with unsigned 32-bit arithmetic."""
    word ^= word >> 16
    word = word * 0x7FEB352D % 2**32
    word ^= word >> 15
    word = word * 0x846CA68B % 2**32
    return word ^ (word >> 16)


def word_by_definition(seed: int, epoch: int, index: int, draw: int, stream: int) -> int:
    keys = []
    for start in (0x243F6A88, 0x85A308D3):
        state = start
        for part in (seed % 2**32, seed // 2**32, stream, epoch):
            state = lowbias32(state ^ part)
        keys.append(state)
    return lowbias32(lowbias32(index ^ keys[0]) ^ ((keys[1] + draw * 0x9E3779B9) % 2**32))


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1, 2**63 + 5])
@pytest.mark.parametrize("epoch", [0, 1, 2**32 - 1])
def test_words_follow_the_documented_formula(seed: int, epoch: int) -> None:
    indices = torch.tensor([0, 1, 49_999, 2**32 - 1])
    drawn = words(seed, epoch, indices, 3, stream=Stream.CROP)
    expected = [
        [word_by_definition(seed, epoch, int(i), draw, Stream.CROP) for draw in range(3)]
        for i in indices
    ]
    assert drawn.tolist() == expected


def test_pinned_values() -> None:
    """A change of these changes every run that anyone has recorded."""
    indices = torch.tensor([0, 1, 49_999])
    assert words(0, 0, indices, 2, stream=Stream.CROP).tolist() == GOLDEN_WORDS
    assert permutation(7, 3, 12).tolist() == GOLDEN_ORDER
    streams = {stream.name: int(stream) for stream in Stream}
    assert streams == {
        "ORDER": 1,
        "CROP": 2,
        "FLIP": 3,
        "CUTOUT": 4,
        "ERASE": 5,
        "ERASE_NOISE": 6,
        "PARTNER": 7,
        "MIX": 8,
        "CUTMIX_CENTER": 9,
    }


def test_uniform_is_float32_in_the_half_open_interval() -> None:
    drawn = uniform(0, 0, SAMPLES, 8, stream=1)
    assert drawn.dtype == torch.float32
    assert drawn.shape == (20_000, 8)
    assert drawn.min() >= 0
    assert drawn.max() < 1
    assert torch.equal(drawn * 2**24, (drawn * 2**24).floor())
    bits = words(0, 0, SAMPLES, 8, stream=1)
    assert torch.equal(drawn.double(), (bits // 256).double() / 2**24)


@pytest.mark.parametrize("seed", [0, 1, 123, 2**32 - 1])
def test_uniform_has_the_moments_and_the_histogram_of_uniform_numbers(seed: int) -> None:
    drawn = uniform(seed, 5, SAMPLES, 10, stream=Stream.ERASE).double()
    count = drawn.numel()
    assert abs(drawn.mean() - 1 / 2) < 4 * (1 / 12 / count) ** 0.5
    assert abs(drawn.var() - 1 / 12) < 4 * (1 / 180 / count) ** 0.5
    for column in drawn.unbind(1):
        observed = torch.histc(column, 100, 0, 1)
        chi_square = ((observed - 200) ** 2 / 200).sum()
        assert 40 < chi_square < 175  # 99 degrees of freedom: a probability of 1e-6 on either side


@pytest.mark.parametrize("bit", [0, 7, 8, 16, 24, 31])
def test_every_bit_is_fair(bit: int) -> None:
    share = (words(3, 1, SAMPLES, 10, stream=4) >> bit & 1).double().mean()
    assert abs(share - 0.5) < 4 * 0.5 / 200_000**0.5


def correlation(first: torch.Tensor, second: torch.Tensor) -> float:
    return float(torch.corrcoef(torch.stack((first.flatten(), second.flatten())))[0, 1])


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 12},
        {"seed": 11 + 2**32},
        {"epoch": 5},
        {"stream": 3},
        {"indices": SAMPLES + 1},
        {"indices": SAMPLES + 2**16},
    ],
    ids=str,
)
def test_neighbors_are_not_correlated(other: dict) -> None:
    base = {"seed": 11, "epoch": 4, "indices": SAMPLES, "stream": 2}
    first, second = uniform(draws=4, **base), uniform(draws=4, **(base | other))
    assert abs(correlation(first, second)) < 4 / first.numel() ** 0.5
    assert not torch.equal(first, second)


def test_draws_of_a_sample_are_not_correlated() -> None:
    drawn = uniform(0, 0, SAMPLES, 12, stream=Stream.MIX)
    matrix = torch.corrcoef(drawn.T)
    assert (matrix - torch.eye(12)).abs().max() < 5 / 20_000**0.5


def test_pairs_of_draws_fill_the_square_evenly() -> None:
    pair = integers(0, 0, SAMPLES, (10, 10), stream=Stream.CROP)
    observed = torch.bincount(pair[0] * 10 + pair[1], minlength=100).double()
    assert 40 < ((observed - 200) ** 2 / 200).sum() < 175


def test_first_draws_do_not_depend_on_how_many_follow() -> None:
    assert torch.equal(words(1, 2, SAMPLES, 2, stream=3), words(1, 2, SAMPLES, 9, stream=3)[:, :2])


def test_a_sample_draws_the_same_in_any_batch() -> None:
    order = permutation(9, 9, 20_000)
    whole = uniform(1, 2, SAMPLES, 3, stream=5)
    assert torch.equal(uniform(1, 2, order[:77], 3, stream=5), whole[order[:77]])


def test_indices_are_left_as_they_were() -> None:
    indices = torch.arange(5)
    words(1, 1, indices, 2, stream=1)
    permutation(1, 1, 5)
    assert indices.tolist() == [0, 1, 2, 3, 4]


def test_epoch_may_be_a_tensor() -> None:
    epoch = torch.tensor(6)
    assert torch.equal(words(1, epoch, SAMPLES, 2, stream=3), words(1, 6, SAMPLES, 2, stream=3))
    assert epoch == 6


def test_integers_stay_within_their_bounds_and_reach_them() -> None:
    one, nine, many = integers(2, 3, SAMPLES, (1, 9, 50_000), stream=6)
    assert one.dtype == torch.int64
    assert not one.any()
    assert nine.unique().tolist() == list(range(9))
    assert many.min() >= 0
    assert many.max() < 50_000
    assert many.unique().numel() > 16_000  # 20,000 throws at 50,000 places hit 16,484 of them


def test_permutation_holds_everyone_once_and_changes_with_epoch_and_seed() -> None:
    order = permutation(0, 0, 50_000)
    assert order.dtype == torch.int64
    assert torch.equal(order.sort().values, torch.arange(50_000))
    for other in (permutation(0, 1, 50_000), permutation(1, 0, 50_000)):
        assert (other == order).sum() < 10
    assert torch.equal(order, permutation(0, 0, 50_000))
    assert abs(correlation(order.double(), torch.arange(50_000.0))) < 4 / 50_000**0.5


def test_permutation_sorts_words_that_are_all_different() -> None:
    """Among 300,000 independent words ten pairs would be equal."""
    keys = words(0, 0, torch.arange(300_000), 1, stream=Stream.ORDER)[:, 0]
    assert keys.unique().numel() == 300_000
    assert torch.equal(keys[permutation(0, 0, 300_000)], keys.sort().values)


def test_permutations_of_three_are_all_equally_likely() -> None:
    orders = torch.stack([permutation(0, epoch, 3) for epoch in range(6_000)])
    observed = torch.bincount(orders[:, 0] * 3 + orders[:, 1], minlength=9)
    observed = observed[observed > 0]
    assert observed.numel() == 6
    assert ((observed - 1_000.0) ** 2 / 1_000).sum() < 30


@pytest.mark.parametrize("n", [0, 1])
def test_permutation_of_hardly_anything(n: int) -> None:
    assert permutation(0, 0, n).tolist() == list(range(n))
