"""Storage and speed of a PE: the queue of k-steps by hand, and what is printed."""

import numpy as np

from golden.dlac_grid import GridShape
from studies.dlac_storage import grids, markdown, picture, queue_bits, queue_cycles, speeds

SHAPE = GridShape(rows=1, cols=2, pixels=2, filters=2, units=2)


def test_a_queue_of_k_steps_by_hand():
    ones = np.ones((3, 2), bool), np.ones((3, 4), bool)
    assert queue_cycles(SHAPE, 4, *ones) == 1 + 3 * 2  # four products a step, two a cycle
    some = np.array([[1, 1], [0, 0], [1, 0]], bool)
    assert queue_cycles(SHAPE, 4, some, ones[1]) == 1 + 2 + 1  # the empty step leaves for nothing
    assert queue_cycles(SHAPE, 1, *ones) == 3 * 3  # taken, two cycles of products, taken
    assert queue_bits(GridShape(), 32) == (2304, 512)


def test_lanes_are_faster_at_equal_storage():
    study = speeds(GridShape(rows=4, cols=4), k=400, tiles=2)
    deepest = study["lanes"][-1]
    assert sum(deepest["bits"]) <= sum(study["queue"]["bits"])
    assert study["queue"]["speed"] < deepest["speed"] < study["bound"]
    found = [row["speed"] for row in study["latencies"]]
    assert found == sorted(found, reverse=True) and found[2] == deepest["speed"]


def test_the_page(tmp_path):
    row = {"pe": [36000.4, 13000.0], "lane": [3000.0, 2000.0], "fma": [8000.0, 700.0]}
    whole = {"dlac_fp32": {"pe": 36000.0, "composed": 150000.0, "flat": 153000.0, "pes": 4}}
    whole["dlac_fp16"] = {key: value / 2 for key, value in whole["dlac_fp32"].items()}
    study = {"seed": 1, "speeds": speeds(GridShape(rows=1, cols=1), k=50, tiles=1), "areas": {"FP32": row}, "grids": whole}
    page = markdown(study)
    assert "| FP32 | 36,000 | 13,000 | 3,000 | 8,000 |" in page
    assert "| `dlac_fp32` | 36,000 | 150,000 | 153,000 | +2.0% |" in page
    assert "FP32 to FP16: by module 2.00, flat 2.00; published 2.02." in page
    picture(study, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes()[1:4] == b"PNG"


def test_a_grid_by_module_is_about_the_flat_one():
    found = grids({"rows": 1, "cols": 2, "pixels": 2, "filters": 2, "depth": 2, "a": "ieee_e3m2"}, ["dlac_fp32"])["dlac_fp32"]
    assert 2 * found["pe"] < found["composed"] and 0.9 < found["flat"] / found["composed"] < 1.05
