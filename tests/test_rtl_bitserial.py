"""What the bit-serial engines take, refuse and send."""

import numpy as np
import pytest

from golden.errors import InputError
from rtl.beats import unpack_fields
from rtl.targets import TARGETS

STRIPES = TARGETS["stripes"].engine(lanes=2, filters=1, windows=2, a="int6", w="int4")
A = np.array([[3, -4, 1], [0, 2, 0], [-1, 0, 31]])
W = np.array([[1, -8], [7, 2], [-3, 0]])


def operands(p, cut=0, a=A):
    return {"a": a, "w": W, "p": np.array(p), "cut": np.array(cut)}


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("stripes", {"lanes": 17}, "stripes: lanes must be 1 to 16, not 17"),
        ("stripes", {"filters": 0}, "stripes: filters must be 1 to 128, not 0"),
        ("loom", {"windows": 17}, "loom: windows must be 1 to 16, not 17"),
        ("parallel_tile", {"windows": 2}, "parallel_tile: no parameter is called 'windows'"),
        ("parallel_tile", {"a": "int17"}, "a must be an integer of up to 16 bits"),
        ("loom", {"w": "uint4"}, "loom: w must be a signed integer of up to 16 bits, not uint4"),
        ("loom", {"w": "ternary"}, "loom: w must be a signed integer of up to 16 bits, not ternary"),
        ("loom", {"w": "int1"}, "loom: w must have 2 bits or more if it is signed, not be int1"),
        ("parallel_tile", {"a": "int1"}, "parallel_tile: a must have 2 bits or more if it is signed, not be int1"),
        ("stripes", {"a": "uint1"}, "stripes: a must have 2 bits or more, not be uint1"),
        ("stripes", {"acc_width": 65}, "stripes: acc_width must be 2 to 64, not 65"),
        ("stripes", {"acc_width": 12}, "stripes: sums of 1 products of uint8 and int8 need"),
        ("stripes", {"dense": 2}, "stripes: dense must be 0 or 1, not 2"),
        ("dynamic_stripes", {"trim": -1}, "dynamic_stripes: trim must be 0 or 1, not -1"),
        ("dynamic_stripes", {"groups": 3}, "dynamic_stripes: groups must divide the 4 windows, not be 3"),
        ("dynamic_stripes", {"groups": 0}, "dynamic_stripes: groups must divide the 4 windows, not be 0"),
        ("dynamic_stripes", {"run_ahead": 8}, "dynamic_stripes: run_ahead must be 0 to 7, not 8"),
        ("dynamic_stripes", {"dense": 1, "groups": 2}, "dense tiles have one group and no run_ahead"),
        ("loom", {"s": 3}, "loom: s must be 1, 2 or 4, not 3"),
    ],
)
def test_parameters_out_of_range_are_refused(name, settings, message):
    with pytest.raises(InputError, match=message):
        TARGETS[name].engine(**settings)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (operands(5), "a holds 31, which needs 6 bits; its precision is 5"),
        (operands(7), "p must be one integer, 1 to 6, not "),
        (operands(0), "p must be one integer, 1 to 6, not "),
        (operands(6, cut=2), "cut must be one integer, 0 to 1, not "),
        (operands([6, 6]), "p must be one integer"),
        (operands(6, a=A[0]), "a must be a matrix that is not empty, not of shape"),
        (operands(6, a=A[:, :2]), "must share K, not"),
        (operands(6, a=A * 2), "a holds 62, which int6"),
        ({"a": A, "w": W}, "operands must be a, w, p, cut, not a, w"),
    ],
)
def test_operands_that_do_not_suit_are_refused(given, message):
    with pytest.raises(InputError, match=message):
        STRIPES.check(given)


def test_a_precision_too_small_is_flagged_and_the_bits_above_it_are_not_seen():
    """Two rows of tiles by two: the first has -4, which 3 bits hold, and 3; the second 31, which reads as -1."""
    found = STRIPES.golden(STRIPES.check(operands(3, cut=1)))
    seen = np.where(A == 31, -1, A)
    assert found["e"].tolist() == [0, 0, 1, 1] and found["y"].tolist() == (seen @ W).tolist()
    assert STRIPES.golden(STRIPES.check(operands(2, cut=1)))["e"].tolist() == [1, 1, 1, 1]
    unsigned = TARGETS["stripes"].engine(lanes=2, filters=1, windows=2, a="uint6", w="int4")
    found = unsigned.golden(unsigned.check(operands(2, 1, np.abs(A))))
    assert found["y"].tolist() == ((np.abs(A) & 3) @ W).tolist() and found["e"].tolist() == [1, 1, 1, 1]


def test_beats_of_stripes():
    beats = STRIPES.pack(STRIPES.check(operands(6)))
    layout = {"a": (4, 6), "w": (2, 4), "p": (1, 3)}
    [a], [w], [p] = (unpack_fields(beats[role].data, *fields) for role, fields in layout.items())
    signed = np.where(a > 31, a.astype(int) - 64, a)
    first, second = [[3, -4, 0, 2], [1, 0, 0, 0]], [[-1, 0, 0, 0], [31, 0, 0, 0]]
    assert signed.tolist() == first * 2 + second * 2 and p.tolist() == [[5]] * 4
    assert w.tolist() == [[1, 7], [13, 0], [8, 2], [0, 0]] * 2
    assert beats["a"].last.tolist() == beats["w"].last.tolist() == [False, True] * 4


def test_the_precision_of_stripes_is_not_looked_for_in_the_activations():
    """All bits of the format, or those that the layer is known to have, which the activations must not exceed."""
    assert STRIPES.operands_of(A, W)["p"] == STRIPES.operands_of(A[:2], W)["p"] == 6
    STRIPES.check(STRIPES.operands_of(A[:2], W, 3))
    with pytest.raises(InputError, match="a holds 31, which needs 6 bits; its precision is 3"):
        STRIPES.check(STRIPES.operands_of(A, W, 3))


def test_planes_of_loom():
    """The first pass needs 4 bits of weights, the second 3; dense, columns take theirs in turn."""
    loom = TARGETS["loom"].engine(lanes=2, filters=1, windows=2, a="int6", w="int4", dense=1)
    assert loom.in_step == () and loom.beats({"a": A, "w": W}) == {"y": 6}
    [fields] = unpack_fields(loom.pack({"a": A, "w": W})["w"].data, 3, 1)
    first = [[1, 1, 0], [0, 0, 0], [0, 1, 0], [0, 1, 0], [0, 1, 0], [0, 0, 0], [0, 0, 1], [1, 0, 1]]
    second = [[1, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0], [1, 0, 1], [0, 0, 1]]
    assert fields.tolist() == (first + second) * 3


def test_throughput_at_full_width():
    sizes = {"lanes": 16, "filters": 16, "a": "uint16", "w": "int16", "acc_width": 40}

    def rate(name, **settings):
        return TARGETS[name].engine(**sizes, **settings).throughput["per_cycle"]

    assert rate("parallel_tile") == rate("stripes", windows=16) == rate("stripes", windows=16, dense=1) == 256
    assert rate("loom", windows=16) == 16 and rate("loom", windows=16, s=4) == 64
    assert rate("loom", windows=16, dense=1) == 16 and rate("loom", windows=16, s=4, dense=1) == 16


def test_stimulus_reaches_few_planes_and_many():
    engine = TARGETS["dynamic_stripes"].engine(trim=1)
    rng = np.random.default_rng(1)
    cycles = [engine.cycles(engine.stimulus(rng, m=4, k=16, n=4)) for _ in range(200)]
    assert set(cycles) == {time + 4 + 2 for time in range(1, 9)}
