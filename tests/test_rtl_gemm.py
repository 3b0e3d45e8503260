"""GEMM as beats: what an array sees tile by tile, and the matrix that comes of its rows."""

import numpy as np
import pytest
from gateware import array
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.errors import InputError
from golden.formats import parse
from rtl.gemm import SystolicGemm, assemble, random_integers

FORMATS = ("uint8", "int8", "uint1", "int1", "int2", "uint16", "int5", "int8e-4")


@st.composite
def engines(draw):
    fields = {"rows": draw(st.integers(1, 5)), "cols": draw(st.integers(1, 5))}
    a, w = draw(st.sampled_from(FORMATS)), draw(st.sampled_from(("ternary", "binary", "int8")))
    return SystolicGemm(**fields, a=parse(a), w=parse(w), acc_width=draw(st.integers(27, 32)))


@given(engines(), st.integers(0, 2**32))
@settings(max_examples=60)
def test_beats_through_an_array_are_golden(engine, seed):
    operands = engine.check(engine.stimulus(np.random.default_rng(seed)))
    packed = engine.pack(operands)
    answer = array(engine, packed)
    assert engine.beats(operands) == {"y": len(answer["y"])}
    [y] = engine.unpack(operands, answer).values()
    assert np.array_equal(y, engine.golden(operands)["y"])
    m, n, k = *y.shape, operands["a"].shape[1]
    tiles = -(-m // engine.rows) * -(-n // engine.cols)
    assert packed["a"].last.sum() == tiles and len(packed["a"]) == tiles * k
    assert engine.cycles(operands) == tiles * max(k, engine.rows) + engine.rows + engine.cols


def test_the_bytes_of_a_small_product():
    engine = SystolicGemm(rows=2, cols=3)
    a = np.array([[1, 2], [3, 4], [5, 6]])  # two tiles down, the second partial
    w = np.array([[1, 0, -1], [-1, 1, 0]])
    beats = engine.pack(engine.check({"a": a, "w": w}))
    assert beats["a"].data.tolist() == [[1, 3], [2, 4], [5, 0], [6, 0]]
    assert beats["w"].data.tolist() == [[0b11_00_01], [0b00_01_11]] * 2
    assert beats["a"].last.tolist() == beats["w"].last.tolist() == [False, True] * 2
    narrow = engine.pack({"a": a, "w": w[:, 2:]})  # places beyond N hold code 0
    assert narrow["w"].data.tolist() == [[0b11], [0]] * 2
    assert engine.golden({"a": a, "w": w})["y"].tolist() == [[-1, 2, -1], [-1, 4, -3], [-1, 6, -5]]


def test_tiles_lie_along_the_result_row_by_row():
    rows = np.arange(24).reshape(12, 2)  # 2 x 3 tiles of 2 rows and 2 columns
    matrix = assemble(rows, 2, 3, 3, 5)
    assert matrix.tolist() == [[0, 1, 4, 5, 8], [2, 3, 6, 7, 10], [12, 13, 16, 17, 20]]


@pytest.mark.parametrize("name", ["uint8", "int1", "int2", "ternary", "binary", "int32", "uint1", "int8e-4", "e4m3", "mini_e5m20"])
def test_random_integers_cover_a_format_and_no_more(name):
    fmt = parse(name)
    values = random_integers(np.random.default_rng(0), fmt, (20, 30))
    fmt.check(values)
    assert values.min() == fmt.lo and values.max() == fmt.hi
    assert len(np.unique(values)) >= min(50, 1 << fmt.width) - (name == "ternary")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rows": 0}, "rows must be 1 to 64, not 0"),
        ({"cols": 65}, "cols must be 1 to 64, not 65"),
        ({"acc_width": 1}, "acc_width must be 2 to 64, not 1"),
        ({"acc_width": 65}, "acc_width must be 2 to 64, not 65"),
        ({"acc_width": 8}, "sums of 1 products of uint8 and ternary .* an accumulator of 8 bits does not hold"),
        ({"a": parse("int17")}, "a must be an integer or minifloat of up to 16 bits, not int17"),
        ({"a": parse("ternary")}, "a must be an integer or minifloat of up to 16 bits, not ternary"),
    ],
)
def test_parameters_out_of_range_are_refused(fields, message):
    with pytest.raises(InputError, match=message):
        SystolicGemm(**fields)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a": np.zeros((2, 3), int)}, r"must share K, not \[2, 3\] and \[4, 5\]"),
        ({"a": np.zeros(4, int)}, r"a must be a matrix that is not empty, not of shape \[4\]"),
        ({"w": np.zeros((4, 0), int)}, r"w must be a matrix that is not empty, not of shape \[4, 0\]"),
        ({"a": np.full((2, 4), 256)}, r"a holds 256, which uint8 \(0 to 255\) cannot represent"),
        ({"a": np.full((2, 4), -1)}, "a holds -1, which uint8"),
        ({"w": np.full((4, 5), 2)}, r"w holds 2, which ternary \(-1 to 1\) cannot represent"),
        ({"w": np.zeros((4, 5))}, "w must be an array of integers, not float64"),
        ({"b": np.zeros(3, int)}, "operands must be a, w, not a, b, w"),
    ],
)
def test_operands_that_do_not_suit_are_refused(change, message):
    operands = {"a": np.zeros((2, 4), int), "w": np.zeros((4, 5), int)}
    with pytest.raises(InputError, match=message):
        SystolicGemm().check(operands | change)


def test_sums_that_could_wrap_are_refused():
    engine = SystolicGemm(acc_width=12)
    for k, fits in ((8, True), (9, False)):  # 8 * 255 = 2040 < 2048
        operands = {"a": np.zeros((1, k), int), "w": np.zeros((k, 1), int)}
        if fits:
            engine.check(operands)
        else:
            with pytest.raises(InputError, match="sums of 9 products .* allowed: K up to 8"):
                engine.check(operands)


def test_stimulus_takes_the_sizes_it_is_given_and_never_wraps():
    rng = np.random.default_rng(1)
    engine = SystolicGemm(acc_width=9, rows=4, cols=4)
    assert all(engine.check(engine.stimulus(rng))["a"].shape[1] == 1 for _ in range(20))
    operands = SystolicGemm().stimulus(rng, m=3, k=5, n=7)
    assert operands["a"].shape == (3, 5) and operands["w"].shape == (5, 7)
