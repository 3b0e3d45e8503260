"""synth.measure: power under operands of one's own, what is kept, and a count of registers that is off."""

import numpy as np
import pytest

from rtl.targets import target
from rtl.verilog import emit
from synth import measure as measuring
from synth.flow import map_design
from synth.library import find
from synth.measure import View, measured_power, throughput, views


@pytest.fixture(scope="module")
def library():
    return find()


@pytest.fixture(scope="module")
def core():
    row = target("ternary_gemm")
    found = {view.name: view for view in views(row, row.engine(rows=2, cols=2))}
    assert list(found)[:3] == ["target", "core", "pe"]
    return found["core"]


def test_busy_operands_cost_more_power(library, core):
    mapped = map_design(core.verilog, core.module, library, ("area",))["area"]
    measured = []
    for most in (0, 255):
        rng = np.random.default_rng(0)
        operands = {"a": rng.integers(0, most, (4, 32), endpoint=True), "w": rng.integers(-1, 2, (32, 4))}
        measured.append(measured_power(core, mapped, library, 5.0, operands))
    quiet, busy = measured
    assert busy["total_mw"] > 1.1 * quiet["total_mw"] > 0
    assert busy["operations"] == quiet["operations"] == 4 * 32 * 4
    assert busy["energy_per_operation_pj"] * 512 == pytest.approx(busy["total_mw"] * 5.0 * busy["cycles"])


def test_a_wrong_statement_of_flip_flops_is_reported(library, core, monkeypatch):
    monkeypatch.setattr(measuring, "measured_power", lambda *_: {})
    monkeypatch.setattr(measuring.fpga, "resources", lambda *_: {})
    row = measuring.measured(core, library, None)
    assert row["problems"] == []
    monkeypatch.setattr(type(core.engine), "flip_flops", 1)
    [problem] = measuring.measured(core, library, None)["problems"]
    assert problem == f"{row['netlists']['area']['flip_flops']} flip-flops, the engine states 1"


def test_figures_are_kept_until_something_changes(library, core, monkeypatch, tmp_path):
    monkeypatch.setattr("synth.flow.BUILD", tmp_path)
    made = []
    monkeypatch.setattr(measuring, "measured", lambda *given: made.append(given) or {"number": len(made)})

    def number(operands=None):
        return measuring.measure(core, library, operands)["number"]

    assert [number(), number()] == [1, 1]
    operands = core.engine.stimulus(np.random.default_rng(0))
    typed = {key: value.astype(np.int16) for key, value in operands.items()}
    assert [number(operands=given) for given in (operands, typed, operands)] == [2, 3, 2]
    kind = type(core.engine)
    for attribute, value in (
        ("flip_flops", 1),
        ("golden", lambda *_: {"y": np.zeros((1, 1), np.int32)}),
        ("settings", lambda _: {"rows": 3}),
    ):
        before = len(made)
        with monkeypatch.context() as patch:
            patch.setattr(kind, attribute, value)
            assert [number(), number()] == [before + 1] * 2
    monkeypatch.setattr(measuring, "version", lambda *_: "another")
    assert number() == len(made) == 7


def test_the_whole_target_is_kept_without_operands(library, core, monkeypatch, tmp_path):
    monkeypatch.setattr("synth.flow.BUILD", tmp_path)
    whole = View(core.target, "target", core.engine, None, core.module, core.verilog)
    monkeypatch.setattr(measuring, "measured", lambda *_: {})
    monkeypatch.setattr(type(core.engine), "golden", None)  # not needed
    assert measuring.measure(whole, library) == {}


def test_units_of_throughput():
    row = target("ternary_layer")
    found = {view.name: throughput(view) for view in views(row, row.engine(rows=2, cols=3)) if view.name != "target"}
    assert found["core"] == {"unit": "MAC", "per_cycle": 6}
    assert found["pe"] == {"unit": "MAC", "per_cycle": 1}
    assert found["lane"] == {"unit": "result", "per_cycle": 1}


@pytest.mark.long
@pytest.mark.parametrize(("name", "open_unit"), [("e5m2", 855), ("fp16", 3051)])
def test_a_minifloat_mac_is_no_larger_than_an_open_one(library, name, open_unit):
    """Open fused multiply-adds of the same operands, with infinity and NaN and a rounded result, in the same flow.

    This one holds every sum of 4,096 products instead; both are combinational.
    """
    engine = target("mac_tree_minifloat").engine(**dict.fromkeys(("a", "w", "bias", "y"), name))
    unit = engine.parts()["mac"]
    mapped = map_design(emit(unit, "mac"), "mac", library, ("area",))["area"]
    assert measuring.area(mapped, library)["gate_equivalents"] <= open_unit
