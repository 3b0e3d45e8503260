"""Storage and speed of a PE: the queue of k-steps by hand, and what is printed."""

import numpy as np

from golden.dlac_grid import GridShape
from studies.dlac_storage import markdown, picture, queue_bits, queue_cycles, speeds

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
    row = {"pe": [36000.4, 13000.0], "lane": [3000.0, 2000.0], "fma": [8000.0, 700.0], "period_ns": 12.34}
    whole = {}
    for name, share in (("dlac_fp32", 1), ("dlac_fp16", 0.5)):
        small = {"pes": [2, 2], "beside": 6000.0 * share, "composed": 150000.0 * share, "flat": 153000.0 * share}
        large = {"pes": [16, 16], "beside": 50000.0, "composed": 9e6 * share + 5e5}
        whole[name] = {"pe": 36000.0 * share, "grids": [small, large]}
    study = {"seed": 1, "speeds": speeds(GridShape(rows=1, cols=1), k=50, tiles=1), "areas": {"FP32": row}, "grids": whole}
    page = markdown(study)
    assert "| FP32 | 36,000 | 13,000 | 3,000 | 8,000 | 12.34 |" in page
    assert "| `dlac_fp32` | 2 × 2 | 36,000 | 6,000 | 150,000 | 153,000 | +2.0% |" in page
    assert "| `dlac_fp16` | 16 × 16 | 18,000 | 50,000 | 5,000,000 |  |  |" in page
    assert "FP32 to FP16: 2 × 2 composed 2.00, 2 × 2 flat 2.00, 16 × 16 composed 1.90; published 2.02." in page
    picture(study, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes()[1:4] == b"PNG"
