"""studies.arrays on arrays of a few elements: operands, what is measured, compared and printed."""

import numpy as np
import pytest

from rtl.targets import target
from studies.arrays import arrays, comparison, markdown, operands_of, units
from synth.library import find

A, W = np.array([[0.0, 0.5, 2.0], [1.0, 0.25, 0.0]]), np.array([[0.5, -0.02], [0.01, 0.9], [-0.4, -0.3]])


def test_the_same_reals_in_each_kind_of_number():
    ternary = operands_of(target("ternary_gemm").engine(), A, W)
    assert ternary["a"].tolist() == [[0, 64, 255], [128, 32, 0]]
    assert ternary["w"].tolist() == [[1, 0], [0, 1], [-1, -1]]  # beyond 0.7 * 0.355
    assert operands_of(target("int8_gemm").engine(), A, W)["w"].tolist() == [[71, -3], [1, 127], [-56, -42]]
    floats = operands_of(target("fp16_gemm").engine(), A, W)
    assert floats["a"].tolist() == A.astype(np.float16).view(np.uint16).tolist()
    assert floats["w"].tolist() == W.astype(np.float16).view(np.uint16).tolist()
    for name in ("ternary_gemm", "int8_gemm", "fp16_gemm", "fp32_gemm"):
        engine = target(name).engine()
        engine.check(operands_of(engine, A, W))


def test_arrays_are_measured_and_compared():
    rows = arrays(find(), A, W, names=("ternary_gemm", "int8_gemm"), size=2, small=1)
    wanted = [(name, netlist) for name in ("ternary_gemm", "int8_gemm") for netlist in ("area", "speed")]
    assert [(row["target"], row["netlist"]) for row in rows] == wanted
    for small, fast in (rows[:2], rows[2:]):  # each figure is of one netlist
        assert small["gate_equivalents"] < fast["gate_equivalents"] and small["period_ns"] > fast["period_ns"]
    for one, other in zip(rows[:2], rows[2:], strict=True):
        assert one["gate_equivalents"] < other["gate_equivalents"] and one["period_ns"] < other["period_ns"]
    assert all(row["energy_pj"] > 0 and 0 < row["sequential_share"] < 1 for row in rows)
    same, fast_same, other, fast = comparison(rows)
    assert same == fast_same == [1, 1, 1] and min(other + fast) > 1
    assert fast[1] == pytest.approx(fast[0] * rows[3]["period_ns"] / rows[1]["period_ns"])
    assert fast[0] == rows[3]["gate_equivalents"] / rows[1]["gate_equivalents"]
    [unit] = units(find(), [("compare", "ieee_e2m1")])
    assert unit["gate_equivalents"] > 10 and unit["delay_ns"] > 0
    page = markdown({"commit": "abc", "arrays": rows, "units": [unit]})
    assert f"| `int8_gemm` | small | {other[0]:.1f} |" in page and "| compare | `ieee_e2m1` |" in page
    assert f"| `int8_gemm` | fast | {fast[0]:.1f} | {fast[1]:.1f} | {fast[2]:.1f} |" in page
    assert f"| `ternary_gemm` | fast | {rows[1]['gate_equivalents']:,.0f} |" in page
