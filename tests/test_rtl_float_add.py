"""The adder of tame numbers against exact rationals in small formats and against NumPy in FP32."""

from fractions import Fraction

import numpy as np
import pytest
from gateware import clocked
from streaming import streamed

from golden.formats import Float
from rtl.float_add import FloatAdder, float_add

FP32 = Float(8, 23, "ieee")
LEAST = np.float32(2.0**-126)  # normal


def sums(fmt, x, y):
    """What the adder says."""
    [codes] = streamed(lambda m, x, y: float_add(m, fmt, x, y, tame=True), [fmt.width] * 2, [fmt.width], [x, y])
    return codes


def normal(fmt):
    """The numbers of the codes of normal numbers and of 0, in order of the codes without sign."""
    fields = range(1, 1 << fmt.exponent_bits)
    step = Fraction(1, 1 << fmt.mantissa_bits)
    return [Fraction(0)] + [(1 + m * step) * Fraction(2) ** (e - fmt.bias) for e in fields for m in range(1 << fmt.mantissa_bits)]


@pytest.mark.parametrize("fmt", [Float(4, 3, "ieee"), Float(3, 4, "finite"), Float(5, 2, "finite", flush=True), Float(2, 5, "ieee")], ids=lambda fmt: fmt.name)
def test_every_pair_of_small_numbers(fmt):
    magnitudes = normal(fmt)
    first = 1 << fmt.mantissa_bits  # the code of the least normal number
    codes = [0, *range(first, first + len(magnitudes) - 1)]
    numbers = dict(zip(codes, magnitudes, strict=True))
    numbers |= {code | fmt.sign: -x for code, x in numbers.items()}
    unit = magnitudes[1] / first  # of the last mantissa bit of the least
    integers = {code: int(x / unit) for code, x in numbers.items()}
    assert all(integers[code] * unit == x for code, x in numbers.items())
    ends = codes[-1] + 1

    def wanted(total):
        """The code of an integer in units, rounded to nearest even; None where it is not normal."""
        magnitude = abs(total)
        if magnitude == 0:
            return 0
        step = max(magnitude.bit_length() - 1 - fmt.mantissa_bits, 0)
        rounded = round(Fraction(magnitude, 1 << step))
        code = (step << fmt.mantissa_bits) + rounded
        return None if magnitude < first or code >= ends else code | (fmt.sign if total < 0 else 0)

    x, y = (np.array(side).ravel() for side in np.meshgrid(list(numbers), list(numbers)))
    found = sums(fmt, x, y)
    table = {}
    checked = 0
    for i, j, code in zip(x.tolist(), y.tolist(), found.tolist(), strict=True):
        total = integers[i] + integers[j]
        if total not in table:
            table[total] = wanted(total)
        if table[total] is not None:
            checked += 1
            assert code == table[total], (numbers[i], numbers[j])
    assert checked > len(x) / 4


def check(x, y):
    """The adder on float32 arrays, where the sum is 0 or normal: NumPy's sum, of which 0 has no sign."""
    with np.errstate(over="ignore", under="ignore"):
        wanted = x + y
    known = (np.abs(wanted) >= LEAST) & np.isfinite(wanted) | (wanted == 0)
    for part in (x, y):
        assert np.all((np.abs(part) >= LEAST) | (part == 0))
    x, y, wanted = x[known], y[known], wanted[known]
    codes = sums(FP32, x.view(np.uint32), y.view(np.uint32))
    assert np.array_equal(codes, np.where(wanted == 0, 0, wanted.view(np.uint32)))
    return len(x)


def signs(rng, *columns):
    """Float32 columns with random signs."""
    return [np.copysign(x, rng.choice([-1.0, 1.0], len(x))).astype(np.float32) for x in columns]


def test_directed_sums_in_fp32():
    """Every distance of exponents, with mantissas at their ends and single bits: ties, cancellation, carries."""
    ends = [0, 1, 2, 3, 0x7FFFFF, 0x7FFFFE, 0x400000, 0x3FFFFF, 0x555555, *(1 << i for i in range(3, 22))]
    mantissas = np.array(ends, np.uint32)
    exponents = np.array([*range(30), 31, 32, 33, 40, 63, 64, 65, 100, 127, 128, 200, 252], np.uint32)
    grid = np.meshgrid(mantissas, mantissas, exponents, np.array([0, 1], np.uint32), np.array([1, 2], np.uint32))
    one, other, distance, negative, base = (axis.ravel() for axis in grid)
    x = ((base + distance) << np.uint32(23)) | one
    y = base << np.uint32(23) | other | negative << np.uint32(31)
    count = check(*(np.concatenate([p, q]).view(np.float32) for p, q in ((x, y), (y, x))))
    assert count > 100_000


def test_zeros_and_equal_magnitudes():
    numbers = np.array([0.0, 1.0, LEAST, 2 * LEAST, 3e38, 1.5, 2**24, np.finfo(np.float32).eps], np.float32)
    numbers = np.concatenate([numbers, -numbers])
    x, y = (side.ravel() for side in np.meshgrid(numbers, numbers))
    assert check(x, y) > 200


def test_random_sums_in_fp32():
    """A million: of any exponents, of near ones, of halves of the last bit, and of sums that nearly cancel."""
    rng, count = np.random.default_rng(0), 250_000
    fields = rng.integers(1, 254, (2, count), dtype=np.uint32)
    mantissas = rng.integers(0, 1 << 23, (3, count), dtype=np.uint32)
    any_x, any_y = (fields << np.uint32(23) | mantissas[:2]).view(np.float32)
    near = np.clip(fields[0] + rng.integers(-27, 28, count), 1, 253).astype(np.uint32) << np.uint32(23) | mantissas[1]
    short = mantissas[2] & (np.uint32(0xFFFFFFFF) << rng.integers(0, 23, count, dtype=np.uint32))  # ties are frequent
    short = np.clip(fields[0] - rng.integers(0, 26, count), 1, 253).astype(np.uint32) << np.uint32(23) | short & np.uint32(0x7FFFFF)
    beside = any_x.view(np.uint32) + rng.integers(-9, 10, count).astype(np.uint32)
    beside = np.clip(beside, 1 << 23, (254 << 23) + 0x7FFFFF).astype(np.uint32)
    x = np.concatenate([any_x] * 4)
    y = np.concatenate([any_y, *(part.astype(np.uint32).view(np.float32) for part in (near, short, beside))])
    x, y = signs(rng, x, y)
    y[3 * count :] = -np.copysign(y[3 * count :], x[3 * count :])  # those beside each other cancel
    assert check(x, y) > 900_000


def test_a_wide_exponent_and_a_short_mantissa():
    """bfloat16, of numbers near enough to each other that float64 holds their sums."""
    bf16, rng = Float(8, 7, "ieee"), np.random.default_rng(1)
    x = rng.integers(100, 140, 60_000).astype(np.uint32) << 7 | rng.integers(0, 128, 60_000).astype(np.uint32)
    y = x + (rng.integers(-10, 11, 60_000) << 7) + rng.integers(-100, 100, 60_000)
    y = y.astype(np.uint32) & 0x7FFF | rng.integers(0, 2, 60_000).astype(np.uint32) << 15
    wide = [(part.astype(np.uint32) << np.uint32(16)).view(np.float32) for part in (x, y)]
    exact = wide[0].astype(np.float64) + wide[1].astype(np.float64)
    wanted = bf16.encode(exact)
    assert np.array_equal(sums(bf16, x, y), np.where(exact == 0, 0, wanted))


def test_the_sum_comes_a_cycle_later():
    adder, found = FloatAdder(FP32), []
    numbers = np.array([1.0, -2.5, 3e10, 0.0, 7.25], np.float32)
    others = np.array([2.0, 2.5, -1.0, 4.0, 2.0**-20], np.float32)

    async def bench(ctx):
        for x, y in zip(numbers.view(np.uint32).tolist(), others.view(np.uint32).tolist(), strict=True):
            ctx.set(adder.x, x)
            ctx.set(adder.y, y)
            await ctx.tick()
            found.append(ctx.get(adder.total))

    clocked(adder, bench)
    total = numbers + others
    assert found == total.view(np.uint32).tolist() and total[1] == 0
