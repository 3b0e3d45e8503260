"""Arithmetic in floating point: the exact result, rounded once to the format, to nearest with ties to even.

Operands and results are float64 arrays of numbers of the format `fmt`, a `golden.formats.Float`: signed zeros,
infinities and NaN included, which ``fmt.decode`` makes of codes. By IEEE 754-2019:

- Infinity less infinity and zero times infinity are NaN, as is what any NaN takes part in. ``fmt.encode`` writes every NaN as
  the one quiet, positive NaN: neither payload nor sign is passed on, and nothing signals.
- A sum that is exactly 0 is +0, unless both terms are -0. A product's sign is that of its factors, of 0 too. What is
  rounded to 0 keeps its sign. (Ristretto's minifloats have no -0.)
- What is rounded beyond the greatest number is infinity, or in a format without infinity that greatest number.
- A format that flushes subnormal numbers has none as operands; a result below the least normal number, before it is
  rounded, is 0 with its sign.
"""

import numpy as np

__all__ = ["EQUAL", "GREATER", "LESS", "add", "compare", "fma", "fused", "multiply", "rounded", "subtract"]

LESS, EQUAL, GREATER = 1, 2, 4  # what `compare` gives; 0 is unordered
NATIVE = {(8, 23, "ieee"): np.float32, (5, 10, "ieee"): np.float16}  # NumPy rounds these as `Float.numbers` does


def rounded(fmt, x):
    """The numbers of `fmt` that the reals `x`, float64, are rounded to."""
    native = NATIVE.get((fmt.exponent_bits, fmt.mantissa_bits, fmt.rules))
    if native is None:
        return fmt.numbers(x)
    with np.errstate(over="ignore", under="ignore"):
        found = x.astype(native).astype(np.float64)
    if fmt.flush:
        found = np.where(np.abs(x) < 2.0 ** (1 - fmt.bias), np.copysign(0.0, x), found)
    return found


def add(fmt, x, y):
    """``x + y``.

    float64 has more than twice the significant bits of any format, so that to round to it first changes nothing.
    """
    with np.errstate(invalid="ignore"):
        return rounded(fmt, np.add(x, y, dtype=np.float64))


def subtract(fmt, x, y):
    """``x - y``."""
    return add(fmt, x, np.negative(y))


def multiply(fmt, x, y):
    """``x * y``, which float64 holds exactly before it is rounded."""
    with np.errstate(invalid="ignore"):
        return rounded(fmt, np.multiply(x, y, dtype=np.float64))


def fma(fmt, x, y, z):
    """``x * y + z``, rounded once."""
    with np.errstate(invalid="ignore"):
        return fused(fmt, np.multiply(x, y, dtype=np.float64), z)


def fused(fmt, product, z):
    """``product + z`` rounded once, of a product that float64 holds exactly though `fmt` may not.

    The sum in float64 is rounded to odd: where it is not exact and its last bit is 0, it is moved by one towards what
    it lacks. With that, 53 bits are enough for a second rounding, to 24 at most, to be as if it were the first.

    Source: Boldo and Melquiond, Emulation of FMA and correctly rounded sums: proved algorithms using rounding to odd.
    """
    with np.errstate(invalid="ignore"):
        total = np.add(product, z, dtype=np.float64)
        of_z = total - product
        lacks = (product - (total - of_z)) + (z - of_z)  # Knuth: exact; NaN where the sum is not finite
        odd = np.array(total).view(np.int64)
        inexact = (np.abs(lacks) > 0) & (odd & 1 == 0)
        odd = odd + np.where(inexact, np.where((lacks > 0) == (total > 0), 1, -1), 0)
    return rounded(fmt, odd.view(np.float64))


def compare(fmt, x, y):
    """How `x` is to `y`, uint8: `LESS`, `EQUAL` or `GREATER`, and 0, which is unordered, where either is NaN."""
    x, y = np.asarray(x), np.asarray(y)
    return (LESS * (x < y) + EQUAL * (x == y) + GREATER * (x > y)).astype(np.uint8)
