"""studies.tile_runs and its page, on a network that is trained in a second."""

import numpy as np
import pytest
from quadrants import graph, quadrants

from golden.errors import InputError
from quant.approximate import approximate
from quant.plan import Plan
from studies.tile_runs import KINDS, TILES, markdown, runs
from studies.tiles import markdown as page
from tb.cases import Failure
from tb.containers import Containers
from tb.network import profile_precisions

SMALL = {
    "parallel_tile": {"lanes": 4, "filters": 2},
    "stripes": {"lanes": 4, "filters": 2, "windows": 4},
    "loom": {"lanes": 4, "filters": 4, "windows": 2, "s": 2},
}


def network(**settings):
    result = approximate(graph(), quadrants(), Plan(margin=0.05, unsigned=True, **settings), progress=False)
    return result.network, result.figures


def test_a_network_runs_on_every_tile_by_way_of_containers():
    found = {"8 bits": network(widths={"all": 8}), "4 bits": network(widths={"all": 4})}
    x, profile = (images[:4].numpy() for images in (quadrants().test.images, quadrants().held_out.images))
    rows = runs(found, x[:1], profile, sim="icarus", tiles=SMALL)
    assert [(row["network"], row["tile"]) for row in rows] == [(kind, tile) for kind in found for tile in SMALL]
    cycles = {(row["network"], row["tile"]): row["cycles"] for row in rows}
    for tile in ("stripes", "loom"):  # fewer bits, less time
        assert cycles["4 bits", tile] < cycles["8 bits", tile]
    assert cycles["4 bits", "parallel_tile"] == cycles["8 bits", "parallel_tile"]
    assert all([layer["name"] for layer in row["layers"]] == ["conv", "hidden", "out"] for row in rows)
    values = 64 + 4 * 9 + 64 + 12 * 64 + 12 + 4 * 12  # inputs and weights of the three layers, in words of 8 bits
    assert {row["plain_bits"] for row in rows} == {8 * values}
    assert rows[-1]["container_bits"] < rows[0]["container_bits"] < 8 * values + 6 * 192 + values
    for row in rows:  # stripes is told what the profile needs; the first inputs are those of the network, 8 bits of grey
        assert row["precisions"] == profile_precisions(found[row["network"]][0], profile)
    assert rows[0]["precisions"]["hidden"] > rows[-1]["precisions"]["hidden"] <= 4
    table = markdown(rows)
    assert f"| 4 bits | {' | '.join(str(bits) for bits in rows[-1]['precisions'].values())} |" in table
    share = cycles["8 bits", "parallel_tile"] / cycles["8 bits", "loom"]
    assert f"| `loom` | {cycles['8 bits', 'loom']:,} | {share:.2f} x faster |" in table


def test_a_wrong_result_stops_it(monkeypatch):
    found = {"8 bits": network(widths={"all": 8})}
    monkeypatch.setattr(Containers, "__call__", lambda self, x, fmt, what: np.zeros_like(x))
    with pytest.raises(Failure, match="conv: [0-9]+ of [0-9]+ results differ"):
        x = quadrants().test.images[:1].numpy()
        runs(found, x, x, sim="icarus", tiles=SMALL)


def test_an_image_that_needs_more_bits_than_the_profile_is_refused():
    found = {"8 bits": network(widths={"all": 8})}
    x = quadrants().test.images[:1].numpy()
    with pytest.raises(InputError, match="^input of conv holds [0-9]+, which needs [2-8] bits; its precision is 1$"):
        runs(found, x, x * 0, sim="icarus", tiles=SMALL)


def test_the_kinds_and_tiles_of_the_page():
    assert [cut for cut, _ in KINDS.values()].count(True) == 1
    assert {"parallel_tile", "stripes", "dynamic_stripes", "loom"} == set(TILES)
    row = {"network": "8 bits", "test": 0.99, "tile": "parallel_tile", "cycles": 10, "plain_bits": 8, "container_bits": 4}
    row["precisions"] = {"conv": 7}
    area = {"name": "bit-parallel", "full_width_products": 16.0, "gate_equivalents": 1e3, "sip_gate_equivalents": 900.0}
    area |= {"speed_gate_equivalents": 1200.0, "period_ns": 5.0, "cycles": 10, "energy_pj": 2.0}
    large = {"target": "stripes", "unit": 10.0, "16 x 16": 4000.0, "check": {"composed": 99.0, "flat": 100.0}}
    text = page({"commit": "abc", "runs": [row], "areas": [area], "large": large, "precision": 9})
    assert "| 8 bits | 99.00% | `parallel_tile` | 10 | 1.00 x faster | 50% |" in text and "commit abc" in text
    assert "| 8 bits | 7 |" in text and "from above, 9 bits with the sign" in text
