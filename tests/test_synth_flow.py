"""synth.flow: designs whose cells are known beforehand."""

import pytest

from synth.flow import map_design, yosys
from synth.library import find

GATE = "module top(input a, input b, output y); assign y = ~(a & b); endmodule"
ENABLED = """
module top(input clk, input run, input [7:0] d, output reg [7:0] q, output reg [1:0] r);
  always @(posedge clk) if (run) q <= d;
  always @(posedge clk) if (d[0]) r <= d[2:1];
endmodule
"""
TWICE = """
module top(input clk, input run, input [7:0] d, output [7:0] q);
  wire [7:0] middle;
  part one (.clk(clk), .run(run), .d(d), .q(middle));
  part two (.clk(clk), .run(run), .d(middle), .q(q));
endmodule
module part(input clk, input run, input [7:0] d, output reg [7:0] q);
  always @(posedge clk) if (run) q <= d;
endmodule
"""


@pytest.fixture(scope="module")
def library():
    return find()


def test_one_gate(library):
    mapped = map_design(GATE, "top", library)
    assert mapped["area"].cells == mapped["ungated"].cells == {"NAND2X1": 1}
    assert "NAND2X1" in mapped["area"].verilog.read_text()
    assert mapped["area"].netlist["ports"]["y"]["direction"] == "output"


def test_enables_become_clock_gates_where_they_pay(library):
    mapped = map_design(ENABLED, "top", library)
    gated = mapped["area"].cells
    assert gated["DFFPOSX1"] == mapped["ungated"].cells["DFFPOSX1"] == 10
    assert gated["LATCH"] == gated["AND2X2"] == 1  # eight registers share a gate, two keep multiplexers
    assert "LATCH" not in mapped["ungated"].cells
    assert library.area(gated) < library.area(mapped["ungated"].cells)


def test_a_repeated_module_is_mapped_once_and_shares_its_gate(library):
    assert map_design(TWICE, "top", library)["area"].cells == {"AND2X2": 1, "DFFPOSX1": 16, "INVX2": 1, "LATCH": 1}


def test_results_are_kept(library, synth_build):
    first = map_design(GATE, "top", library)["area"].verilog
    assert first.is_relative_to(synth_build)  # not in the checkout, where an old one may be
    stamp = first.stat().st_mtime_ns
    assert map_design(GATE, "top", library)["area"].verilog.stat().st_mtime_ns == stamp


def test_yosys_says_what_failed():
    with pytest.raises(RuntimeError, match="Yosys failed: No such command: nonsense"):
        yosys("nonsense")
