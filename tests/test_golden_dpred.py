"""The DPRed container against a slow writer and reader of its description, and against everything that is none."""

import re
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.dpred import FRAME_BITS, DpredSpec, decode, encode
from golden.errors import InputError
from rtl.dpred_stimulus import mutated, random_values

SPECS = [
    DpredSpec(word=word, signed=signed, group=group, zeros=zeros)
    for word in (8, 16)
    for signed in (False, True)
    for group in (4, 8, 16, 64, 256)
    for zeros in (False, True)
]


def slow_body(spec, values):
    """The body as an integer and its length, bit by bit."""
    body = length = 0
    per_slice = min(spec.group, 64 // spec.word)
    for start in range(0, len(values), spec.group):
        group = values[start : start + spec.group]
        precision = 1
        while any(not fits(value, precision, spec.signed) for value in group):
            precision += 1
        for at in range(0, len(group), per_slice):
            part = group[at : at + per_slice]
            fields = [(precision - 1, 4 if spec.word == 16 else 3)] if at == 0 else []
            fields += [(int(value != 0), 1) for value in part] if spec.zeros else []
            fields += [(value % (1 << precision), precision) for value in part if value or not spec.zeros]
            for value, width in fields:
                body |= value << length
                length += width
    return body, length


def fits(value, precision, signed):
    """Whether `precision` bits hold it; those of signed ones other than 0 begin at 2."""
    if signed and value:
        return precision > 1 and -(1 << precision - 1) <= value < 1 << precision - 1
    return value < 1 << precision


def slow_encode(spec, values):
    body, length = slow_body(spec, values)
    header = [ord("D"), ord("P"), 1 | (spec.word == 16) << 4 | spec.signed << 5 | spec.zeros << 6]
    octets = bytes([*header, spec.group.bit_length() - 1]) + len(values).to_bytes(4, "little")
    octets += body.to_bytes(-(-length // 64) * 8, "little")
    octets += zlib.crc32(octets).to_bytes(4, "little") + bytes(4)
    return [int.from_bytes(octets[at : at + 8], "little") for at in range(0, len(octets), 8)]


def slow_decode(words):
    """The values of a container that is right."""
    octets = b"".join(word.to_bytes(8, "little") for word in words)
    word, signed, zeros = (16 if octets[2] & 16 else 8), bool(octets[2] & 32), bool(octets[2] & 64)
    group, count = 1 << octets[3], int.from_bytes(octets[4:8], "little")
    body, values = int.from_bytes(octets[8:-8], "little"), []

    def take(bits):
        nonlocal body
        found = body % (1 << bits)
        body >>= bits
        return found

    while len(values) < count:
        here = min(group, 64 // word, count - len(values))
        if len(values) % group == 0:
            precision = 1 + take(4 if word == 16 else 3)
        present = [take(1) for _ in range(here)] if zeros else [1] * here
        for one in present:
            value = take(precision) if one else 0
            values.append(value - (value >> precision - 1 << precision if signed else 0))
    return values


@st.composite
def contents(draw):
    spec = DpredSpec(
        word=draw(st.sampled_from([8, 16])),
        signed=draw(st.booleans()),
        group=draw(st.sampled_from([4, 8, 16, 32, 64, 128, 256])),
        zeros=draw(st.booleans()),
    )
    least, most = spec.format.lo, spec.format.hi
    value = st.integers(least, most) | st.integers(max(least, -2), 3) | st.just(0)
    return spec, draw(st.lists(value, min_size=1, max_size=80)) * draw(st.sampled_from([1, 1, 7]))


@given(contents())
@settings(deadline=None)
def test_against_the_slow_writer_and_reader(content):
    spec, values = content
    words = encode(spec, np.array(values))
    assert words.tolist() == slow_encode(spec, values)
    found, x = decode(words)
    assert found == spec and x.tolist() == values == slow_decode(words.tolist())


@given(contents())
@settings(deadline=None)
def test_the_size_is_counted_exactly(content):
    spec, values = content
    length, parts = slow_body(spec, values)[1], spec.parts(values)
    assert spec.bits(values) == length == parts.payload + parts.widths + parts.zeros
    assert parts.widths == (4 if spec.word == 16 else 3) * -(-len(values) // spec.group)
    assert parts.zeros == (len(values) if spec.zeros else 0)
    assert encode(spec, values).size * 64 == FRAME_BITS + -(-length // 64) * 64


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_every_value_of_every_spec(spec):
    values = np.arange(spec.format.lo, spec.format.hi + 1)[:: 1 if spec.word == 8 else 61]
    for x in (values, np.random.default_rng(1).permutation(values), np.zeros(300, int), values[:1]):
        assert encode(spec, x).tolist() == slow_encode(spec, x.tolist())
        np.testing.assert_array_equal(decode(encode(spec, x))[1], x)


def test_values_are_taken_in_storage_order():
    x = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    spec = DpredSpec()
    np.testing.assert_array_equal(encode(spec, x), encode(spec, x.ravel()))
    assert spec.precisions(x).tolist() == [4, 5]


def test_a_million_values_take_seconds():
    x = np.random.default_rng(2).geometric(0.1, 1_000_000).clip(0, 255) - 1
    for spec in (DpredSpec(group=4, zeros=True), DpredSpec(word=16, signed=True, group=16)):
        begin = time.process_time()
        words = encode(spec, x)
        assert spec.bits(x) == spec.parts(x).total
        np.testing.assert_array_equal(decode(words)[1], x)
        assert time.process_time() - begin < 10


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"word": 4}, "word must be 8 or 16, not 4"),
        ({"signed": 2}, "signed must be 0 or 1, not 2"),
        ({"zeros": -1}, "zeros must be 0 or 1, not -1"),
        ({"group": 2}, "group must be a power of two from 4 to 256, not 2"),
        ({"group": 24}, "group must be a power of two from 4 to 256, not 24"),
        ({"group": 512}, "group must be a power of two from 4 to 256, not 512"),
    ],
)
def test_specs_out_of_range_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        DpredSpec(**settings)


def test_values_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="x holds 256"):
        encode(DpredSpec(), [3, 256])
    with pytest.raises(InputError, match="x holds -129"):
        encode(DpredSpec(signed=True), [-129])
    with pytest.raises(InputError, match="x must hold 1 to 4294967295 values, not 0"):
        encode(DpredSpec(), np.zeros(0, int))
    with pytest.raises(InputError, match="x must"):
        encode(DpredSpec(), [0.5])


def altered(words, at, value):
    words = words.copy()
    words[at] = value
    return words


def sealed(words):
    """With the CRC made right, so that only what is wrong otherwise is."""
    words = np.array(words, np.uint64)
    words[-1] = zlib.crc32(words[:-1].tobytes())
    return words


GOOD = encode(DpredSpec(), np.arange(40))
HEADER = int(GOOD[0])


@pytest.mark.parametrize(
    "words, message",
    [
        (GOOD.astype(np.int64), "container must be words of uint64 in a row, not int64"),
        (GOOD[:, None], "container must be words of uint64 in a row"),
        (GOOD[:2], "a DPRed container has at least 3 words, not 2"),
        (GOOD[:0], "a DPRed container has at least 3 words, not 0"),
        (sealed(altered(GOOD, 0, HEADER ^ 1)), "magic of a DPRed container must be 0x5044, not 0x5045"),
        (sealed(altered(GOOD, 0, HEADER ^ 1 << 17)), "version of a DPRed container must be 0x1, not 0x3"),
        (sealed(altered(GOOD, 0, HEADER ^ 1 << 23)), "reserved bit of a DPRed container must be 0x0, not 0x1"),
        (sealed(altered(GOOD, 0, HEADER ^ 1 << 31)), "log2 of the group of a DPRed container must be 2 to 8, not 132"),
        (sealed(altered(GOOD, 0, HEADER & ~(7 << 24))), "log2 of the group of a DPRed container must be 2 to 8, not 0"),
        (sealed(altered(GOOD, 0, HEADER & 0xFFFFFFFF)), "must hold at least 1 value, not 0"),
        (sealed(altered(GOOD, 0, HEADER | 0xFFFFFFFF << 32)), "of 4294967295 values does not fit in 6 words: it is cut"),
        (sealed(np.delete(GOOD, 4)), "ends after 5 words, before its 40 values do"),
        (sealed(np.insert(GOOD, 5, 0)), "of 40 values must have 6 words, not 7"),
        (sealed(altered(GOOD, 4, int(GOOD[4]) | 1 << 63)), "padding of a DPRed container must be zero"),
        (altered(GOOD, 5, int(GOOD[5]) ^ 1), "CRC of the DPRed container is"),
        (altered(GOOD, 5, int(GOOD[5]) | 1 << 40), "CRC of the DPRed container is"),
        (altered(GOOD, 2, int(GOOD[2]) ^ 1 << 40), "CRC of the DPRed container is"),
    ],
)
def test_what_is_no_container_is_refused(words, message):
    with pytest.raises(InputError, match=message) as caught:
        decode(words)
    assert "\n" not in str(caught.value)


def fuzz(count, seed):
    """Decode `count` mutants: how many were refused."""
    rng, refused, containers = np.random.default_rng(seed), 0, []
    for spec in SPECS:
        containers += [encode(spec, random_values(rng, spec, rng.integers(1, 200))) for _ in range(4)]
    for _ in range(count):
        words = mutated(rng, containers[rng.integers(len(containers))])
        try:
            spec, x = decode(words)
        except InputError as error:
            assert "\n" not in str(error)
            refused += 1
            continue
        assert x.min() >= spec.format.lo and x.max() <= spec.format.hi
        if words.tolist() != encode(spec, x).tolist():  # in more bits than needed, under a right CRC
            assert slow_decode(words.tolist()) == x.tolist()
            assert int(words[-1]) == zlib.crc32(words[:-1].tobytes())
    return refused


def test_mutated_containers():
    assert fuzz(4000, 3) > 3000


@pytest.mark.long
def test_a_hundred_thousand_mutated_containers():
    assert fuzz(100_000, 4) > 80_000


def test_the_example_of_the_documentation():
    text = (Path(__file__).parents[1] / "docs" / "dpred.md").read_text()
    spec, values = DpredSpec(word=8, signed=True, group=4, zeros=True), [0, 3, 1, 0, 9, -1, 0, 2, 5]
    octets = bytes.fromhex(" ".join(re.findall(r"^\| `((?:[0-9a-f]{2} ){7}[0-9a-f]{2})` \|", text, re.M)))
    assert octets == encode(spec, values).tobytes()
    bits = "".join("".join(re.findall(r"`([01]+)`", row)) for row in re.findall(r"^\| ((?:`[01]+` ?)+)\|", text, re.M))
    body, length = slow_body(spec, values)
    assert bits[::-1] == f"{body:0{length}b}" and len(bits) == spec.bits(values) == 43
