"""Floating-point arithmetic from its definition, in exact rationals: what small formats are held against; and operands."""

import math
from bisect import bisect_right
from fractions import Fraction
from functools import cache

import numpy as np

__all__ = ["Oracle", "boundary_codes", "directed_triples", "random_codes"]


class Oracle:
    """Arithmetic on codes of a format given by its fields alone, with IEEE or finite rules.

    Numbers are Fractions, infinities or NaN, each with a sign bit beside it, as zeros have signs.
    """

    def __init__(self, exponent_bits, mantissa_bits, *, infinite, flush):
        self.e, self.m, self.infinite, self.flush = exponent_bits, mantissa_bits, infinite, flush
        self.sign = 1 << (exponent_bits + mantissa_bits)
        self.bias = 2 ** (exponent_bits - 1) - 1
        fields = 2**exponent_bits - infinite
        self.table = [self.magnitude(code) for code in range(fields << mantissa_bits)]  # ascending, by code
        ulp = self.table[-1] - self.table[-2]
        self.end = self.table[-1] + ulp / 2
        self.nan = len(self.table) + 2 ** (mantissa_bits - 1)
        self.rounded = cache(self.rounded)

    @classmethod
    def of(cls, fmt):
        return cls(fmt.exponent_bits, fmt.mantissa_bits, infinite=fmt.rules == "ieee", flush=fmt.flush)

    def magnitude(self, code):
        field, m = divmod(code, 2**self.m)
        if field == 0:
            return Fraction(m, 2**self.m) * Fraction(2) ** (1 - self.bias) * (not self.flush)
        return (1 + Fraction(m, 2**self.m)) * Fraction(2) ** (field - self.bias)

    def number(self, code):
        """(sign bit, magnitude) of a code."""
        s, code = divmod(code, self.sign)
        if code < len(self.table):
            return s, self.table[code]
        return s, math.inf if code == len(self.table) else math.nan

    def rounded(self, x):
        """The code of a magnitude, without sign."""
        if x >= self.end:
            return len(self.table) - (not self.infinite)
        least = self.table[1 << self.m]
        if self.flush and x < least:
            return 0
        below = bisect_right(self.table, x, lo=(1 << self.m) - 1 if self.flush else 0) - 1
        if below == len(self.table) - 1:
            return below
        down, up = x - self.table[below], self.table[below + 1] - x
        return below + (down > up or (down == up and below % 2))

    def code(self, sign, magnitude):
        if magnitude != magnitude:
            return self.nan
        return self.sign * sign | (len(self.table) if magnitude == math.inf else self.rounded(magnitude))

    def total(self, x, y):
        """The exact sum of two signed magnitudes."""
        (s, p), (t, q) = x, y
        if p != p or q != q or (p == q == math.inf and s != t):
            return 0, math.nan
        if p == math.inf or q == math.inf:
            return (s if p == math.inf else t), math.inf
        value = (-p if s else p) + (-q if t else q)
        return (int(value < 0) if value else s & t if p == q == 0 else 0), abs(value)

    def product(self, x, y):
        (s, p), (t, q) = x, y
        if p != p or q != q or (math.inf in (p, q) and 0 in (p, q)):
            return 0, math.nan
        return s ^ t, math.inf if math.inf in (p, q) else p * q

    def add(self, x, y):
        return self.code(*self.total(self.number(x), self.number(y)))

    def multiply(self, x, y):
        return self.code(*self.product(self.number(x), self.number(y)))

    def fma(self, x, y, z):
        return self.code(*self.total(self.product(self.number(x), self.number(y)), self.number(z)))

    def compare(self, x, y):
        """1 less, 2 equal, 4 greater, 0 unordered."""
        (s, p), (t, q) = self.number(x), self.number(y)
        if p != p or q != q:
            return 0
        p, q = -p if s else p, -q if t else q
        return 1 if p < q else 2 if p == q else 4


def random_codes(fmt, rng, count, columns):
    """Codes of any kind, `columns` arrays of `count`, most of them near enough to each other to interact.

    The first is anything. Products of the first two, and sums with the last, meet: exponents are drawn around those that
    cancel, mantissas are often short (ties), next to those of another, or all ones.
    """
    bits, top = fmt.mantissa_bits, (1 << fmt.exponent_bits) - 1
    mask = (1 << bits) - 1

    def mantissas():
        m = rng.integers(0, mask, count, endpoint=True)
        short = m & (mask << rng.integers(0, bits, count, endpoint=True)) & mask
        runs = (mask >> rng.integers(0, bits, count, endpoint=True)) ^ (mask * rng.integers(0, 2, count))
        return np.choose(rng.integers(0, 4, count), [m, m, short, runs])

    fields = [rng.integers(0, top, count, endpoint=True) for _ in range(columns)]
    near = rng.integers(-bits - 3, bits + 4, count)
    if columns == 3:  # the third near the product of the others
        fields[2] = np.where(rng.random(count) < 0.7, fields[0] + fields[1] - fmt.bias + near, fields[2])
    else:
        fields[1] = np.where(rng.random(count) < 0.7, fields[0] + near, fields[1])
    parts = [mantissas() for _ in range(columns)]
    same = rng.random(count) < 0.2  # close to cancelling
    parts[-1] = np.where(same, (parts[0] + rng.integers(-2, 3, count)) & mask, parts[-1])
    signs = rng.integers(0, 2, (columns, count))
    return [
        (np.clip(field, 0, top) << bits | m | s << (fmt.width - 1)).astype(np.int64)
        for field, m, s in zip(fields, parts, signs, strict=True)
    ]


def boundary_codes(fmt):
    """Zeros, the ends of subnormal and of normal numbers, 1 and its neighbours, powers of two, infinity, NaN; both signs."""
    bits = fmt.mantissa_bits
    first, one = 1 << bits, fmt.bias << bits
    codes = [0, 1, 2, first >> 1, first - 1, first, first + 1, one, one + 1, one - 1, one + first, fmt.top, fmt.top - 1]
    codes += [field << bits for field in (2, bits, fmt.bias - bits - 1, fmt.bias - bits, fmt.bias - 1, 2 * fmt.bias - 1)]
    codes += [one | 1 << (bits >> 1), one | (1 << bits) - 1, (fmt.bias - bits - 1 << bits) + 1]
    if fmt.rules == "ieee":
        codes += [fmt.top + 1, fmt.nan, fmt.top + 2]  # a signalling NaN too
    codes = np.unique([code for code in codes if 0 <= code < fmt.sign])
    return np.concatenate([codes, codes + fmt.sign])


def directed_triples(fmt, count=2):
    """All `count`-tuples of `boundary_codes`, as columns."""
    return [axis.ravel() for axis in np.meshgrid(*[boundary_codes(fmt)] * count)]
