"""Requantisation in hardware: the streaming twin of `golden.requant`."""

from amaranth import Cat, ClockSignal, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import Binary, PowerOfTwo
from rtl.arithmetic import shift_rne, widen
from rtl.blocks import place
from rtl.rounding import saturated, to_power
from rtl.streams import packets, singles

__all__ = ["Lane", "RequantPipeline", "parameter_layout"]


def parameter_layout(spec):
    """What a lane needs for a channel: `m` in the low bits, then `b`, then `s`."""
    return data.StructLayout({"m": signed(spec.m_width), "b": signed(spec.b_width), "s": spec.s_width})


class Lane(wiring.Component):
    """One channel of `RequantPipeline`, three cycles deep: multiply, add, then shift, round and saturate.

    For binary results the sum is only compared with 0; for powers of two its logarithm is rounded.
    """

    def __init__(self, spec):
        self.spec = spec
        super().__init__(
            {"x": In(signed(spec.x.width)), "p": In(parameter_layout(spec)), "y": Out(spec.y.width)},
        )

    def elaborate(self, platform):
        m = Module()
        spec = self.spec
        product = Signal(signed(spec.x.width + spec.m_width), reset_less=True)
        addend = Signal(signed(spec.b_width), reset_less=True)
        y = Signal(spec.y.width, reset_less=True)
        m.d.comb += self.y.eq(y)
        if isinstance(spec.y, Binary):
            positive = Signal(reset_less=True)
            m.d.sync += [product.eq(self.x * self.p.m), addend.eq(self.p.b), y.eq(positive)]
            m.d.sync += positive.eq(widen(product, spec.sum_width) > widen(~addend, spec.sum_width))
            return m
        total = Signal(signed(spec.sum_width), reset_less=True)
        shifts = [Signal(spec.s_width, name=f"shift_{stage}", reset_less=True) for stage in range(2)]
        m.d.sync += [product.eq(self.x * self.p.m), addend.eq(self.p.b), shifts[0].eq(self.p.s)]
        m.d.sync += [total.eq(widen(product, spec.sum_width) + widen(addend, spec.sum_width)), shifts[1].eq(shifts[0])]
        if isinstance(spec.y, PowerOfTwo):
            m.d.sync += y.eq(to_power(m, total, shifts[1], spec.y))
            return m
        rounded = Signal(signed(spec.sum_width + 1))
        m.d.comb += rounded.eq(shift_rne(m, total, shifts[1]))
        m.d.sync += y.eq(saturated(rounded, spec.y))
        return m


class RequantPipeline(wiring.Component):
    """``y = sat(rne((x * m + b) * 2**-s))`` in each lane; a packet of `x` shares one beat of parameters.

    Three cycles of latency, a beat a cycle; ``x.last`` comes out as ``y.last`` and takes the beat of parameters with
    it. A beat of `y` that is not taken stops the whole pipeline.

    Parameters
    ----------
    spec : golden.requant.RequantSpec
    lanes : int
        Channels a beat.

    Attributes
    ----------
    x : In(stream)
        `lanes` accumulators a beat.
    p : In(stream without last)
        `lanes` triples of multiplier, addend and shift.
    y : Out(stream)
        `lanes` codes of ``spec.y``.
    """

    latency = 3

    def __init__(self, *, spec, lanes):
        self.spec, self.lanes = spec, lanes
        self.blocks = {"lane": Lane(spec)}
        super().__init__(
            {
                "x": In(packets(data.ArrayLayout(spec.x.width, lanes))),
                "p": In(singles(data.ArrayLayout(parameter_layout(spec), lanes))),
                "y": Out(packets(data.ArrayLayout(spec.y.width, lanes))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        run = Signal()
        enters = Signal()
        valid, last = Signal(self.latency, name="valid"), Signal(self.latency, name="last")
        m.d.comb += [
            run.eq(~valid[-1] | self.y.ready),
            enters.eq(self.x.valid & self.p.valid),
            self.x.ready.eq(run & self.p.valid),
            self.p.ready.eq(run & self.x.valid & self.x.payload.last),
            self.y.valid.eq(valid[-1]),
            self.y.payload.last.eq(last[-1]),
        ]
        with m.If(run):
            m.d.sync += [valid.eq(Cat(enters, valid)), last.eq(Cat(self.x.payload.last, last))]
        [(block, lane)] = self.blocks.items()
        for i in range(self.lanes):
            y = Signal(self.spec.y.width, name=f"y_{i}")
            m.d.comb += self.y.payload.data[i].eq(y)
            x, p = self.x.payload.data[i], self.p.payload.data[i]
            m.submodules[f"lane_{i}"] = place(block, lane, clk=ClockSignal(), run=run, x=x, p=p, y=y)
        return m
