"""studies.elements: areas of processing elements, cycles of networks."""

import pytest

from golden.errors import InputError
from golden.layer_tables import topology
from golden.systolic import SystolicShape, systolic_cycles
from studies.elements import cycles, elements


def test_narrow_elements_are_smaller():
    found = elements({"two bits": ("ternary_gemm", {}), "narrow": ("ternary_gemm", {"a": "uint2"}), 8: ("int8_gemm", {})})
    assert found["narrow"] < found["two bits"] < found[8]
    assert found["two bits"] > 300  # 32 bits of sum, each a flip-flop and an adder


def test_an_element_of_many_products_is_divided():
    whole, sixteenth = (elements({0: ("xnor_gemm", {"lanes": lanes})})[0] * lanes for lanes in (1, 16))
    assert 1 < sixteenth / whole < 4


def test_an_unknown_target_is_one_line():
    with pytest.raises(InputError, match="quaternary_gemm"):
        elements({0: ("quaternary_gemm", {})})


def test_cycles_are_those_of_the_layers():
    net, shape = topology("lenet"), SystolicShape()
    tiles = [(72 * 3, 25), (8 * 7, 500), (1 * 63, 800), (1 * 2, 500)]
    expected = sum(systolic_cycles(shape, [k] * count) for count, k in tiles)
    assert cycles(net, "ternary_gemm", {}) == expected == cycles(net, "int8_gemm", {})


def test_inner_layers_are_those_of_the_target():
    net, shape = topology("mlp64"), SystolicShape()
    edges = systolic_cycles(shape, [784] * 8) + systolic_cycles(shape, [64] * 2)
    assert cycles(net, "xnor_gemm", {"lanes": 16}) - edges == 2 * cycles_of(shape, 4)
    assert cycles(net, "int8_gemm", {}) - edges == 2 * cycles_of(shape, 64)


def cycles_of(shape, steps):
    """Of a layer of 64 neurons whose sums take so many steps."""
    return systolic_cycles(shape, [steps] * 8)


def test_groups_follow_each_other():
    net = topology("alexnet")
    grouped = net.rows[1]
    m, k, n = grouped.gemm
    assert grouped.groups == 2 and cycles(net, "int8_gemm", {}) > 2 * systolic_cycles(SystolicShape(), [k] * (m // 8 * n // 8))
