"""A whole layer in one target: the systolic array and the requantisation of its sums."""

from amaranth import Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from rtl.requant import RequantPipeline, parameter_layout
from rtl.streams import packets, singles
from rtl.sums import ExactSums
from rtl.systolic import SystolicArray

__all__ = ["SystolicLayer"]


class SystolicLayer(wiring.Component):
    """A `SystolicArray` whose rows of sums pass through a `RequantPipeline` with as many lanes as it has columns.

    A tile takes one beat of parameters. Latency and throughput are those of the two in series.

    Attributes
    ----------
    a, w : In(stream)
        As of the array.
    p : In(stream without last)
        As of the requantiser, one beat a tile.
    y : Out(stream)
        `cols` codes of ``spec.y`` a beat, `rows` beats a tile.
    """

    def __init__(self, *, a, w, rows, cols, spec):
        self.array = SystolicArray(sums=ExactSums(a, w, spec.x.width), rows=rows, cols=cols)
        self.requantiser = RequantPipeline(spec=spec, lanes=cols)
        self.blocks = self.array.blocks | self.requantiser.blocks
        super().__init__(
            {
                "a": In(packets(data.ArrayLayout(a.width, rows))),
                "w": In(packets(data.ArrayLayout(w.width, cols))),
                "p": In(singles(data.ArrayLayout(parameter_layout(spec), cols))),
                "y": Out(packets(data.ArrayLayout(spec.y.width, cols))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.array = array = self.array
        m.submodules.requantiser = requantiser = self.requantiser
        connect(m, flipped(self.a), array.a)
        connect(m, flipped(self.w), array.w)
        connect(m, flipped(self.p), requantiser.p)
        connect(m, requantiser.y, flipped(self.y))  # before the array's: in Verilog, the first to come keeps its name
        connect(m, array.y, requantiser.x)
        return m
