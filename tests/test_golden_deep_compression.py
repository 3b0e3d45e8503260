import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from golden.deep_compression import absolute, decode, encode, parts, relative
from golden.errors import InputError

TABLE = np.array([0, -1.5, 0.25, 3.0, 0.125], np.float32)
SPARSE = st.integers(0, 400).flatmap(
    lambda n: st.dictionaries(st.integers(0, n), st.integers(1, 4), max_size=20).map(lambda d: (n + 1, d))
)


def sparse(given):
    codes = np.zeros(given[0], np.int64)
    for place, code in given[1].items():
        codes[place] = code
    return codes


@given(SPARSE, st.integers(1, 8))
def test_entries_round_trip_and_count_zeros(given, index_bits):
    codes = sparse(given)
    v, z = relative(codes, index_bits)
    assert z.size == v.size and (z >= 0).all() and (z < 1 << index_bits).all()
    assert np.array_equal(absolute(v, z, codes.size), codes)
    assert (z[v == 0] == (1 << index_bits) - 1).all()  # fillers alone have code 0
    assert np.array_equal(v[v > 0], codes[codes > 0])


def test_entries_by_hand():
    codes = np.zeros(60, np.int64)
    codes[[0, 3, 19, 20, 37, 54]] = [1, 2, 3, 4, 1, 2]  # gaps of 0, 2, 15, 0, 16 and 16 zeros
    v, z = relative(codes)
    assert v.tolist() == [1, 2, 3, 4, 0, 1, 0, 2]
    assert z.tolist() == [0, 2, 15, 0, 15, 0, 15, 0]
    assert relative(np.zeros(50, np.int64))[0].size == 0


@given(SPARSE, st.integers(1, 8))
def test_containers_round_trip(given, index_bits):
    codes = sparse(given)
    data = encode(codes, TABLE, index_bits)
    found, table, bits = decode(data)
    assert np.array_equal(found, codes) and np.array_equal(table, TABLE) and bits == index_bits
    assert parts(codes, TABLE, index_bits).total == 8 * len(data)


@given(arrays.arrays(np.int64, arrays.array_shapes(max_dims=4, max_side=5), elements=st.integers(0, 4)))
def test_any_shape(codes):
    found, _, _ = decode(encode(codes, TABLE))
    assert found.shape == codes.shape and np.array_equal(found, codes)


def test_bits_by_hand():
    codes = np.array([[1, 0, 1, 2], [1, 0, 0, 1]])
    found = parts(codes, TABLE[:3], 4)
    # v: 1 1 2 1 1 in 1 bit each; z: 0 1 0 0 2 in 1, 2, 1, 1 and 2 bits; 3 + 16 lengths; 12 + 8 + 4 bytes and 4 bits
    assert found == (5, 7, 2 * 32, 19 * 8, 24 * 8 + 4)
    # codes of v: 1 is 0, 2 is 1; of z: 0 is 0, 1 is 10, 2 is 11
    assert encode(codes, TABLE[:3])[-6:-4] == bytes([0b00100_010, 0b0011_0000])
    assert len(encode(codes, TABLE[:3])) == (5 + 7 + 64 + 152 + 196) // 8


@given(st.data())
def test_cut_padded_and_corrupted_containers_are_refused(data):
    whole = encode(sparse((300, {7: 1, 90: 2, 91: 4, 299: 3})), TABLE)
    kind = data.draw(st.sampled_from(("cut", "padded", "flipped")))
    if kind == "cut":
        broken = whole[: data.draw(st.integers(0, len(whole) - 1))]
    elif kind == "padded":
        broken = whole + bytes(data.draw(st.integers(1, 9)))
    else:
        place = data.draw(st.integers(0, 8 * len(whole) - 1))
        broken = bytearray(whole)
        broken[place // 8] ^= 1 << place % 8
    with pytest.raises(InputError):
        decode(bytes(broken))


def resealed(edit):
    """A container changed by `edit`, with a CRC that says that it is whole."""
    data = bytearray(encode(sparse((300, {7: 1, 90: 2, 91: 4, 299: 3})), TABLE)[:-4])
    data = bytes(edit(data) or data)
    return data + struct.pack("<I", zlib.crc32(data))


def put(at, value):
    def edit(data):
        data[at : at + len(value)] = value

    return edit


@pytest.mark.parametrize(
    "edit, message",
    [
        (put(0, b"X"), "starts with b'DC.x01', not b'XC"),
        (put(3, b"\x02"), "header of the Deep Compression container is out of range: 2 and 4 bits, 1 axes and 5"),
        (put(4, b"\x09"), "out of range: 3 and 9 bits"),
        (put(5, b"\x00"), "out of range: 3 and 4 bits, 0 axes"),
        (put(6, b"\x08\x00"), "too short for so many|must have"),
        (put(8, b"\xff\xff"), "65535 entries need more than"),
        (put(12, b"\x0a\x00"), "entries must lie within the 10 weights, not at 299"),
        (put(12, b"\x00\x00"), "shape of the weights must hold 1 to"),
        (put(16, struct.pack("<f", float("nan"))), "table must be finite and start with 0"),
        (put(32, b"\x01\x01\x01"), "too short for so many"),
        (lambda data: data + b"\x00", "must end in less than 8 zero bits"),
        (lambda data: data[:-1], "are cut"),
        (lambda data: data[:20], "must have .* bytes or more"),
    ],
)
def test_containers_that_contradict_themselves_are_refused(edit, message):
    with pytest.raises(InputError, match=message):
        decode(resealed(edit))


@pytest.mark.parametrize(
    "codes, table, bits, message",
    [
        (np.array([0, 5]), TABLE, 4, "codes must be 0 to 4, not 0 to 5"),
        (np.array([0.5]), TABLE, 4, "codes must be integers of 1 to 4 axes, not float64"),
        (np.array([], np.int64), TABLE, 4, r"not int64 \[0\]"),
        (np.array([1]), TABLE + np.float32(1), 4, "start with 0"),
        (np.array([1]), TABLE.astype(np.float64), 4, r"table must be float32 \[2 to 256\], not float64 \[5\]"),
        (np.array([1]), np.zeros(257, np.float32), 4, r"not float32 \[257\]"),
        (np.array([1]), TABLE, 9, "index_bits must be 1 to 8, not 9"),
    ],
)
def test_bad_layers_are_refused(codes, table, bits, message):
    with pytest.raises(InputError, match=message):
        encode(codes, table, bits)
