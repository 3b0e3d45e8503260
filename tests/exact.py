"""Rounding in exact rationals: what a format with units makes of a number, by the rule alone."""

from bisect import bisect
from fractions import Fraction
from functools import cache

import numpy as np

from golden.formats import Binary, Minifloat, PowerOfTwo

__all__ = ["dot_products", "nearest", "numbers", "unit"]


def unit(fmt):
    """What the integer 1 of `fmt` is worth."""
    return Fraction(2) ** fmt.exponent


def numbers(fmt, integers):
    """The numbers of `integers`, as a list of rationals."""
    return [int(i) * unit(fmt) for i in np.ravel(integers)]


@cache
def listed(fmt):
    """The integers of `fmt`, and of each whether its code is even."""
    integers = fmt.values()
    return integers.tolist(), dict(zip(integers.tolist(), (fmt.codes(integers) % 2 == 0).tolist(), strict=True))


def nearest(fmt, number):
    """The integer of `fmt`, of at most 16 bits, nearest to the rational `number`; ties to the even code.

    Of minifloats without a mantissa, ties are to the greater magnitude; of binary, to +1.
    """
    integers, even = listed(fmt)
    x = number / unit(fmt)
    if isinstance(fmt, PowerOfTwo):
        field = sum(1 for f in range(fmt.last) if x * x > 2 * 4**f)  # beyond sqrt(2) of which powers
        magnitude = 0 if fmt.zero and field == 0 or x < 0 and not fmt.signed else 1 << field
        return -magnitude if x < 0 else magnitude
    if isinstance(fmt, Binary):
        return -1 if x < 0 else 1
    if isinstance(fmt, Minifloat) and fmt.rules == "mini" and abs(number) < Fraction(2) ** -fmt.bias:
        return 0
    at = bisect(integers, x)
    below, above = integers[max(at - 1, 0)], integers[min(at, len(integers) - 1)]
    if x - below == above - x:
        if isinstance(fmt, Minifloat) and not fmt.mantissa_bits:
            return max(below, above, key=abs)
        return below if even[below] else above
    return below if x - below < above - x else above


def dot_products(spec, a, w, bias):
    """The results of a `golden.mac.MacSpec` with exact sums, by Python's rationals: integers of y, row by row."""
    rows, columns = [numbers(spec.a, row) for row in a], [numbers(spec.w, column) for column in w.T]
    biases, floor = numbers(spec.bias, bias), 0 if spec.relu else -np.inf
    sums = [[sum(map(Fraction.__mul__, row, column)) + b for column, b in zip(columns, biases, strict=True)] for row in rows]
    return [[max(nearest(spec.y, x), floor) for x in row] for row in sums]
