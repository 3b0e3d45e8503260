"""studies.tile_areas on tiles of a few bits: what is measured, composed and printed."""

import numpy as np

from studies.tile_areas import areas, composed, markdown

FORMATS = {"lanes": 2, "a": "int4", "w": "int3", "acc_width": 12}
SMALL = {
    "bit-parallel": ("parallel_tile", FORMATS | {"filters": 1}),
    "Stripes": ("stripes", FORMATS | {"filters": 2, "windows": 2}),
}
OPERANDS = np.array([[1, -1, 3], [2, 0, -3]]), np.array([[1], [-4], [3]])


def test_a_large_tile_is_composed_of_small_ones_and_checked():
    found = composed("stripes", FORMATS)
    assert set(found["flat"]) == {"2 x 2", "4 x 2", "2 x 4", "4 x 4", "3 x 3"}
    assert 0.97 < found["check"]["composed"] / found["check"]["flat"] < 1.03  # logic of counters is not linear
    assert found["16 x 16"] > 256 * found["unit"] > 10 * found["flat"]["4 x 4"]


def test_speed_stands_beside_area_and_energy():
    rows = areas(OPERANDS, 3, SMALL)
    parallel, stripes = rows
    assert parallel["macs"] == stripes["macs"] == 6
    assert parallel["cycles"] == 2 * 2 + 4 and stripes["cycles"] == 2 * 3 + 4  # two windows of two passes; one tile of two
    assert parallel["full_width_products"] == 2 and stripes["full_width_products"] == 2
    assert 0 < stripes["sip_gate_equivalents"] < stripes["gate_equivalents"] and stripes["energy_pj"] > 0
    large = {"target": "stripes", "unit": 10.0, "16 x 16": 4000.0, "check": {"composed": 99.0, "flat": 100.0}}
    page = markdown(rows, large)
    first, second = (line.split(" | ") for line in page.splitlines()[2:4])
    assert first[7:9] == ["1.00", "1.00"] and first[-1] == "1.00 |"
    speed = parallel["cycles"] * parallel["period_ns"] / (stripes["cycles"] * stripes["period_ns"])
    assert second[7] == f"{speed:.2f}"
    assert "4,000 GE, 10 of them for each unit" in page and "(-1.0%)" in page
