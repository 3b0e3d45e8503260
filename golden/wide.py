"""Exact sums beyond the 53 bits of float64, rounded once, in a way that makes a second rounding safe.

Rounding to odd takes, of the two floats around a number, the one whose significand is odd, and the number itself where
it is one. To any format of at most 51 significant bits, the result then rounds as the number would: it lies on the same
side of every tie, and on none. Not so to powers of two, where the threshold is the root of 2.

Source: Boldo and Melquiond, Emulation of FMA and correctly rounded sums: proved algorithms using rounding to odd.
"""

import numpy as np

from golden.errors import InputError

__all__ = ["FLOAT", "ODD", "WIDEST", "limbs", "split", "total"]

FLOAT = 1 << 53  # every integer up to here is a float64
ODD = 51  # significant bits of a format to which numbers rounded to odd round as before
# Up to here, what `total` rounds off on the way is at most 2**49 a term, and added exactly for up to 16 terms; 3 limbs
# by 3 and two of the bias are 11.
WIDEST = 1 << 102


def two_sum(x, y):
    """The sum of two floats, rounded, and what was rounded off, exact (Knuth)."""
    s = x + y
    z = s - x
    return s, (x - (s - z)) + (y - z)


def total(terms, bound):
    """``sum of x * 2**s`` over the pairs (x, s) of `terms`, float64: exact below 2**53, else rounded to odd.

    Parameters
    ----------
    terms : list of up to 16 pairs (array of integers up to 2**53 in magnitude, shift of at least 0)
        Arrays broadcast against each other.
    bound : int
        No sum of the magnitudes of the terms exceeds it; less than `WIDEST`.
    """
    floats = [np.multiply(x, 2.0**s, dtype=np.float64) for x, s in terms]
    high = floats[0]
    if bound < FLOAT:
        for x in floats[1:]:
            high = high + x
        return high
    low = 0.0
    for x in floats[1:]:
        high, rest = two_sum(high, x)
        low = low + rest
    high, low = two_sum(high, low)
    even = high.view(np.int64) & 1 == 0
    return np.where((low != 0) & even, np.nextafter(high, np.where(low > 0, np.inf, -np.inf)), high)


def split(k, *greatest):
    """How two operands of magnitudes up to `greatest` are cut into limbs, so that sums of `k` products are floats.

    Returns
    -------
    (count, bits) of the limbs of the first, the same of the second, and the greatest sum of a pair of limbs.

    Raises
    ------
    InputError
        If three limbs are not enough.
    """
    for count in (2, 3):
        bits = [-(-most.bit_length() // count) for most in greatest]
        if k << sum(bits) < FLOAT:
            return (count, bits[0]), (count, bits[1]), k << sum(bits)
    raise InputError(f"sums of {k} products are too long for golden; allowed: K up to {(FLOAT - 1) >> sum(bits)}")


def limbs(integers, count, bits):
    """`integers` as `count` pairs (limb, shift) with ``sum of limb * 2**shift``; all but the last are not negative."""
    integers = integers.astype(np.int64)
    lower = [((integers >> i * bits) & ((1 << bits) - 1), i * bits) for i in range(count - 1)]
    return [*lower, (integers >> (count - 1) * bits, (count - 1) * bits)]
