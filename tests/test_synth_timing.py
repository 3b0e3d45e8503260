"""synth.timing: periods of designs whose paths are known, and no OpenSTA."""

import pytest

from golden.errors import InputError
from synth.flow import map_design
from synth.library import find
from synth.timing import clock, sta


@pytest.fixture(scope="module")
def library():
    return find()


def chain(length):
    """Registers with a ripple of `length` full adders between them."""
    return f"""module top(input clk, input [{length - 1}:0] d, output reg [{length - 1}:0] q);
      reg [{length - 1}:0] p;
      wire [{length}:0] c = {{c[{length - 1}:0] & p, 1'b1}};
      always @(posedge clk) begin p <= d; q <= p ^ c[{length - 1}:0]; end
    endmodule"""


def test_longer_paths_take_longer(library):
    short, long = (clock(map_design(chain(n), "top", library, ("area",))["area"], library) for n in (4, 24))
    assert 0.3 < short.period_ns < long.period_ns < 10
    assert (long.start, long.end) == ("register", "register")
    assert long.cells[0] == long.cells[-1] == "DFFPOSX1"
    assert len(long.cells) > len(short.cells)
    assert long.row()["clock_mhz"] == pytest.approx(1000 / long.period_ns)


def test_a_path_without_registers(library):
    text = "module top(input [15:0] a, input [15:0] b, output [15:0] y); assign y = a + b; endmodule"
    timing = clock(map_design(text, "top", library, ("area",))["area"], library)
    assert (timing.start, timing.end) == ("input", "output")
    assert timing.period_ns > 0.5


def test_the_enable_of_a_clock_gate_is_a_path(library):
    text = """module top(input clk, input [31:0] d, output reg [7:0] q);
      reg [31:0] p;
      always @(posedge clk) begin p <= d; if (&p) q <= d[7:0]; end
    endmodule"""
    timing = clock(map_design(text, "top", library, ("area",))["area"], library)
    assert (timing.start, timing.end) == ("register", "clock gate")
    assert timing.cells[-1] == "LATCH"


def test_constant_outputs_have_no_path(library):
    ports = "input clk, input d, output reg q, output one"
    text = f"module top({ports}); assign one = 1; always @(posedge clk) q <= d; endmodule"
    plain = text.replace(", output one", "").replace("assign one = 1;", "")
    periods = [clock(map_design(t, "top", library, ("area",))["area"], library).period_ns for t in (text, plain)]
    assert periods[0] == periods[1]


def test_a_register_without_a_clock_is_not_passed_over(library):
    text = """module top(input clk, input d, output reg q);
      reg half;
      always @(posedge clk) half <= ~half ^ d;
      always @(posedge half) q <= d;
    endmodule"""
    with pytest.raises(RuntimeError, match="OpenSTA leaves paths of top out: .*unclocked"):
        clock(map_design(text, "top", library, ("area",))["area"], library)


def test_no_opensta_names_the_package(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="no OpenSTA: install Debian's opensta"):
        sta("puts hello")


def test_a_failing_script(library):
    with pytest.raises(RuntimeError, match="OpenSTA failed: .*nonsense"):
        sta("nonsense")
