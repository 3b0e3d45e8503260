"""studies.areas: what a row says, and which trees there are."""

import pytest

from golden.errors import InputError
from golden.formats import parse
from rtl.targets import target
from studies import areas as study
from studies.areas import LANES, LONGEST, TREES, areas, everywhere, minifloat


def measured(view, library):
    """Made-up figures that tell the views and engines of a row apart."""
    area = {"core": 1000.0, "mac": 50.0, "lane": 300.0, "adder": 2000.0}[view.name] + view.engine.a.width
    timing = {"gate_equivalents": area, "timing": {"period_ns": 4.0 if view.name == "core" else 9.0}}
    power = {"energy_per_operation_pj": 2.0 if view.name == "core" else 7.0}
    return {"netlists": {"area": timing}, "power": power, "problems": []}


def test_a_row_has_the_area_of_the_tree_and_of_a_lane(monkeypatch):
    monkeypatch.setattr(study, "LANES", 2)  # whose Verilog is there sooner
    monkeypatch.setattr(study, "find", lambda: "a library")
    seen = []
    monkeypatch.setattr(study, "measure", lambda view, library: seen.append((view, library)) or measured(view, library))
    trees = [("fixed", 4, "mac_tree_fixed", everywhere("int4e-2")), ("pow2", 8, "mac_tree_pow2", {})]
    trees.append(("fp32", 6, "mac_tree_minifloat", everywhere("mini_e4m1") | {"accumulate": "fp32"}))
    fixed, pow2, fp32 = areas(trees)
    assert fixed == {
        "family": "fixed",
        "bits": 4,
        "target": "mac_tree_fixed",
        "formats": "int4e-2",
        "gate_equivalents": 1004.0,
        "unit_gate_equivalents": 54.0,
        "period_ns": 4.0,
        "energy_pj": 2.0,
    }
    assert pow2["formats"] == "int8, pow2_4" and pow2["gate_equivalents"] == 1008.0
    assert fp32["gate_equivalents"] == 1006.0 and fp32["unit_gate_equivalents"] == 306.0 + 2006.0  # multiplier and adder
    assert {library for _, library in seen} == {"a library"}
    assert {(view.engine.lanes, view.engine.longest) for view, _ in seen} == {(2, LONGEST)}


def test_a_netlist_that_is_not_sound_is_refused(monkeypatch):
    monkeypatch.setattr(study, "LANES", 2)
    monkeypatch.setattr(study, "find", lambda: None)
    monkeypatch.setattr(study, "measure", lambda view, library: measured(view, library) | {"problems": ["a latch"]})
    with pytest.raises(InputError, match="^mac_tree_dfp of 2 bits: a latch$"):
        areas([("dfp", 2, "mac_tree_dfp", dict.fromkeys(("a", "w", "y"), "int2"))])


def test_minifloats_have_the_exponent_of_lenet_as_far_as_there_is_room():
    assert [minifloat(bits) for bits in (16, 8, 6, 5, 4)] == ["mini_e4m11", "mini_e4m3", "mini_e4m1", "mini_e4m0", "mini_e3m0"]


def test_trees_are_of_the_widths_and_families_that_they_say():
    families = {family for family, *_ in TREES}
    assert families == {"fixed", "dfp", "minifloat", "fp32", "pow2"}
    for family, bits, name, settings in TREES:
        engine = target(name).engine(lanes=LANES, longest=LONGEST, **settings)
        assert name == f"mac_tree_{'minifloat' if family == 'fp32' else family}"
        assert {engine.a.width, engine.y.width} == {bits}
        assert engine.w.width == (4 if family == "pow2" else bits)
        assert engine.order == ("fp32x16" if family == "fp32" else "exact")
    assert len({(family, bits) for family, bits, *_ in TREES}) == len(TREES)
    assert parse(everywhere("int4e-2")["bias"]).width == 4
