"""Streams of floating-point arithmetic: beats, checks, stimulus, and golden's results through the Verilog."""

import numpy as np
import pytest

from golden.errors import InputError
from golden.formats import parse
from rtl.float_stream import FloatStream
from tb.memory import Stalls, run


def test_the_bytes_of_two_beats():
    engine = FloatStream(operation="fma", format=parse("ieee_e4m3"), lanes=2, stages=1)
    operands = engine.check({"x": np.array([0x38, 0x40, 1]), "y": np.array([0x38, 0x38, 2]), "z": np.array([0, 0x38, 3])})
    beats = engine.pack(operands)["o"]
    assert beats.data.tolist() == [[0x38, 0x38, 0, 0x40, 0x38, 0x38], [1, 2, 3, 0, 0, 0]]
    assert beats.last.tolist() == [False, True]
    assert engine.golden(operands)["r"].tolist()[:2] == [0x38, 0x44]  # 1 * 1 + 0, 2 * 1 + 1
    assert engine.beats(operands) == {"r": 2} and engine.cycles(operands) == 2 + 2


def test_comparisons_are_flags():
    engine = FloatStream(operation="compare", format=parse("fp16"))
    one, two, nan = 0x3C00, 0x4000, 0x7E00
    found = engine.golden(engine.check({"x": np.array([one, two, two, nan, 0x8000]), "y": np.array([two, two, one, one, 0])}))
    assert found["r"].tolist() == [1, 2, 4, 0, 2]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"format": parse("mini_e4m3")}, "rules ieee or finite, not in mini_e4m3"),
        ({"format": parse("int8")}, "format must be a float, not int8"),
        ({"stages": 4}, "stages must be 0 to 3, not 4"),
        ({"operation": "multiply", "stages": 3}, "stages must be 0 to 2, not 3"),
        ({"lanes": 0}, "lanes must be 1 to 64, not 0"),
        ({"lanes": 65}, "lanes must be 1 to 64, not 65"),
    ],
)
def test_parameters_out_of_range_are_refused(fields, message):
    with pytest.raises(InputError, match=message):
        FloatStream(**fields)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.array([1.0, 2.0])}, "x must be an array of integers, the codes of fp16, not float64"),
        ({"y": np.array([0, 65536])}, "y holds 65536, codes of fp16 are 0 to 65535"),
        ({"y": np.array([-1, 0])}, "y holds -1, codes of fp16 are 0 to 65535"),
        ({"x": np.array([[1, 2]])}, r"x must be a vector that is not empty, not of shape \[1, 2\]"),
        ({"y": np.array([1, 2, 3])}, "x and y must be as long as each other, not 2 and 3"),
        ({"z": np.array([1, 2])}, "operands must be x, y, not x, y, z"),
    ],
)
def test_operands_that_do_not_suit_are_refused(change, message):
    operands = {"x": np.array([1, 2]), "y": np.array([3, 4])}
    with pytest.raises(InputError, match=message):
        FloatStream(operation="add", format=parse("fp16")).check(operands | change)


@pytest.mark.long
@pytest.mark.parametrize("settings", [{"format": "fp16", "lanes": 3, "stages": 3}, {"stages": 2}], ids=["fp16", "fp32"])
def test_a_hundred_thousand_through_the_verilog(settings):
    """`run` compares every result with golden, and without stalls the cycles with the model."""
    engine = FloatStream(operation="fma", **FloatStream.read(settings))
    operands = engine.stimulus(np.random.default_rng(3), values=100_000)
    for stalls in (Stalls(), Stalls(idle=50, stall=50, burst=7)):
        run("float_fma", settings, operands, stalls=stalls)
