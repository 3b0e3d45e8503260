"""The processing elements of the systolic array."""

from abc import abstractmethod

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.arithmetic import add_narrow
from rtl.mac import product

__all__ = ["Element", "ProcessingElement"]


class Element(wiring.Component):
    """What every element of the array does: ``sum <- step(0 if first else sum, a, w)``, on registered operands.

    Latency is one cycle from the operand ports to the operands' neighbours and two to `leaving_n`; one step a cycle.

    Parameters
    ----------
    a_width, w_width, sum_width : int
        Bits of the operands and of what is summed up.
    exit : bool
        Whether sums leave behind a front. Without, the element has the port `total`, its sum at all times, instead of
        `leaving_n`: of no use in an array, but what the logic that lets sums leave is measured against.

    Attributes
    ----------
    a, w, first : In
        Codes of the operands, and whether they are the first of a tile.
    a_next, w_next, first_next : Out
        The same, a cycle later, for the neighbours to the east and to the south.
    leaving_n : Out(sum_width)
        The complement of the sum in the cycle in which the next tile replaces it, else all ones: a column joins its
        elements by AND, and gates are smaller that way.

    Source: Mishra and Marr, WRPN & Apprentice, section 3 and figure 3.
    """

    idle = 0  # the code of `w` that adds nothing beside code 0 of `a`

    def __init__(self, *, a_width, w_width, sum_width, exit=True):
        self.exit = exit
        super().__init__(
            {
                "a": In(a_width),
                "w": In(w_width),
                "first": In(1),
                "a_next": Out(a_width),
                "w_next": Out(w_width),
                "first_next": Out(1),
                "leaving_n" if exit else "total": Out(sum_width),
            }
        )

    @abstractmethod
    def step(self, m, kept, x, y):
        """What the sum `kept` becomes with the operands `x` and `y`."""

    def elaborate(self, platform):
        m = Module()
        out = self.leaving_n if self.exit else self.total
        x = Signal.like(self.a, reset_less=True)
        y = Signal.like(self.w, reset_less=True)
        more = Signal(reset_less=True)  # `first` is kept inverted: its loads are then the smaller gates
        total = Signal(len(out), name="total", reset_less=True)
        m.d.sync += [x.eq(self.a), y.eq(self.w), more.eq(~self.first)]
        m.d.comb += [self.a_next.eq(x), self.w_next.eq(y), self.first_next.eq(~more)]

        kept = Signal(len(out))
        m.d.comb += kept.eq(total & more.replicate(len(out)))
        m.d.comb += out.eq(~(total & (~more).replicate(len(out))) if self.exit else total)
        m.d.sync += total.eq(self.step(m, kept, x, y))
        return m


class ProcessingElement(Element):
    """One multiply-accumulate a cycle: ``sum <- (0 if first else sum) + a * w``.

    Parameters
    ----------
    a, w : UnitFormat
        Formats of the operands.
    acc_width : int
        Bits of the sum.
    """

    def __init__(self, *, a, w, acc_width, exit=True):
        self.formats = a, w
        super().__init__(a_width=a.width, w_width=w.width, sum_width=acc_width, exit=exit)

    def step(self, m, kept, x, y):
        addend, carry = product(m, *self.formats, x, y)
        return add_narrow(m, kept, addend, carry)
