"""Stochastic rounding: its randomness against Philox written out here, its choice against exact rationals."""

from fractions import Fraction

import numpy as np
import pytest

from golden.errors import InputError
from golden.formats import parse
from golden.rounding import generator, stochastic

NAMES = ["int8e-4", "uint8", "int4e2", "int64", "ternary", "binary", "mini_e4m3", "mini_e3m0", "mini_e5m23", "e4m3"]
NAMES += ["e5m2", "e2m1", "fp16", "pow2_4", "pow2z_4"]
FLOATS = ["fp32", "bf16", "mini_e6m1", "finite_e8m3", "fp16_ftz", "e4m3_ftz", "fp32_ftz"]  # whose units are not for int64


def philox(seed, blocks):
    """64-bit words of Philox4x64-10, after Salmon et al., Parallel random numbers: as easy as 1, 2, 3."""
    mask = (1 << 64) - 1
    start = np.random.SeedSequence(seed).generate_state(2, np.uint64).tolist()
    words = []
    for count in range(1, blocks + 1):
        x, key = [count, 0, 0, 0], start
        for _ in range(10):
            p, q = x[0] * 0xD2E7470EE14C6C93, x[2] * 0xCA5A826395121157
            x = [(q >> 64) ^ x[1] ^ key[0], q & mask, (p >> 64) ^ x[3] ^ key[1], p & mask]
            key = [(key[0] + 0x9E3779B97F4A7C15) & mask, (key[1] + 0xBB67AE8584CAA73B) & mask]
        words += x
    return words


@pytest.mark.parametrize("seed", [0, 1, 12345678901234567890])
def test_the_generator_is_philox(seed):
    assert generator(seed).random(40).tolist() == [(word >> 11) / 2**53 for word in philox(seed, 10)]


@pytest.mark.parametrize("seed", [-1, 1.0, True, None, "1"])
def test_seeds_are_whole_numbers(seed):
    with pytest.raises(InputError, match=f"seed must be a whole number of at least 0, not {seed!r}"):
        generator(seed)


@pytest.mark.parametrize("name", NAMES + FLOATS)
def test_each_choice_is_the_stated_draw_against_the_exact_share(name):
    fmt, rng = parse(name), np.random.default_rng(5)
    unit = 2.0**fmt.exponent
    x = np.concatenate([rng.uniform(-9, 9, 300), rng.uniform(-1.1, 1.1, 300) * min(float(fmt.hi), 1e6)]) * unit
    if name in FLOATS:
        x[::3] = rng.normal(0, 1, 200)
    below, above = fmt.neighbours(x)
    draws = [Fraction(word >> 11, 1 << 53) for word in philox(9, 150)]
    expected = []
    for value, *ends, draw in zip(x.tolist(), below.tolist(), above.tolist(), draws, strict=True):
        low, high = map(Fraction, ends)
        exact = min(max(Fraction(value) / Fraction(unit), fmt.lo), fmt.hi)
        assert low <= exact <= high
        expected.append(high if low != high and draw < (exact - low) / (high - low) else low)
    found = stochastic(fmt, x.reshape(20, 30), generator(9))
    assert found.dtype == (np.float64 if name in FLOATS else np.int64) and found.reshape(-1).tolist() == expected
    assert np.array_equal(fmt.decode(fmt.encode(found * unit)), found * unit)


def test_neighbours_of_floats_are_those_of_all_numbers_in_order():
    rng = np.random.default_rng(3)
    x = np.concatenate([rng.normal(0, 1, 500), rng.normal(0, 1, 500) * 2.0 ** rng.integers(-40, 140, 500)])
    for fmt in [fmt for fmt in map(parse, FLOATS) if fmt.width <= 16]:
        numbers = np.unique(fmt.decode(np.arange(1 << fmt.width)))
        numbers = numbers[np.isfinite(numbers)]
        inside = np.clip(np.concatenate([x, numbers]), numbers[0], numbers[-1])
        below, above = (found * 2.0**fmt.exponent for found in fmt.neighbours(np.concatenate([x, numbers])))
        np.testing.assert_array_equal(below, numbers[np.searchsorted(numbers, inside, "right") - 1])
        np.testing.assert_array_equal(above, numbers[np.searchsorted(numbers, inside, "left")])
    x = np.clip(x, -3e38, 3e38)
    nearest = x.astype(np.float32)
    for found, end, beyond in zip(parse("fp32").neighbours(x), (-np.inf, np.inf), (np.greater, np.less), strict=True):
        expected = np.where(beyond(nearest, x), np.nextafter(nearest, np.float32(end)), nearest)
        np.testing.assert_array_equal(found * 2.0**-149, expected)


@pytest.mark.parametrize("name", NAMES)
def test_numbers_of_the_format_stay_and_what_is_beyond_saturates(name):
    fmt = parse(name)
    values = fmt.values() if fmt.width <= 16 else np.array([fmt.lo, fmt.lo >> 1, 0, fmt.hi])
    for seed in range(3):
        inside = values if name != "int64" else values[:3]  # the greatest is no float64
        np.testing.assert_array_equal(
            stochastic(fmt, np.ldexp(inside.astype(float), fmt.exponent), generator(seed)), inside
        )
        ends = stochastic(fmt, [-np.inf, -1e308, 1e308, np.inf], generator(seed))
        assert ends.tolist() == [fmt.lo, fmt.lo, fmt.hi, fmt.hi]


@pytest.mark.parametrize("name", NAMES + FLOATS)
def test_the_mean_error_is_zero(name):
    fmt, draws = parse(name), 40_000
    low, high = (float(v) for v in fmt.neighbours((0.37 * min(fmt.hi, 1e6) + 0.1) * 2.0**fmt.exponent))
    assert low < high
    for share in (0.1, 0.5, 0.85):
        exact = low + share * (high - low)
        mean = stochastic(fmt, np.full(draws, exact * 2.0**fmt.exponent), generator(3)).mean()
        assert abs(mean - exact) < 4 * (high - low) * np.sqrt(share * (1 - share) / draws)


def test_the_same_seed_gives_the_same_and_another_another():
    fmt, x = parse("int8e-4"), np.full(1000, 0.03)
    first = stochastic(fmt, x, generator(1))
    np.testing.assert_array_equal(first, stochastic(fmt, x, generator(1)))
    assert (first != stochastic(fmt, x, generator(2))).any()
    rng = generator(1)
    parts = [stochastic(fmt, x[:300], rng), stochastic(fmt, x[300:], rng)]
    np.testing.assert_array_equal(np.concatenate(parts), first)


def test_above_is_taken_below_the_share_alone():
    class Drawn:
        def random(self, shape):
            return np.array([0.5, 0.5, np.nextafter(0.5, 0), 0.0])

    found = stochastic(parse("int8"), [0.5, np.nextafter(0.5, 1), 0.5, -3.0], Drawn())
    assert found.tolist() == [0, 1, 1, -3]


def test_float32_and_scalars_are_taken():
    fmt = parse("mini_e4m3")
    x = np.linspace(-3, 3, 100, dtype=np.float32)
    np.testing.assert_array_equal(stochastic(fmt, x, generator(0)), stochastic(fmt, x.astype(float), generator(0)))
    assert stochastic(fmt, 1.0, generator(0)) == 1 << 10


@pytest.mark.parametrize("name", NAMES + FLOATS)
def test_nan_is_refused(name):
    with pytest.raises(InputError, match=f"NaN cannot be encoded as {name}"):
        stochastic(parse(name), [0.0, np.nan], generator(0))
