"""Two activations brought to one unit and added: the residual connection."""

from dataclasses import dataclass

import numpy as np

from golden.errors import InputError
from golden.formats import Binary, Integer, Minifloat, PowerOfTwo, fitting
from golden.requant import check_sum, check_vectors, to_format

__all__ = ["AddSpec", "Adder", "add"]


@dataclass(frozen=True, kw_only=True)
class AddSpec:
    """``y = sat(rne((a * m_a[c] + b * m_b[c] + d[c]) * 2**-s[c]))``, per channel c: rounded once.

    Operands of different units are brought to the finer of the two by left shifts in `m_a` and `m_b`; `d` is an
    offset; a `y` without negative numbers is a ReLU.

    Parameters
    ----------
    a, b : Integer or Minifloat
        Formats of the operands.
    y : Integer, Minifloat, Binary or PowerOfTwo
        Format of the results; its limits are the saturation, and rounding other than to integers is the format's own.
    m_width, d_width : int
        Bits of the signed multipliers, 2 to 32, and of the signed offset, 2 to 61. The sum must fit 62 bits, 54 where
        results are powers of two.
    """

    a: Integer | Minifloat
    b: Integer | Minifloat
    y: Integer | Minifloat | Binary | PowerOfTwo
    m_width: int = 16
    d_width: int = 48

    def __post_init__(self):
        for what, width, most in (("m_width", self.m_width, 32), ("d_width", self.d_width, 61)):
            if not 2 <= width <= most:
                raise InputError(f"{what} must be 2 to {most}, not {width}")
        check_sum("a * m_a + b * m_b + d", self.sum_width, self.y)

    @property
    def sum_width(self):
        """Bits of the signed sum ``a * m_a + b * m_b + d``."""
        operand = max(fitting(f.lo, f.hi).width for f in (self.a, self.b))
        return max(operand + self.m_width + 1, self.d_width) + 1

    @property
    def s_limit(self):
        """Greatest shift: one more changes nothing, as every sum then rounds to 0."""
        return self.sum_width

    def check_parameters(self, m_a, m_b, d, s):
        """The four vectors as int64, if each is in range and their lengths agree."""
        limit_m, limit_d = 1 << (self.m_width - 1), 1 << (self.d_width - 1)
        limits = {"m_a": (-limit_m, limit_m - 1), "m_b": (-limit_m, limit_m - 1), "d": (-limit_d, limit_d - 1)}
        limits["s"] = (0, self.s_limit)
        return check_vectors(limits, m_a, m_b, d, s)


class Adder:
    """`add` with its parameters checked once, for operands that are known to be in range.

    Raises
    ------
    InputError
        If a parameter is out of the range of `spec`.
    """

    def __init__(self, spec, m_a, m_b, d, s):
        self.spec = spec
        self.m_a, self.m_b, self.d, self.s = spec.check_parameters(m_a, m_b, d, s)

    def __call__(self, a, b, axis):
        """The sums of `a` and `b`, whose channels lie along `axis`, in the smallest dtype of the format."""
        shape = [1] * a.ndim
        shape[axis] = self.m_a.size
        m_a, m_b, d, s = (p.reshape(shape) for p in (self.m_a, self.m_b, self.d, self.s))
        return to_format(self.spec.y, a * m_a + b * m_b + d, s)


def add(spec, a, b, m_a, m_b, d, s, axis=-1):
    """The sums of `spec`, int64, of the integers `a` and `b` of one shape, whose channels lie along `axis`.

    Raises
    ------
    InputError
        If a parameter or an operand is out of the range of `spec`, or shapes or the number of channels differ.
    """
    a, b, adder = spec.a.check(a, "a"), spec.b.check(b, "b"), Adder(spec, m_a, m_b, d, s)
    if a.shape != b.shape:
        raise InputError(f"operands of an addition must have one shape, not {list(a.shape)} and {list(b.shape)}")
    if a.shape[axis] != adder.m_a.size:
        raise InputError(f"operands have {a.shape[axis]} channels, their parameters have {adder.m_a.size}")
    return adder(a, b, axis).astype(np.int64)
