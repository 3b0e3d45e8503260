"""Arrays at the ends of their parameters' ranges, simulated; the benches of `tb` cover the registry's own sizes."""

import subprocess

import numpy as np
import pytest

from golden.systolic import systolic_cycles
from rtl.generate import generate
from rtl.targets import TARGETS
from tb.memory import Stalls, run
from tb.simulators import required

ODD = [
    ("ternary_gemm", {"rows": 1, "cols": 1, "a": "uint1", "acc_width": 4}),
    ("binary_gemm", {"rows": 1, "cols": 3, "a": "int2", "acc_width": 5}),
    ("binary_gemm", {"rows": 2, "cols": 2, "a": "uint16", "acc_width": 19}),
    ("int8_gemm", {"rows": 3, "cols": 1, "a": "int16", "acc_width": 25}),
    ("int8_gemm", {"rows": 1, "cols": 2, "a": "uint1", "acc_width": 8}),
]


def extremes(engine, k):
    """Operands whose sums reach both limits of what K products can be."""
    limits = np.array([engine.a.lo, engine.a.hi])
    a = np.repeat(limits, engine.rows)[:, None].repeat(k, axis=1)
    return {"a": a, "w": np.array([engine.w.lo, engine.w.hi])[None].repeat(k, axis=0)}


@pytest.mark.parametrize(("name", "settings"), ODD, ids=lambda part: str(part).replace(" ", ""))
def test_an_array_at_the_ends_of_its_ranges(name, settings):
    engine = TARGETS[name].engine(**settings)
    rng = np.random.default_rng(len(str(settings)))
    longest = min(engine.spec(1).longest, 9)
    sizes = [{"m": 5, "n": 4, "k": 1}, {"m": 1, "n": 1, "k": longest}, {"m": 4, "n": 5, "k": longest}]
    for operands in [*(engine.stimulus(rng, **size) for size in sizes), extremes(engine, longest)]:
        for stalls in (Stalls(), Stalls(idle=100, stall=100, burst=3, seed=5)):
            results, _ = run(name, settings, operands, sim="icarus", stalls=stalls)  # compares with golden, cycles too
        assert np.array_equal(results["y"], operands["a"] @ operands["w"])


IDLE = """
module bench;
  reg clk = 0, rst_n = 0, valid = 0, last = 1'bx;
  reg [7:0] a = 8'bx, w = 8'bx;
  wire ready, arrived;
  wire [31:0] y;
  always #5 clk = ~clk;
  {name} dut(.aclk(clk), .aresetn(rst_n), .s_axis_a_tvalid(valid), .s_axis_a_tdata(a), .s_axis_a_tlast(last),
    .s_axis_w_tvalid(valid), .s_axis_w_tdata(w), .s_axis_w_tlast(last), .s_axis_a_tready(ready),
    .m_axis_y_tready(1'b1), .m_axis_y_tvalid(arrived), .m_axis_y_tdata(y));
  always @(posedge clk) if (rst_n && arrived) $display("%0d", $signed(y));
  task step(input [7:0] x, input [7:0] weight, input ends);
    begin
      valid = 1; a = x; w = weight; last = ends;
      @(posedge clk) while (!ready) @(posedge clk);
      #1 valid = 0; a = 8'bx; w = 8'bx; last = 1'bx;
      repeat (3) @(posedge clk);
      #1;
    end
  endtask
  initial begin
    repeat (2) @(posedge clk);
    #1 rst_n = 1;
    step(5, {plus}, 0); step(7, {minus}, 1); repeat (9) @(posedge clk);
    #1 step(9, {plus}, 1); step(200, {minus}, 0); step(1, {minus}, 1); repeat (9) @(posedge clk);
    $finish;
  end
endmodule
"""


@pytest.mark.parametrize(("name", "minus"), [("ternary_gemm", 3), ("binary_gemm", 0), ("int8_gemm", 255)])
def test_what_idle_ports_carry_reaches_no_sum(name, minus, tmp_path):
    """Unknown data while not valid, as many benches drive it, between k-steps and behind tiles."""
    row = TARGETS[name]
    (tmp_path / "dut.v").write_text(generate(row, row.engine(rows=1, cols=1))[0])
    (tmp_path / "bench.v").write_text(IDLE.format(name=name, plus=1, minus=minus))
    subprocess.run([required("iverilog", "iverilog"), "-o", "sim", "bench.v", "dut.v"], cwd=tmp_path, check=True)
    run = subprocess.run([required("vvp", "iverilog"), "sim"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stdout.split()[:3] == ["-2", "9", "-201"]


def test_a_hundred_deep_tiles_keep_the_array_busy():
    """The share of its cycles in which each element multiplies, back to back at K = 64."""
    engine = TARGETS["ternary_gemm"].engine()
    assert 100 * 64 / systolic_cycles(engine.shape, np.full(100, 64)) >= 0.98
