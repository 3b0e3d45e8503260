"""Weights by table look-up, in front of the systolic array."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from rtl.pe import ProcessingElement
from rtl.streams import packets, singles
from rtl.systolic import SystolicArray

__all__ = ["CodebookArray"]


def looked_up(m, table, index, name):
    """The entry of `table`, a list of values, at `index`: a tree of multiplexers, the lowest bit first."""
    for level, bit in enumerate(index):
        names = (f"{name}_level_{level}_{i}" for i in range(len(table) // 2))
        chosen = [Signal(len(table[0]), name=name) for name in names]
        m.d.comb += [y.eq(Mux(bit, *pair)) for y, *pair in zip(chosen, table[1::2], table[::2], strict=True)]
        table = chosen
    [entry] = table
    return entry


class CodebookArray(wiring.Component):
    """``y[m, n] = sum over k of a[m, k] * t[w[k, n]]``, tile by tile: a look-up a column, then a `SystolicArray`.

    A tile has a table of its own, which enters with its first k-step; a register holds it and the k-step, whose weights
    are looked up on their way into the array. Cycles are those of the array and one more.

    Parameters
    ----------
    a : UnitFormat
        Format of the activations.
    entry : Integer
        Of the table's entries.
    bits : int
        Bits of an index.
    acc_width : int
        Bits of the sums.
    rows, cols : int
        Size of the array, 1 to 64 each.

    Attributes
    ----------
    a : In(stream)
        `rows` codes a beat.
    w : In(stream)
        `cols` indices a beat.
    t : In(stream without last)
        All ``2**bits`` entries in one beat, entry 0 in the low bits; a beat a tile.
    y : Out(stream)
        `cols` sums a beat, two's complement.

    Source: Han and others, EIE: Efficient Inference Engine, section 4, which looks up in every processing element; here
    a column shares one look-up.
    """

    def __init__(self, *, a, entry, bits, acc_width, rows, cols):
        element = ProcessingElement(a=a, w=entry, acc_width=acc_width)
        self.array = SystolicArray(element=element, rows=rows, cols=cols)
        self.blocks = self.array.blocks
        self.bits, self.cols = bits, cols
        super().__init__(
            {
                "a": In(packets(data.ArrayLayout(a.width, rows))),
                "w": In(packets(data.ArrayLayout(bits, cols))),
                "t": In(singles(data.ArrayLayout(entry.width, 1 << bits))),
                "y": Out(packets(data.ArrayLayout(acc_width, cols))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.array = array = self.array
        begun = Signal()  # a tile has begun and not ended
        held = Signal()  # a k-step is in the registers
        last = Signal(reset_less=True)
        a = Signal.like(self.a.payload.data.as_value(), name="a_held", reset_less=True)
        w = Signal.like(self.w.payload.data.as_value(), name="w_held", reset_less=True)
        entries = Signal.like(self.t.payload.data.as_value(), name="entries", reset_less=True)

        moves = Signal()
        ends = Signal()
        m.d.comb += [
            ends.eq(self.a.payload.last | self.w.payload.last),
            self.a.ready.eq(moves & self.w.valid & (begun | self.t.valid)),
            self.w.ready.eq(moves & self.a.valid & (begun | self.t.valid)),
            self.t.ready.eq(moves & self.a.valid & self.w.valid & ~begun),
            moves.eq(~held | (array.a.ready & array.w.ready)),  # behind the ports, which so keep their names
        ]
        with m.If(moves):
            m.d.sync += held.eq(0)
        with m.If(self.a.valid & self.a.ready):
            m.d.sync += [held.eq(1), begun.eq(~ends), last.eq(ends)]
            m.d.sync += [a.eq(self.a.payload.data.as_value()), w.eq(self.w.payload.data.as_value())]
            with m.If(~begun):
                m.d.sync += entries.eq(self.t.payload.data.as_value())

        width = len(entries) >> self.bits
        table = [entries[i : i + width] for i in range(0, len(entries), width)]
        indices = [w[i : i + self.bits] for i in range(0, len(w), self.bits)]
        m.d.comb += [
            array.a.valid.eq(held),
            array.w.valid.eq(held),
            array.a.payload.last.eq(last),
            array.w.payload.last.eq(last),
            array.a.payload.data.as_value().eq(a),
            array.w.payload.data.as_value().eq(Cat(looked_up(m, table, x, f"w_{j}") for j, x in enumerate(indices))),
        ]
        connect(m, array.y, flipped(self.y))
        return m
