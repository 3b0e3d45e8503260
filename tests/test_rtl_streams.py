"""The AXI4-Stream wrapper around a core small enough to see through."""

import pytest
from amaranth import Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator
from gateware import elaborated

from rtl.streams import AxiStream, has_last, packets, singles, stream_width, streams


class Reverser(wiring.Component):
    """Three 3-bit elements in, the same in reverse order out plus `p`; a beat late, ``last`` with it."""

    blocks = {}

    def __init__(self):
        layout = data.ArrayLayout(3, 3)
        super().__init__({"x": In(packets(layout)), "p": In(singles(5)), "y": Out(packets(layout))})

    def elaborate(self, platform):
        m = Module()
        run, count = Signal(), Signal(3)
        m.d.comb += [run.eq(~self.y.valid | self.y.ready), self.x.ready.eq(run), self.p.ready.eq(run)]
        with m.If(run):
            reverse = Cat(self.x.payload.data[i] for i in (2, 1, 0)) ^ self.p.payload.data
            m.d.sync += [self.y.valid.eq(self.x.valid & self.p.valid), self.y.payload.data.eq(reverse)]
            m.d.sync += [self.y.payload.last.eq(self.x.payload.last), count.eq(count + 1)]
        return m


def test_streams_say_what_they_carry():
    core = elaborated(Reverser())
    assert streams(core) == [("x", In), ("p", In), ("y", Out)]
    assert [stream_width(core, role) for role, _ in streams(core)] == [9, 5, 9]
    assert [has_last(core, role) for role, _ in streams(core)] == [True, False, True]


def test_ports_are_axi_with_whole_bytes():
    top = elaborated(AxiStream(Reverser()))
    ports = {port: (member.flow, member.shape) for port, member in top.signature.members.items()}
    assert ports == {
        "aclk": (In, 1),
        "aresetn": (In, 1),
        "s_axis_x_tvalid": (In, 1),
        "s_axis_x_tready": (Out, 1),
        "s_axis_x_tdata": (In, 16),
        "s_axis_x_tlast": (In, 1),
        "s_axis_p_tvalid": (In, 1),
        "s_axis_p_tready": (Out, 1),
        "s_axis_p_tdata": (In, 8),
        "m_axis_y_tvalid": (Out, 1),
        "m_axis_y_tready": (In, 1),
        "m_axis_y_tdata": (Out, 16),
        "m_axis_y_tlast": (Out, 1),
    }


@pytest.mark.parametrize("padding", [0, 0x7F])
def test_data_passes_unchanged_and_padding_means_nothing(padding):
    """A clock by hand on ``aclk``: one beat through, held until it is taken, gone after a reset."""
    top = AxiStream(Reverser())

    async def bench(ctx):
        async def cycle():
            for level in (1, 0):
                ctx.set(top.aclk, level)
                await ctx.delay(1e-7)

        def outputs():
            return tuple(ctx.get(port) for port in (top.m_axis_y_tvalid, top.m_axis_y_tdata, top.m_axis_y_tlast))

        ctx.set(top.aresetn, 0)
        await cycle()
        assert outputs()[0] == 0
        ctx.set(top.aresetn, 1)
        ctx.set(top.s_axis_x_tdata, 0b011_010_001 | padding << 9)
        ctx.set(top.s_axis_p_tdata, 0b10000 | (padding << 5) % 256)
        for port in (top.s_axis_x_tvalid, top.s_axis_p_tvalid, top.s_axis_x_tlast):
            ctx.set(port, 1)
        assert ctx.get(top.s_axis_x_tready) == 1
        await cycle()
        assert outputs() == (1, 0b001_010_011 ^ 0b10000, 1)
        assert ctx.get(top.s_axis_x_tready) == ctx.get(top.s_axis_p_tready) == 0
        await cycle()
        assert outputs() == (1, 0b001_010_011 ^ 0b10000, 1)
        ctx.set(top.m_axis_y_tready, 1)
        assert ctx.get(top.s_axis_x_tready) == 1
        ctx.set(top.aresetn, 0)
        await cycle()
        assert outputs() == (0, 0, 0)

    simulator = Simulator(top)
    simulator.add_testbench(bench)
    simulator.run()
