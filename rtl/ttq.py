"""Two sums an element: those of the activations under positive and under negative weights."""

from dataclasses import dataclass
from typing import ClassVar

from amaranth import Cat, Const

from golden.formats import Integer, Ternary
from rtl.arithmetic import add_narrow

__all__ = ["TwoSums"]


@dataclass(frozen=True)
class TwoSums:
    """``p + a`` where w is +1, ``n + a`` where it is -1; no latency.

    The sum holds `p` in its low half, `n` in its high one. Two adders and no multiplexer: one adder for both would need
    more in multiplexers than it saves.

    Parameters
    ----------
    a : Integer
        Format of the activations; weights are ternary, code 10 being worth 0.
    each : int
        Bits of each of the two sums.

    Source: Zhu, Han, Mao and Dally, Trained Ternary Quantization, section 4; the two sums are ours.
    """

    a: Integer
    each: int

    w: ClassVar[Ternary] = Ternary()
    idle: ClassVar[tuple] = (0, 0)

    @property
    def width(self):
        return 2 * self.each

    def step(self, m, x, y, kept):
        halves, signs = (kept[: self.each], kept[self.each :]), (y[0] & ~y[1], y[0] & y[1])
        sums = []
        for half, chosen, name in zip(halves, signs, ("p_", "n_"), strict=True):
            masked = x & chosen.replicate(len(x))
            addend = masked if self.a.signed else Cat(masked, Const(0, 1))
            sums.append(add_narrow(m, half, addend.as_signed(), Const(0, 1), name))  # with a carry it is faster
        return Cat(sums)
