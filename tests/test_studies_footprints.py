"""studies.footprints: which memory is greater, as in WRPN & Apprentice, figure 1."""

import pytest

from golden.costs import memory
from golden.layer_tables import topology
from studies.footprints import CASES, NETWORKS, markdown, results


def test_weights_weigh_more_in_small_batches_and_activations_in_large_ones():
    rows = {row["network"]: row for row in results()}
    assert list(rows) == list(NETWORKS) and CASES[0] == (32, True) and CASES[-1] == (1, False)
    for name in ("resnet50", "resnet101"):
        training, large, *_, single = rows[name]["activations"]
        assert training > large > rows[name]["weights"] > single == memory(topology(name), 1).activations
    assert rows["alexnet"]["weights"] == pytest.approx(4 * 61e6, rel=0.01)  # 61 million weights


def test_the_table():
    [*_, lines, note] = markdown([{"network": "n", "weights": 2e6, "activations": [3e6, 2e6, 1.5e6, 1e5]}])
    assert "| network | weights | training, 32 | inference, 32 | inference, 8 | inference, 1 |" in lines
    assert "| n | 2.0 | 3.0 * | 2.0 | 1.5 | 0.1 |" in lines and note.startswith("\\* activations take more")
