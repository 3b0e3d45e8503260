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
    assert [row["target"] for row in rows] == ["ternary_gemm", "int8_gemm"]
    assert rows[0]["gate_equivalents"] < rows[1]["gate_equivalents"] and rows[0]["period_ns"] < rows[1]["period_ns"]
    assert all(row["energy_pj"] > 0 and 0 < row["sequential_share"] < 1 for row in rows)
    same, other = comparison(rows)
    assert same == [1, 1, 1, 1] and min(other) > 1
    assert other[1] == pytest.approx(other[0] * rows[1]["period_ns"] / rows[0]["period_ns"])
    [unit] = units(find(), [("compare", "ieee_e2m1")])
    assert unit["gate_equivalents"] > 10 and unit["delay_ns"] > 0
    page = markdown({"commit": "abc", "arrays": rows, "units": [unit]})
    assert f"| `int8_gemm` | {other[0]:.1f} |" in page and "| compare | `ieee_e2m1` |" in page
