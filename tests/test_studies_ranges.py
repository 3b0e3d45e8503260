"""studies.ranges: where the bulk of numbers lies, on numbers whose magnitudes are known."""

import pytest
import torch

from quant.graph import Graph, Op
from studies.ranges import bulk, dynamic_range


def test_the_bulk_leaves_out_one_percent_from_either_end():
    assert bulk({0: 0.5, -1: 0.3, -2: 0.195, -10: 0.005}) == (-2, 0)
    assert bulk({3: 0.004, 0: 0.99, -4: 0.004, -5: 0.002}) == (0, 0)
    assert bulk({3: 0.02, 0: 0.97, -4: 0.01}) == (0, 3)
    assert bulk({7: 1.0}) == (7, 7)


def test_magnitudes_are_truncated_to_powers_of_two():
    weight = torch.tensor([[0.25, -0.49, 1.0, 0.0]])
    dense = Op("fc", "dense", ("flat",), weight=weight, bias=torch.tensor([2.0]))
    flatten = Op("flat", "flatten", ("conv",))
    conv = Op("conv", "conv", ("input",), {"stride": (1, 1), "padding": (0, 0)}, weight=torch.full((4, 1, 1, 1), 3.0))
    graph = Graph((1, 1, 1), [conv, flatten, dense], "fc", unit=1.0)
    found = dynamic_range(graph, torch.full((150, 1, 1, 1), 2, dtype=torch.uint8))
    assert found["images"] == 100
    assert found["groups"]["dense weights"]["histogram"] == {"-2": 0.4, "0": 0.2, "1": 0.2}  # of 5, one of them 0
    assert found["groups"]["convolution weights"] == {
        "numbers": 4,
        "greatest": 3.0,
        "bulk": [1, 1],
        "histogram": {"1": 1.0},
    }
    assert found["groups"]["convolution outputs"]["histogram"] == {"2": 1.0}
    assert found["groups"]["dense outputs"]["greatest"] == pytest.approx(6 * 0.76 + 2)
