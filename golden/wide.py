"""Exact sums beyond the 53 bits of float64, rounded once, in a way that makes a second rounding safe.

Rounding to odd takes, of the two floats around a number, the one whose significand is odd, and the number itself where
it is one. To any format of at most 51 significant bits, the result then rounds as the number would: it lies on the same
side of every tie, and on none.

Source: Boldo and Melquiond, Emulation of FMA and correctly rounded sums: proved algorithms using rounding to odd.
"""

import numpy as np

from golden.errors import InputError

__all__ = ["limbs", "total"]

FLOAT = 1 << 53  # every integer up to here is a float64
PAIR = 1 << 105  # and up to here, a sum of two that do not overlap


def two_sum(x, y):
    """The sum of two floats, rounded, and what was rounded off, exact (Knuth)."""
    s = x + y
    z = s - x
    return s, (x - (s - z)) + (y - z)


def total(terms, bound):
    """``sum of x * 2**s`` over the pairs (x, s) of `terms`, float64: exact below 2**53, else rounded to odd.

    Parameters
    ----------
    terms : pairs (array of integers below 2**53 in magnitude, shift of at least 0)
        Arrays broadcast against each other.
    bound : int
        No sum of the magnitudes of the terms exceeds it.

    Raises
    ------
    InputError
        If the bound is 2**105 or more.
    """
    if bound >= PAIR:
        raise InputError(f"sums need {bound.bit_length() + 1} bits; allowed: up to 106")
    floats = [np.ldexp(np.asarray(x, dtype=np.float64), s) for x, s in terms]
    high = floats[0]
    if bound < FLOAT:
        for x in floats[1:]:
            high = high + x
        return high
    low = np.zeros_like(high)
    for x in floats[1:]:
        high, rest = two_sum(high, x)
        low = low + rest  # exact: both are below 2**52 units
    high, low = two_sum(high, low)
    even = high.view(np.int64) & 1 == 0
    return np.where((low != 0) & even, np.nextafter(high, np.where(low > 0, np.inf, -np.inf)), high)


def limbs(integers, half):
    """`integers` as two pairs (limb, shift) with ``sum of limb * 2**shift``; the lower has `half` bits and no sign."""
    integers = integers.astype(np.int64)
    return [(integers & ((1 << half) - 1), 0), (integers >> half, half)]
