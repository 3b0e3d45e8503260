"""The lane of a pixel in DLAC's processing element: activations that wait for their products."""

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.column import successor
from rtl.fetch import picked
from rtl.precision import decoded, index_bits

__all__ = ["Lane", "lane_flip_flops"]


class Lane(wiring.Component):
    """A queue whose first entry offers its products until all are issued; what is taken is there from the next cycle on.

    Parameters
    ----------
    depth : int
        Entries, at least 1.
    width : int
        Bits of an entry, with those of `mask` at the bottom.
    filters : int
        Products of an entry.
    masked : bool
        Whether an entry says which products it has; if not, it has all. One with a mask has at least one.

    Attributes
    ----------
    clear : In(1)
        The lane becomes empty. There is no other reset.
    push, entry : In
        An entry is taken. There must be room.
    issued : In(filters)
        Which of the products offered are issued.
    offered : Out(filters)
        Products of the first entry that have not been issued.
    first : Out
        The first entry, if there is one, without its mask.
    count : Out
        Entries in the lane.
    """

    def __init__(self, *, depth, width, filters, masked):
        self.depth, self.width, self.filters, self.masked = depth, width, filters, masked
        super().__init__(
            {
                "clear": In(1),
                "push": In(1),
                "entry": In(width),
                "issued": In(filters),
                "offered": Out(filters),
                "first": Out(width - filters if masked else width),
                "count": Out(depth.bit_length()),
            }
        )

    def elaborate(self, platform):
        m = Module()
        entries = [Signal(self.width, name=f"entry_{i}", reset_less=True) for i in range(self.depth)]
        count = Signal.like(self.count, reset_less=True)
        issued = Signal(self.filters, name="done", reset_less=True)
        there, leaves = Signal(name="there"), Signal(name="leaves")
        at = into = [Const(1, 1)]
        if self.depth > 1:
            head, tail = (Signal(index_bits(self.depth), name=name, reset_less=True) for name in ("head", "tail"))
            at, into = (decoded(m, *index) for index in ((head, self.depth, "at"), (tail, self.depth, "into")))
            with m.If(leaves):
                m.d.sync += head.eq(successor(head, self.depth))
            with m.If(self.push):
                m.d.sync += tail.eq(successor(tail, self.depth))
            with m.If(self.clear):
                m.d.sync += [head.eq(0), tail.eq(0)]
        mask = Signal(self.filters, name="mask") if self.masked else None
        left = ~issued & there.replicate(self.filters)
        m.d.comb += [
            there.eq(count.any()),
            (Cat(mask, self.first) if self.masked else self.first).eq(picked(at, entries)),
            self.offered.eq(left & mask if self.masked else left),
            leaves.eq(there & ~(self.offered & ~self.issued).any()),
            self.count.eq(count),
        ]
        for chosen, entry in zip(into, entries):
            with m.If(self.push & chosen):
                m.d.sync += entry.eq(self.entry)
        m.d.sync += issued.eq((issued | self.issued) & (~(leaves | self.clear)).replicate(self.filters))
        with m.If(self.clear):
            m.d.sync += count.eq(0)
        with m.Elif(self.push & ~leaves):
            m.d.sync += count.eq((count + 1)[: len(count)])
        with m.Elif(leaves & ~self.push):
            m.d.sync += count.eq((count - 1)[: len(count)])
        return m


def lane_flip_flops(depth, width, filters):
    """One-bit registers of a lane."""
    return depth * width + 2 * index_bits(depth) + depth.bit_length() + filters
