"""A block: one module, as many instances as wanted, with a clock and an enable of its own."""

import re

from amaranth import ClockSignal, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from gateware import complaints, flip_flops

from rtl.blocks import block_rtlil, place
from rtl.verilog import emit


class Delay(wiring.Component):
    """A structure with a signed field, a cycle late."""

    layout = data.StructLayout({"x": signed(5), "y": 3})

    def __init__(self):
        super().__init__({"value": In(self.layout), "late": Out(8)})

    def elaborate(self, platform):
        m = Module()
        kept = Signal(8, reset_less=True)
        m.d.sync += kept.eq(self.value)
        m.d.comb += self.late.eq(kept)
        return m


class Line(wiring.Component):
    """Three of them in a row."""

    def __init__(self):
        self.blocks = {"delay": Delay()}
        super().__init__({"run": In(1), "value": In(8), "late": Out(8)})

    def elaborate(self, platform):
        m = Module()
        value = self.value
        [(name, block)] = self.blocks.items()
        for i in range(3):
            late = Signal(8, name=f"late_{i}")
            m.submodules[f"delay_{i}"] = place(name, block, clk=ClockSignal(), run=self.run, value=value, late=late)
            value = late
        m.d.comb += self.late.eq(value)
        return m


def test_a_block_has_its_ports_a_clock_and_an_enable_and_no_reset():
    text = block_rtlil("delay", Delay())
    ports = re.findall(r"wire width (\d+) (input|output) \d+ +\\(\S+)", text)
    assert sorted(ports) == [
        ("1", "input", "clk"),
        ("1", "input", "run"),
        ("8", "input", "value"),
        ("8", "output", "late"),
    ]


def test_blocks_are_written_once_and_placed_often(tmp_path):
    verilog = emit(Line(), "line")
    assert verilog.count("module line_delay(") == 1
    assert len(re.findall(r"^  line_delay delay_\d \(", verilog, re.M)) == 3
    assert "if (run) late <= value;" in verilog
    assert flip_flops(verilog, "line") == 24
    said = complaints(verilog, "line", tmp_path)
    assert "'rst'" in said and said.count("%Warning-") == 1  # Amaranth's reset, of which this line has no use
