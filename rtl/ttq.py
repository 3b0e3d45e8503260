"""Two sums an element: those of the activations under positive and under negative weights."""

from amaranth import Cat, Const

from rtl.arithmetic import add_narrow
from rtl.pe import Element

__all__ = ["TwoSumElement"]


class TwoSumElement(Element):
    """``p <- p + a`` where w is +1, ``n <- n + a`` where it is -1, each from 0 on where `first` is.

    The sum holds `p` in its low half, `n` in its high one. Two adders and no multiplexer: one adder for both would need
    more in multiplexers than it saves.

    Parameters
    ----------
    a : Integer
        Format of the activations; weights are ternary, code 10 being worth 0.
    acc_width : int
        Bits of each of the two sums.

    Source: Zhu, Han, Mao and Dally, Trained Ternary Quantization, section 4; the two sums are ours.
    """

    def __init__(self, *, a, acc_width, exit=True):
        self.a_format, self.acc_width = a, acc_width
        super().__init__(a_width=a.width, w_width=2, sum_width=2 * acc_width, exit=exit)

    def step(self, m, kept, x, y):
        halves = kept[: self.acc_width], kept[self.acc_width :]
        sums = []
        for half, chosen, name in zip(halves, (y[0] & ~y[1], y[0] & y[1]), ("p_", "n_"), strict=True):
            masked = x & chosen.replicate(len(x))
            addend = masked if self.a_format.signed else Cat(masked, Const(0, 1))
            sums.append(add_narrow(m, half, addend.as_signed(), Const(0, 1), name))  # with a carry it is faster
        return Cat(sums)
