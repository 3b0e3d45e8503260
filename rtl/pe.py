"""The processing element of the systolic array."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["ProcessingElement"]


class ProcessingElement(wiring.Component):
    """One multiply-accumulate a cycle: ``sum <- a * w + (0 if first else sum)``, on registered operands.

    Latency is one cycle from the operand ports to the operands' neighbours and two to `leaving_n`; one product a cycle.

    Parameters
    ----------
    sums : ExactSums or FusedSums
        Formats of the operands and of the sum, and how it is added up.
    exit : bool
        Whether sums leave behind a front. Without, the element has the port `total`, its sum at all times, instead of
        `leaving_n`: of no use in an array, but what the logic that lets sums leave is measured against.

    Attributes
    ----------
    a, w, first : In
        Codes of the operands, and whether they are the first of a tile.
    a_next, w_next, first_next : Out
        The same, a cycle later, for the neighbours to the east and to the south.
    leaving_n : Out
        The complement of the sum in the cycle in which the next tile replaces it, else all ones: a column joins its
        elements by AND, and gates are smaller that way.

    Source: Mishra and Marr, WRPN & Apprentice, section 3 and figure 3.
    """

    def __init__(self, *, sums, exit=True):
        self.sums = sums
        self.exit = exit
        super().__init__(
            {
                "a": In(sums.a.width),
                "w": In(sums.w.width),
                "first": In(1),
                "a_next": Out(sums.a.width),
                "w_next": Out(sums.w.width),
                "first_next": Out(1),
                "leaving_n" if exit else "total": Out(sums.width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        x = Signal.like(self.a, reset_less=True)
        y = Signal.like(self.w, reset_less=True)
        more = Signal(reset_less=True)  # `first` is kept inverted: its loads are then the smaller gates
        total = Signal(self.sums.width, reset_less=True)
        m.d.sync += [x.eq(self.a), y.eq(self.w), more.eq(~self.first)]
        m.d.comb += [self.a_next.eq(x), self.w_next.eq(y), self.first_next.eq(~more)]

        kept = Signal(self.sums.width)
        m.d.comb += kept.eq(total & more.replicate(len(total)))
        if self.exit:
            m.d.comb += self.leaving_n.eq(~(total & (~more).replicate(len(total))))
        else:
            m.d.comb += self.total.eq(total)
        m.d.sync += total.eq(self.sums.step(m, x, y, kept))
        return m
