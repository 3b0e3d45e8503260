"""Codes in the bytes of a beat: known bytes, and every layout there and back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtl.beats import Beats, pack_fields, stream_bytes, unpack_fields


@pytest.mark.parametrize(("width", "count"), [(1, 1), (7, 1), (8, 1), (9, 2), (64, 8), (65, 9)])
def test_a_stream_is_whole_bytes(width, count):
    assert stream_bytes(width) == count


def test_the_first_element_lies_in_the_low_bits():
    assert pack_fields((np.array([[1, 3, 0, 2]]), 2)).tolist() == [[0b10_00_11_01]]
    assert pack_fields((np.array([[0x1, 0xABC]]), 12)).tolist() == [[0x01, 0xC0, 0xAB]]
    assert pack_fields((np.array([[0x12345678]]), 32)).tolist() == [[0x78, 0x56, 0x34, 0x12]]
    assert pack_fields((np.array([[5], [6]]), 3)).tolist() == [[5], [6]]


def test_fields_of_an_element_lie_together_the_first_lowest():
    m, b = np.array([[1, -1]]), np.array([[-2, 3]])
    assert pack_fields((m, 4), (b, 4)).tolist() == [[0xE1, 0x3F]]


@st.composite
def fields(draw):
    beats, elements = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    widths = draw(st.lists(st.integers(1, 61), min_size=1, max_size=4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return [rng.integers(0, 1 << width, (beats, elements), dtype=np.uint64) for width in widths], widths


@given(fields())
@settings(max_examples=100)
def test_unpacking_inverts_packing(case):
    codes, widths = case
    data = pack_fields(*zip(codes, widths, strict=True))
    beats, elements = codes[0].shape
    assert data.dtype == np.uint8 and data.shape == (beats, stream_bytes(elements * sum(widths)))
    for found, given_codes in zip(unpack_fields(data, elements, *widths), codes, strict=True):
        assert np.array_equal(found, given_codes)
    for beat, row in enumerate(data):  # the same as one number a beat, in Python's integers
        number, place = 0, 0
        for element in range(elements):
            for part, width in zip(codes, widths, strict=True):
                number |= int(part[beat, element]) << place
                place += width
        assert int.from_bytes(row.tobytes(), "little") == number


@given(st.integers(2, 61), st.integers(0, 2**32))
def test_negative_integers_are_cut_to_twos_complement(width, seed):
    rng = np.random.default_rng(seed)
    integers = rng.integers(-1 << (width - 1), 1 << (width - 1), (3, 2))
    [codes] = unpack_fields(pack_fields((integers, width)), 2, width)
    assert (codes.astype(object) == integers.astype(object) % (1 << width)).all()


def test_packets_end_with_last():
    beats = Beats.of_packets(np.arange(12).reshape(2, 3, 2), 4)
    assert len(beats) == 6
    assert beats.data.tolist() == [[0x10], [0x32], [0x54], [0x76], [0x98], [0xBA]]
    assert beats.last.tolist() == [False, False, True] * 2
