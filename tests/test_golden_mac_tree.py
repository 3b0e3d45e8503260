"""The cycle model of the MAC tree against a walk through its stages."""

import pytest

from golden.errors import InputError
from golden.mac_tree import mac_tree_cycles, mac_tree_latency


def walk(outputs, k, lanes, stages):
    """Cycles until the last result is taken, of a pipeline that takes a beat a cycle: `stages` names its registers."""
    beats = [beat for _ in range(outputs) for beat in ["more"] * ((k - 1) // lanes) + ["last"]]
    pipe, cycle, delivered = [None] * len(stages), 0, 0
    while delivered < outputs:
        cycle += 1
        delivered += pipe[-1] == "last"
        pipe = [beats.pop(0) if beats else None, *pipe[:-1]]
    return cycle


EXACT = ["products", "sum of the beat", "accumulator", "bias", "result"]


@pytest.mark.parametrize("lanes", [1, 2, 3, 16, 64])
@pytest.mark.parametrize(("outputs", "k"), [(1, 1), (1, 64), (7, 3), (20, 16), (5, 17), (3, 129)])
def test_cycles_equal_the_walk(lanes, outputs, k):
    assert mac_tree_cycles(outputs, k, lanes) == walk(outputs, k, lanes, EXACT)
    levels = [f"level {i}" for i in range(10) if 2**i < lanes]
    found = mac_tree_cycles(outputs, k, lanes, f"fp32x{lanes}")
    assert found == walk(outputs, k, lanes, ["products", *levels, "running sum", "bias", "result"])


def test_sums_in_fp32_wait_a_cycle_a_level():
    assert [mac_tree_latency(lanes, f"fp32x{lanes}") for lanes in (1, 2, 3, 4, 5, 16, 17, 64)] == [4, 5, 6, 6, 7, 8, 9, 10]
    assert {mac_tree_latency(lanes) for lanes in (1, 2, 16, 64)} == {5}


def test_a_result_a_cycle_at_full_rate():
    assert mac_tree_cycles(1000, 16, 16) == 1005
    assert mac_tree_cycles(1000, 17, 16) == 2005
    assert mac_tree_cycles(1000, 5, 16, "fp32") == 1008


def test_an_order_of_sums_that_does_not_exist_is_refused():
    with pytest.raises(InputError, match="accumulate must be exact, fp32 .* not 'fp16'"):
        mac_tree_latency(16, "fp16")
