"""Requantisation as beats, alone and behind an array."""

import numpy as np
import pytest
from gateware import array
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.errors import InputError
from golden.formats import parse
from golden.requant import requant
from rtl.beats import Beats, pack_fields, unpack_fields
from rtl.scaling import StreamRequant, SystolicRequant

SPECS = [
    {},
    {"y": "int2"},
    {"y": "uint1", "m_width": 2, "b_width": 2},
    {"y": "int32", "b_width": 61},
    {"y": "uint16", "m_width": 29},
]


def formats(fields):
    """`fields` with names of formats as formats."""
    return {key: parse(value) if isinstance(value, str) else value for key, value in fields.items()}


def signed(codes, width):
    codes = codes.astype(np.int64)
    return codes - (codes >> (width - 1) << width)


def lanes(spec, count, x, p):
    """A requantiser in NumPy: the beats of y for those of x and p, which ends with each packet of x."""
    [codes] = unpack_fields(x.data, count, spec.x.width)
    m, b, s = unpack_fields(p.data, count, spec.m_width, spec.b_width, spec.s_width)
    m, b, s = signed(m, spec.m_width), signed(b, spec.b_width), s.astype(np.int64)
    packets = np.split(spec.x.integers(codes), np.flatnonzero(x.last)[:-1] + 1)
    assert len(packets) == len(p) and x.last[-1]
    y = np.concatenate([requant(spec, rows, *parameters) for rows, *parameters in zip(packets, m, b, s, strict=True)])
    return Beats(pack_fields((y, spec.y.width)), x.last)


@given(st.integers(1, 5), st.sampled_from(SPECS), st.integers(0, 2**32))
@settings(max_examples=40)
def test_beats_through_lanes_are_golden(count, fields, seed):
    engine = StreamRequant(lanes=count, **formats(fields))
    operands = engine.check(engine.stimulus(np.random.default_rng(seed)))
    packed = engine.pack(operands)
    y = lanes(engine.spec, count, packed["x"], packed["p"])
    assert engine.beats(operands) == {"y": len(y)}
    assert engine.cycles(operands) == len(y) + 3
    assert np.array_equal(engine.unpack(operands, {"y": y})["y"], engine.golden(operands)["y"])


@given(st.integers(1, 4), st.integers(1, 4), st.sampled_from(SPECS), st.integers(0, 2**32))
@settings(max_examples=40)
def test_beats_through_an_array_and_lanes_are_golden(rows, cols, fields, seed):
    engine = SystolicRequant(rows=rows, cols=cols, **formats(fields))
    operands = engine.check(engine.stimulus(np.random.default_rng(seed)))
    packed = engine.pack(operands)
    y = lanes(engine.requantisation, cols, array(engine, packed)["y"], packed["p"])
    assert engine.beats(operands) == {"y": len(y)}
    assert np.array_equal(engine.unpack(operands, {"y": y})["y"], engine.golden(operands)["y"])


def test_a_group_of_channels_is_a_packet_and_a_beat_of_parameters():
    engine = StreamRequant(lanes=2, x=parse("int8"), y=parse("int4"), m_width=4, b_width=8)
    operands = {
        "x": np.array([[1, 2, 3], [-1, -2, -3]]),
        "m": np.array([1, -1, 2]),
        "b": np.array([0, 5, -1]),
        "s": np.array([0, 1, 2]),
    }
    beats = engine.pack(engine.check(operands))
    assert beats["x"].data.tolist() == [[1, 2], [0xFF, 0xFE], [3, 0], [0xFD, 0]]
    assert beats["x"].last.tolist() == [False, True] * 2
    first = 0x1 | 0x00 << 4 | 0 << 12 | (0xF | 0x05 << 4 | 1 << 12) << 16  # 4 + 8 + 4 bits a lane
    assert engine.spec.s_width == 4
    assert beats["p"].data.tolist() == [list(first.to_bytes(4, "little")), [0xF2, 0x2F, 0, 0]]
    assert engine.golden(operands)["y"].tolist() == [[1, 2, 1], [-1, 4, -2]]


@pytest.mark.parametrize("fields", SPECS)
def test_stimulus_covers_what_the_spec_allows(fields):
    rng = np.random.default_rng(5)
    engine = StreamRequant(**formats(fields))
    runs = [engine.check(engine.stimulus(rng, rows=9, channels=60)) for _ in range(4)]
    x, m, b, s = (np.concatenate([run[key].ravel() for run in runs]) for key in "xmbs")
    assert m.min() == engine.spec.m.lo and m.max() == engine.spec.m.hi
    assert x.min() < 0 < x.max() and b.min() < 0 and s.max() > engine.spec.s_limit * 3 // 4
    y = np.concatenate([engine.golden(run)["y"].ravel() for run in runs])
    assert y.min() == engine.y.lo and y.max() == engine.y.hi
    assert 0.01 < np.mean((y > engine.y.lo) & (y < engine.y.hi)) or engine.y.hi - engine.y.lo < 4


@pytest.mark.parametrize(
    ("make", "fields", "message"),
    [
        (StreamRequant, {"lanes": 0}, "lanes must be 1 to 64, not 0"),
        (StreamRequant, {"lanes": 65}, "lanes must be 1 to 64, not 65"),
        (StreamRequant, {"y": "ternary"}, "y must be integers, powers of two or binary, not ternary"),
        (StreamRequant, {"x": "binary"}, "x must be an integer format, not binary"),
        (StreamRequant, {"x": "uint8"}, "accumulators to requantise must be signed, not uint8"),
        (StreamRequant, {"m_width": 33}, "m_width must be 2 to 32, not 33"),
        (StreamRequant, {"m_width": 30}, "needs 63 bits; allowed: up to 62"),
        (SystolicRequant, {"y": "ternary"}, "y must be an integer format, not ternary"),
        (SystolicRequant, {"b_width": 1}, "b_width must be 2 to 61, not 1"),
        (SystolicRequant, {"rows": 100}, "rows must be 1 to 64, not 100"),
    ],
)
def test_parameters_out_of_range_are_refused(make, fields, message):
    with pytest.raises(InputError, match=message):
        make(**formats(fields))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.zeros((2, 4), int)}, "x has 4 channels, its parameters have 3"),
        ({"x": np.zeros(3, int)}, r"x must be a matrix .*, not of shape \[3\]"),
        ({"x": np.zeros((0, 3), int)}, r"x must be a matrix .*, not of shape \[0, 3\]"),
        ({"x": np.zeros((2, 3))}, "x must be an array of integers, not float64"),
        ({"m": np.full(3, 40000)}, "m must be -32768 to 32767, not .* to 40000"),
        ({"s": np.full(3, 50)}, "s must be 0 to 49, not 50 to 50"),
        ({"s": np.zeros(2, int)}, "m, b and s must be vectors of one length"),
    ],
)
def test_operands_that_do_not_suit_are_refused(change, message):
    operands = {"x": np.zeros((2, 3), int)} | dict.fromkeys("mbs", np.zeros(3, int))
    with pytest.raises(InputError, match=message):
        StreamRequant().check(operands | change)


def test_a_layer_has_a_parameter_for_each_column():
    operands = {"a": np.zeros((2, 3), int), "w": np.zeros((3, 4), int)} | dict.fromkeys("mbs", np.zeros(5, int))
    with pytest.raises(InputError, match="w has 4 columns, the parameters have 5"):
        SystolicRequant().check(operands)
