"""Beats, cycles and golden of the arrays of narrow weights."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.errors import InputError
from golden.formats import parse
from rtl.beats import Beats, pack_fields, unpack_fields
from rtl.narrow_gemm import CodebookGemm, LogGemm, TtqGemm, XnorGemm


def test_the_bytes_of_a_product_of_signs():
    """K = 3 on 2 lanes: the last lane of the second k-step differs, -1 against +1."""
    engine = XnorGemm(rows=2, cols=3, lanes=2, acc_width=4)
    a = np.array([[1, -1, 1], [-1, -1, 1]])
    w = np.array([[1, -1, -1], [1, 1, -1], [1, -1, 1]])
    beats = engine.pack(engine.check({"a": a, "w": w}))
    assert beats["a"].data.tolist() == [[0b00_01], [0b01_01]] and beats["a"].last.tolist() == [False, True]
    assert beats["w"].data.tolist() == [[0b00_10_11], [0b11_10_11]] and beats["w"].last.tolist() == [False, True]
    assert beats["n"].data.tolist() == [[3]]
    assert engine.golden({"a": a, "w": w})["y"].tolist() == [[1, -3, 1], [-1, -1, 3]]
    assert engine.cycles({"a": a, "w": w}) == 2 + 2 + 3


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 9), st.integers(0, 2**32))
@settings(max_examples=60)
def test_counts_of_what_is_sent_are_golden(rows, cols, lanes, seed):
    """``2 * popcount(a xnor w) - n`` of the bits of the beats alone."""
    engine = XnorGemm(rows=rows, cols=cols, lanes=lanes)
    operands = engine.check(engine.stimulus(np.random.default_rng(seed)))
    beats = engine.pack(operands)
    n = unpack_fields(beats["n"].data, 1, engine.acc_width - 1)[0][:, 0].astype(np.int64)
    down, across = engine.tiles(operands)
    bits = {}
    for role, size in (("a", rows), ("w", cols)):
        [codes] = unpack_fields(beats[role].data, size * lanes, 1)
        steps = codes.reshape(down * across, -1, size, lanes)
        bits[role] = steps.swapaxes(1, 2).reshape(down * across, size, -1)
    equal = (bits["a"][:, :, None] == bits["w"][:, None]).sum(axis=3)
    sums = (2 * equal - n[:, None, None]).reshape(-1, cols)
    last = np.arange(1, len(sums) + 1) % rows == 0
    [y] = engine.unpack(operands, {"y": Beats(pack_fields((sums, engine.acc_width)), last)}).values()
    assert np.array_equal(y, engine.golden(operands)["y"])
    assert np.array_equal(y, operands["a"].astype(int) @ operands["w"])
    steps = -(-operands["a"].shape[1] // lanes)
    assert engine.cycles(operands) == len(n) * max(steps, rows) + rows + cols


def test_two_sums_are_those_of_either_sign():
    engine = TtqGemm(rows=2, cols=2, a=parse("int8"), acc_width=10)
    a, w = np.array([[5, -7, 100]]), np.array([[1, 0], [-1, -1], [1, -1]])
    results = engine.golden(engine.check({"a": a, "w": w}))
    assert {key: value.tolist() for key, value in results.items()} == {"p": [[105, 0]], "n": [[-7, 93]]}
    sums = np.array([[105, 0], [0, 0]]), np.array([[-7, 93], [0, 0]])
    beats = {"y": Beats(pack_fields(*((part, 10) for part in sums)), np.array([False, True]))}
    found = engine.unpack({"a": a, "w": w}, beats)
    assert {key: value.tolist() for key, value in found.items()} == {"p": [[105, 0]], "n": [[-7, 93]]}


def test_a_table_enters_with_each_tile():
    engine = CodebookGemm(rows=2, cols=2, bits=2, entry=parse("int4"))
    operands = engine.check({"a": np.array([[3, 200]]), "w": np.array([[0, 1, 2], [3, 3, 0]]), "t": np.array([7, -1, 0, -8])})
    beats = engine.pack(operands)
    assert beats["t"].data.tolist() == [[0xF7, 0x80]] * 2 and beats["t"].last.all()
    assert beats["w"].data.tolist() == [[0b01_00], [0b11_11], [0b00_10], [0b00_00]]
    assert engine.golden(operands)["y"].tolist() == [[21 - 1600, -3 - 1600, 1400]]
    assert engine.cycles(operands) == 2 * 2 + 2 + 2 + 1


def test_sums_of_powers_are_exact():
    engine = LogGemm(rows=1, cols=1)
    a, w = parse("upow2z_4"), parse("pow2z_5")
    operands = engine.check({"a": np.array([[a.hi, 0, 2, 4]]), "w": np.array([[w.lo], [w.hi], [2], [-8]])})
    assert engine.golden(operands)["y"].tolist() == [[-(1 << 30) + 4 - 32]]
    assert engine.spec(1).longest == (1 << 17) - 1 and engine.spec(5).y.exponent == -32


@pytest.mark.parametrize(
    ("make", "fields", "message"),
    [
        (XnorGemm, {"lanes": 0}, "lanes must be 1 to 64, not 0"),
        (XnorGemm, {"lanes": 65}, "lanes must be 1 to 64, not 65"),
        (XnorGemm, {"acc_width": 65}, "acc_width must be 2 to 64, not 65"),
        (XnorGemm, {"rows": 0}, "rows must be 1 to 64, not 0"),
        (XnorGemm, {"lanes": 16, "acc_width": 5}, "sums of 16 products of binary and binary .* allowed: K up to 15"),
        (TtqGemm, {"a": parse("e4m3")}, "a must be an integer format, not e4m3"),
        (TtqGemm, {"a": parse("uint8"), "acc_width": 8}, "sums of 1 products of uint8 and uint1 need"),
        (LogGemm, {"a": parse("uint8")}, "a must be powers of two, not uint8"),
        (LogGemm, {"a": parse("pow2_4")}, "a must be integers, minifloats or powers of two with a zero"),
        (LogGemm, {"w": parse("ternary")}, "w must be powers of two, not ternary"),
        (LogGemm, {"acc_width": 31}, "sums of 1 products of upow2z_4 and pow2z_5 need"),
        (CodebookGemm, {"bits": 9}, "bits must be 1 to 8, not 9"),
        (CodebookGemm, {"entry": parse("uint8")}, "entry must be signed integers of 2 to 16 bits, not uint8"),
        (CodebookGemm, {"entry": parse("int17")}, "entry must be signed integers of 2 to 16 bits, not int17"),
        (CodebookGemm, {"a": parse("pow2_4")}, "a must be integers, minifloats or powers of two with a zero, .*, not pow2_4"),
    ],
)
def test_parameters_out_of_range_are_refused(make, fields, message):
    with pytest.raises(InputError, match=message):
        make(**fields)


@pytest.mark.parametrize(
    ("engine", "change", "message"),
    [
        (XnorGemm(), {"a": np.zeros((2, 4), int)}, "a holds 0, which binary cannot represent"),
        (XnorGemm(acc_width=9), {"a": np.ones((1, 256), int), "w": np.ones((256, 1), int)}, "allowed: K up to 255"),
        (CodebookGemm(), {"t": np.zeros(15, int)}, r"t must have 16 entries, not \[15\]"),
        (CodebookGemm(), {"t": np.full(16, 128)}, "t holds 128, which int8"),
        (CodebookGemm(bits=2), {"t": np.zeros(4, int), "w": np.full((4, 5), 4)}, r"w holds 4, which uint2 \(0 to 3\)"),
        (TtqGemm(), {"w": np.full((4, 5), 2)}, "w holds 2, which ternary"),
    ],
)
def test_operands_that_do_not_suit_are_refused(engine, change, message):
    operands = {"a": np.ones((2, 4), int), "w": np.ones((4, 5), int)}
    if "t" in engine.operands:
        operands["t"] = np.zeros(16, int)
    with pytest.raises(InputError, match=message):
        engine.check(operands | change)
