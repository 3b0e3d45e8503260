"""What a processing element keeps, and what a pair of operands makes of it."""

from dataclasses import dataclass

from golden.formats import Float, UnitFormat
from rtl.arithmetic import add_narrow
from rtl.float_fma import float_fma
from rtl.mac import product

__all__ = ["ExactSums", "FusedSums"]


@dataclass(frozen=True)
class ExactSums:
    """``sum + a * w`` of integers, modulo ``2**width``; no latency.

    Parameters
    ----------
    a, w : UnitFormat
        Formats of the operands.
    width : int
        Bits of a sum.
    """

    a: UnitFormat
    w: UnitFormat
    width: int

    idle = (0, 0)  # codes of `a` and `w` that leave every sum as it is

    def step(self, m, x, y, kept):
        """The sum after `kept`, with the codes `x` and `y`. Code 0 is the sum to begin with."""
        addend, carry = product(m, self.a, self.w, x, y)
        return add_narrow(m, kept, addend, carry)


@dataclass(frozen=True)
class FusedSums:
    """``round(a * w + sum)``, all three in the format `fmt`, by a fused multiply-adder; no latency.

    Parameters
    ----------
    fmt : Float
        See `rtl.float_fma.float_fma`.
    """

    fmt: Float

    @property
    def a(self):
        return self.fmt

    @property
    def w(self):
        return self.fmt

    @property
    def width(self):
        return self.fmt.width

    @property
    def idle(self):
        return self.fmt.sign, 0  # -0 times 0: only -0 added to -0 is -0

    def step(self, m, x, y, kept):
        return float_fma(m, self.fmt, x, y, kept)
