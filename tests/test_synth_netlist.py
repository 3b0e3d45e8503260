"""synth.netlist: what folded or dead logic looks like."""

import pytest

from synth.flow import map_design
from synth.library import find
from synth.netlist import problems, registers


@pytest.fixture(scope="module")
def library():
    return find()


def found(text, library, **stated):
    return problems(map_design(text, "top", library, ("area",))["area"], library, **stated)


def test_a_sound_design(library):
    text = "module top(input clk, input [1:0] a, output reg y); always @(posedge clk) y <= ^a; endmodule"
    assert found(text, library) == []
    assert registers(map_design(text, "top", library, ("area",))["area"], library) == (1, 0)


def test_a_constant_output(library):
    text = "module top(input [1:0] a, output [1:0] y); assign y = {a[0] & ~a[0], ^a}; endmodule"
    assert found(text, library) == ["outputs that depend on no input: y[1]"]


def test_an_unread_input(library):
    text = "module top(input clk, input [3:0] a, output reg y); always @(posedge clk) y <= a[0]; endmodule"
    assert found(text, library) == ["inputs that reach no output: a[1], a[2], a[3]"]


def test_a_stream_that_ignores_an_operand(library):
    text = """module top(input [1:0] a__payload, input [1:0] w__payload, output [1:0] y__payload, output y__valid);
      assign y__payload = ~a__payload;
      assign y__valid = ^w__payload;
    endmodule"""
    assert found(text, library) == ["y__payload does not depend on w__payload"]
    assert found(text, library, apart={("y__payload", "w__payload")}) == []
