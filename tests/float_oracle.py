"""Floating-point arithmetic from its definition, in exact rationals: what small formats are held against."""

import math
from bisect import bisect_right
from fractions import Fraction
from functools import cache

__all__ = ["Oracle"]


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
