"""synth.simulate: a part's ports, and a core's netlist against golden."""

import numpy as np
import pytest

from golden.errors import InputError
from rtl.targets import target
from rtl.verilog import emit
from synth.flow import map_design
from synth.library import find
from synth.simulate import simulate_ports, simulate_streams


@pytest.fixture(scope="module")
def library():
    return find()


def test_ports_of_a_part(library):
    text = "module top(input clk, input [1:0] a, output reg y); always @(posedge clk) y <= ^a; endmodule"
    mapped = map_design(text, "top", library, ("area",))["area"]
    nets = simulate_ports(mapped, library, {"a": np.tile([0, 1], 50)}).nets
    assert nets["a[0]"][0] == pytest.approx(1, abs=0.05)
    assert nets["y"][0] == pytest.approx(1, abs=0.05)
    assert nets["a[1]"][0] == 0


@pytest.mark.parametrize(("name", "settings"), [("ternary_gemm", {"rows": 2, "cols": 3}), ("requant", {"lanes": 2})])
def test_the_netlist_computes_what_golden_defines(library, name, settings):
    engine = target(name).engine(**settings)
    component = engine.component()
    mapped = map_design(emit(component, "core"), "core", library, ("speed",))["speed"]
    operands = engine.stimulus(np.random.default_rng(3))
    results, activity = simulate_streams(mapped, library, component, engine, operands)
    for key, expected in engine.golden(operands).items():
        assert np.array_equal(results[key], expected)
    assert 0 <= activity.cycles - engine.cycles(operands) <= 2


def test_no_icarus_names_the_package(library, monkeypatch, tmp_path):
    mapped = map_design("module top(input a, output y); assign y = ~a; endmodule", "top", library, ("area",))["area"]
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="no Icarus Verilog: install Debian's iverilog"):
        simulate_ports(mapped, library, {"a": np.zeros(4, int)})
