"""studies.dlac_areas: figures of small elements, and grids composed of them beside whole ones."""

import pytest

from rtl.generate import generate
from rtl.targets import target
from studies.dlac_areas import areas, gates, grids, mapped
from synth.library import find

SMALL = {"pixels": 1, "filters": 2, "units": 1, "depth": 1, "a": "ieee_e2m1"}


def test_elements_have_areas_and_a_clock():
    found = areas({"slow": ("dlac_fp32", SMALL | {"adder_latency": 1}), "fast": ("dlac_fp32", SMALL)})
    for row in found.values():
        assert row["pe"][0] > row["pe"][1] > 0 and row["pe"][0] > row["lane"][0] + row["fma"][0]
    assert found["slow"]["period_ns"] > found["fast"]["period_ns"] > 1  # a register in the middle of a unit


@pytest.mark.long
def test_a_composed_grid_is_about_the_whole_one():
    [found] = grids(SMALL, ["dlac_fp32"], [(1, 2), (2, 2)]).values()
    small, large = found["grids"]
    assert small["composed"] == 2 * found["pe"] + small["beside"]
    assert large["composed"] == 4 * found["pe"] + large["beside"]
    assert 0 < small["beside"] < large["beside"] < 2 * small["beside"]  # words and control are shared by rows
    assert 0.9 < small["flat"] / small["composed"] < 1.05 and "flat" not in large
    row, library = target("dlac_fp32"), find()
    engine = row.engine(**SMALL, rows=2, cols=2)
    by_module = gates(mapped(generate(row, engine)[0], row.name, library).cells, library)
    assert large["composed"] == pytest.approx(by_module, rel=0.02)
