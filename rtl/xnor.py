"""Products of signs: xnor and popcount, as elements of the systolic array and around it."""

from dataclasses import dataclass

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from rtl.arithmetic import add_narrow
from rtl.popcount import popcount
from rtl.streams import packets, singles
from rtl.systolic import SystolicArray

__all__ = ["CountSums", "XnorArray"]


@dataclass(frozen=True)
class Lanes:
    """So many signs side by side, as one operand."""

    width: int


@dataclass(frozen=True)
class CountSums:
    """``sum + popcount(a xnor w)``: how many of `lanes` products of -1 and +1 are +1; no latency.

    ``dot = 2 * sum - n`` where n is the number of products. An operand of all 0 beside one of all 1 counts nothing.

    Parameters
    ----------
    lanes : int
        Products a cycle, at least 1.
    width : int
        Bits of the sum, enough to count `lanes`.

    Source: Rastegari and others, XNOR-Net, section 3.2; Courbariaux and others, Binarized Neural Networks.
    """

    lanes: int
    width: int

    @property
    def a(self):
        return Lanes(self.lanes)

    @property
    def w(self):
        return Lanes(self.lanes)

    @property
    def idle(self):
        return 0, (1 << self.lanes) - 1

    def step(self, m, x, y, kept):
        equal = Signal(len(x), name="equal")
        m.d.comb += equal.eq(~(x ^ y))
        counted = popcount(m, equal[:-1], "count") if len(x) > 1 else Const(0, 0)
        return add_narrow(m, kept, Cat(counted, Const(0, 1)).as_signed(), equal[-1])


class XnorArray(wiring.Component):
    """``y[m, n] = sum over k of a[m, k] * w[k, n]`` of -1 and +1, tile by tile, `lanes` products a k-step.

    A `SystolicArray` of `CountSums`, behind which ``2 * count - n`` makes sums of the counts of its products that
    are +1. What fills a tile's last k-step is code 0 in `a` and code 1 in `w`: it is not counted, and n leaves it out.
    Cycles are those of the array, for as many k-steps: the subtraction adds none.

    Parameters
    ----------
    lanes : int
        Products a k-step and element.
    acc_width : int
        Bits of the sums, two's complement; n is at most ``2**(acc_width - 1) - 1``.
    rows, cols : int
        Size of the array, 1 to 64 each.

    Attributes
    ----------
    a : In(stream)
        `rows` times `lanes` codes a beat, those of row 0 in the low bits.
    w : In(stream)
        `cols` times `lanes` codes a beat.
    n : In(stream without last)
        Products in each sum of a tile: a beat a tile, taken with the tile's last row of sums.
    y : Out(stream)
        `cols` sums a beat, `rows` beats a tile.
    """

    def __init__(self, *, lanes, acc_width, rows, cols):
        self.acc_width, self.cols = acc_width, cols
        self.array = SystolicArray(sums=CountSums(lanes, acc_width - 1), rows=rows, cols=cols)
        self.blocks = self.array.blocks
        super().__init__(
            {
                "a": In(packets(data.ArrayLayout(lanes, rows))),
                "w": In(packets(data.ArrayLayout(lanes, cols))),
                "n": In(singles(acc_width - 1)),
                "y": Out(packets(data.ArrayLayout(acc_width, cols))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.array = array = self.array
        connect(m, flipped(self.a), array.a)
        connect(m, flipped(self.w), array.w)
        counts = array.y
        m.d.comb += [
            self.y.valid.eq(counts.valid & self.n.valid),
            self.y.payload.last.eq(counts.payload.last),
            self.n.ready.eq(self.y.ready & counts.valid & counts.payload.last),  # named before counts.ready is
            counts.ready.eq(self.y.ready & self.n.valid),
        ]
        n = Cat(self.n.payload.data, Const(0, 1))
        for j in range(self.cols):
            m.d.comb += self.y.payload.data[j].eq((Cat(Const(0, 1), counts.payload.data[j]) - n)[: self.acc_width])
        return m
