"""The processing element of the systolic array."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.arithmetic import add_narrow
from rtl.mac import product

__all__ = ["ProcessingElement"]


class ProcessingElement(wiring.Component):
    """One multiply-accumulate a cycle: ``sum <- (0 if first else sum) + a * w``, on registered operands.

    Latency is one cycle from the operand ports to the operands' neighbours and two to `leaving_n`; one product a cycle.

    Parameters
    ----------
    a, w : UnitFormat
        Formats of the operands.
    acc_width : int
        Bits of the sum.
    exit : bool
        Whether sums leave behind a front. Without, the element has the port `total`, its sum at all times, instead of
        `leaving_n`: of no use in an array, but what the logic that lets sums leave is measured against.

    Attributes
    ----------
    a, w, first : In
        Codes of the operands, and whether they are the first of a tile.
    a_next, w_next, first_next : Out
        The same, a cycle later, for the neighbours to the east and to the south.
    leaving_n : Out(acc_width)
        The complement of the sum in the cycle in which the next tile replaces it, else all ones: a column joins its
        elements by AND, and gates are smaller that way.

    Source: Mishra and Marr, WRPN & Apprentice, section 3 and figure 3.
    """

    def __init__(self, *, a, w, acc_width, exit=True):
        self.formats = a, w
        self.acc_width = acc_width
        self.exit = exit
        super().__init__(
            {
                "a": In(a.width),
                "w": In(w.width),
                "first": In(1),
                "a_next": Out(a.width),
                "w_next": Out(w.width),
                "first_next": Out(1),
                "leaving_n" if exit else "total": Out(acc_width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        x = Signal.like(self.a, reset_less=True)
        y = Signal.like(self.w, reset_less=True)
        more = Signal(reset_less=True)  # `first` is kept inverted: its loads are then the smaller gates
        total = Signal(self.acc_width, reset_less=True)
        m.d.sync += [x.eq(self.a), y.eq(self.w), more.eq(~self.first)]
        m.d.comb += [self.a_next.eq(x), self.w_next.eq(y), self.first_next.eq(~more)]

        addend, carry = product(m, *self.formats, x, y)
        kept = Signal(self.acc_width)
        m.d.comb += kept.eq(total & more.replicate(self.acc_width))
        if self.exit:
            m.d.comb += self.leaving_n.eq(~(total & (~more).replicate(self.acc_width)))
        else:
            m.d.comb += self.total.eq(total)
        m.d.sync += total.eq(add_narrow(m, kept, addend, carry))
        return m
