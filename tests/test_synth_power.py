"""synth.power: what one net costs, and that more activity costs more."""

import pytest

from synth.flow import map_design
from synth.library import find
from synth.power import power
from synth.vcd import Activity

TWO = """module top(input clk, input a, output reg y);
  reg p;
  always @(posedge clk) begin p <= a; y <= p ^ a; end
endmodule"""
BARE = "module top(input a, input b, input c, output y);\n  assign y = a ^ b ^ c;\nendmodule"
CHAIN = """module top(input clk, input d, output reg q);
  reg p;
  always @(posedge clk) begin p <= d; q <= p; end
endmodule"""


@pytest.fixture(scope="module")
def library():
    return find()


@pytest.fixture(scope="module")
def mapped(library):
    return map_design(TWO, "top", library, ("area",))["area"]


def uniform(mapped, transitions):
    """Every net but the clock switches `transitions` times a cycle."""
    nets = {name: (transitions, 0.5) for name in mapped.netlist["netnames"] if name != "clk"}
    return Activity(100, nets | {"clk": (2.0, 0.5)})


def test_power_rises_with_activity(library, mapped):
    used = [power(mapped, library, uniform(mapped, transitions), 10.0) for transitions in (0.0, 0.25, 0.5, 1.0)]
    totals = [each.total_mw for each in used]
    assert totals == sorted(totals) and totals[0] < totals[1] < totals[3]
    assert used[0].switching_mw == pytest.approx(0, abs=1e-9)
    assert used[3].switching_mw == pytest.approx(2 * used[2].switching_mw, rel=1e-3)
    assert used[0].total_mw > 0.04  # two registers whose clock runs
    assert used[0].sequential_share > 0.99


def test_gates_without_registers_have_a_clock_around_them(library):
    mapped = map_design(BARE, "top", library, ("area",))["area"]
    nets = {name: (0.5, 0.5) for name in mapped.netlist["netnames"]}
    used = [power(mapped, library, Activity(100, nets), period) for period in (5.0, 10.0)]
    assert used[1].switching_mw > 0 and used[0].total_mw == pytest.approx(2 * used[1].total_mw, rel=0.02)
    assert used[0].sequential_share == pytest.approx(0, abs=1e-6)


def test_power_falls_with_the_period(library, mapped):
    fast, slow = (power(mapped, library, uniform(mapped, 0.5), period) for period in (5.0, 10.0))
    assert fast.total_mw == pytest.approx(2 * slow.total_mw, rel=0.02)
    assert fast.energy_per_cycle_pj == pytest.approx(slow.energy_per_cycle_pj, rel=0.02)


def test_an_unknown_net_is_not_free(library, mapped):
    nets = uniform(mapped, 0.5).nets
    for name in ("a", "y"):
        with pytest.raises(RuntimeError, match="does not say how often the net at top .* switches"):
            power(mapped, library, Activity(100, {net: pair for net, pair in nets.items() if net != name}), 10.0)


def test_switching_is_half_c_v_squared(library):
    mapped = map_design(CHAIN, "top", library, ("area",))["area"]
    measured = power(mapped, library, uniform(mapped, 1.0), 10.0)
    load = library.register.loads["D"]
    watts = 0.5 * 2 * load * 1e-12 * 1.8**2 / 10e-9  # p drives a register, q the register assumed behind every output
    assert measured.switching_mw == pytest.approx(watts * 1000, rel=0.02)
