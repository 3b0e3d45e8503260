import pytest

from golden.errors import InputError
from golden.formats import parse
from golden.mac import MacSpec
from rtl.targets import target
from rtl.verilog import emit
from synth.flow import map_design
from synth.library import find
from synth.netlist import registers
from synth.trees import engine, tree_area


def spec(a, w, bias, y, **more):
    return MacSpec(a=parse(a), w=parse(w), bias=parse(bias), y=parse(y), **({"k": 25} | more))


@pytest.mark.parametrize(
    "formats, target",
    [
        (("uint8e-8", "int8e-4", "int8e-4", "int8e-4"), "mac_tree_fixed"),
        (("uint8e-8", "int2e-2", "int16e-17", "int4e-2"), "mac_tree_dfp"),
        (("int8e-6", "pow2_4", "int16e-18", "int8e-4"), "mac_tree_pow2"),
        (("mini_e4m3",) * 4, "mac_tree_minifloat"),
        (("uint8e-8", "mini_e4m3", "mini_e4m3", "mini_e4m3"), "mac_tree_minifloat"),
    ],
)
def test_the_target_of_a_layer(formats, target):
    row, built = engine(spec(*formats), 4)
    assert row.name == target
    assert (built.lanes, built.longest, built.relu) == (4, 25, 0)
    widths = [parse(name).width for name in formats]
    assert [built.a.width, built.w.width, built.y.width] == [widths[0], widths[1], widths[3]]


def test_units_of_dynamic_fixed_point_come_at_run_time_and_biases_in_the_unit_of_the_total():
    layer = spec("int8e-6", "int4e-4", "int16e-9", "int8e-2", relu=True)
    _, built = engine(layer, 2)
    assert (built.a.name, built.w.name, built.y.name, built.relu) == ("int8", "int4", "int8", 1)
    assert layer.bias_up == 1 and built.bias.name == "int17"  # products are 2**-10, biases 2**-9


def test_narrow_numbers_take_less_area():
    wide = tree_area(spec("int8", "int8", "int16e-1", "int8"), 2)
    narrow = tree_area(spec("int8", "int2", "int16e-1", "int8"), 2)
    assert 300 < narrow < 0.7 * wide


def test_formats_beyond_the_trees_are_refused():
    with pytest.raises(InputError, match="^mac_tree_dfp: a must be of family Integer, up to 16 bits"):
        engine(spec("int20", "int4", "int16e-3", "int8"), 4)


@pytest.mark.parametrize(("name", "lanes"), [("mini_e4m3", 1), ("mini_e4m1", 3)])
def test_trees_of_fp32_adders_have_the_registers_they_state(name, lanes):
    """Of products whose bits are not all different."""
    built = target("mac_tree_minifloat").engine(lanes=lanes, accumulate="fp32", **dict.fromkeys(("a", "w", "bias", "y"), name))
    mapped = map_design(emit(built.component(), "tree"), "tree", find(), ("area",))["area"]
    assert registers(mapped, find())[0] == built.flip_flops
