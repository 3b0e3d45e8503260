"""Combinational units on millions of inputs: in Verilog, fed from files."""

import numpy as np
from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.beats import Beats, pack_fields, unpack_fields
from rtl.streams import AxiStream, packets
from rtl.verilog import emit
from tb.memory import Memory

__all__ = ["streamed"]

COPIES = 4  # of a small unit, so that a beat does more


class Stage(wiring.Component):
    """Copies of a unit before one register stage: a beat of their inputs in, a beat of their outputs out."""

    blocks = {}

    def __init__(self, unit, widths, width, copies):
        self.unit, self.widths, self.bits, self.copies = unit, widths, copies * width, copies
        super().__init__({"x": In(packets(copies * sum(widths))), "y": Out(packets(self.bits))})

    def elaborate(self, platform):
        m = Module()
        run = Signal()
        data = Signal(self.bits, reset_less=True)
        found, start = [], 0
        for _ in range(self.copies):
            inputs = []
            for width in self.widths:
                inputs.append(self.x.payload.data[start : start + width])
                start += width
            found.append(self.unit(m, *inputs))
        m.d.comb += [
            run.eq(~self.y.valid | self.y.ready),
            self.x.ready.eq(run),
            self.y.payload.data.eq(data),
        ]
        with m.If(run):
            m.d.sync += [data.eq(Cat(found)), self.y.valid.eq(self.x.valid), self.y.payload.last.eq(self.x.payload.last)]
        return m


def streamed(unit, widths, outputs, columns, copies=COPIES):
    """The codes that a combinational unit yields, in Verilator: an array for each output.

    Parameters
    ----------
    unit : callable
        ``unit(m, *values)`` -> Value, its outputs one above the other.
    widths, outputs : sequence of int
        Bits of each input and of each output.
    columns : sequence of code arrays
        The values of each input.
    copies : int
        Of the unit: fewer of a large one, whose simulator takes longer to be built than to run.
    """
    width = sum(outputs)
    streams = [
        {"role": role, "direction": direction, "width": bits, "bytes": -(-bits // 8), "last": True}
        for role, direction, bits in (("x", "input", copies * sum(widths)), ("y", "output", copies * width))
    ]
    memory = Memory(emit(AxiStream(Stage(unit, widths, width, copies)), "stage"), {"module": "stage", "streams": streams})
    count = len(columns[0])
    columns = [np.pad(codes, (0, -count % copies)).reshape(-1, copies) for codes in columns]
    last = np.zeros(len(columns[0]), bool)
    last[-1] = True
    data = pack_fields(*zip(columns, widths, strict=True))
    outcome = memory.run({"x": Beats(data, last)}, deadline=len(last) + 10_000)
    outcome.demand()
    return [codes.reshape(-1)[:count] for codes in unpack_fields(outcome.beats["y"].data, copies, *outputs)]
