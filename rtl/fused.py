"""The processing element of a systolic array in floating point."""

from rtl.float_fma import float_fma
from rtl.pe import Element

__all__ = ["FusedElement"]


class FusedElement(Element):
    """``sum <- round((+0 if first else sum) + a * w)``, all three in the format `fmt`, by a fused multiply-adder.

    Parameters
    ----------
    fmt : Float
        See `rtl.float_fma.float_fma`.
    """

    def __init__(self, *, fmt, exit=True):
        self.format = fmt
        self.idle = fmt.sign, 0  # -0 times 0: only -0 added to -0 is -0
        super().__init__(a_width=fmt.width, w_width=fmt.width, sum_width=fmt.width, exit=exit)

    def step(self, m, kept, x, y):
        return float_fma(m, self.format, x, y, kept)
