"""GEMM in floating point on the systolic array, a fused multiply-adder in each element."""

from dataclasses import dataclass, field

import numpy as np

from golden.errors import InputError
from golden.float_gemm import FloatGemmSpec, float_gemm
from golden.formats import Float, parse
from rtl.float_stimulus import boundary_codes, random_codes
from rtl.gemm import ArrayGemm
from rtl.sums import FusedSums

__all__ = ["FloatGemm"]


@dataclass(frozen=True, kw_only=True)
class FloatGemm(ArrayGemm):
    """An `ArrayGemm` of codes of one float format: ``s <- round(a[m, k] * w[k, n] + s)`` from +0, k ascending.

    An element adds in the cycle in which it multiplies: the latency of a sum is one cycle, and no tiles are interleaved.
    What is not finite has the results of IEEE 754.
    """

    format: Float = field(default=parse("fp32"))  # given by the target

    coded = True

    def __post_init__(self):
        if not isinstance(self.format, Float):
            raise InputError(f"format must be a float, not {self.format}")
        self.shape

    @property
    def a(self):
        """Format of the activations."""
        return self.format

    @property
    def w(self):
        """Format of the weights."""
        return self.format

    @property
    def sums(self):
        return FusedSums(self.format)

    def spec(self, k):
        return FloatGemmSpec(a=self.format, w=self.format, k=k, accumulate=self.format)

    def values(self, codes):
        return codes

    def golden(self, operands):
        a, w = (self.format.decode(operands[key]) for key in ("a", "w"))
        return {"y": self.format.encode(float_gemm(self.spec(a.shape[1]), a, w))}

    def stimulus(self, rng, m=None, k=None, n=None):
        """Numbers of moderate size, some of them 0, and in one of two draws a few of any kind."""
        m = rng.integers(1, 3 * self.rows) if m is None else m
        n = rng.integers(1, 3 * self.cols) if n is None else n
        k = rng.integers(1, 3 * self.rows + 1) if k is None else k
        wild = 0.03 * rng.integers(0, 2)

        def drawn(shape):
            numbers = rng.standard_normal(shape) * 2.0 ** rng.integers(-4, 4, shape) * (rng.random(shape) > 0.1)
            [codes] = random_codes(self.format, rng, numbers.size, 1)
            return np.where(rng.random(shape) < wild, codes.reshape(shape), self.format.encode(numbers))

        return {"a": drawn((m, k)), "w": drawn((k, n))}

    def directed(self, rng, amount=1):
        """Short sums of boundary cases; sums of two products that meet, of which the first is a number times 1.

        Of the latter, in which the second weights share an exponent, every other has many results that are subnormal.
        """
        codes, found, tall = boundary_codes(self.format), [], 40 * self.rows
        one, fields = self.format.bias << self.format.mantissa_bits, 1 << self.format.exponent_bits
        for _ in range(amount):
            found.append({"a": rng.choice(codes, (tall, 2)), "w": rng.choice(codes, (2, self.cols))})
            for most in (fields, fields // 4) * 2:
                x, y, z = random_codes(self.format, rng, tall, 3, second=rng.integers(0, most))
                factors = rng.choice(y, self.cols)
                found.append({"a": np.stack([z, x], axis=1), "w": np.stack([np.full_like(factors, one), factors])})
        return found
