"""The DPRed container against a slow writer and reader of its description, and against everything that is none."""

import re
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.dpred import FRAME_BITS, DpredSpec, decode, encode, read_header
from golden.dpred_widths import WidthTable
from golden.errors import InputError
from rtl.dpred_stimulus import mutated, random_table, random_values

SPECS = [
    DpredSpec(word=word, signed=signed, group=group, zeros=zeros)
    for word in (8, 16)
    for signed in (False, True)
    for group in (4, 8, 16, 64, 256)
    for zeros in (False, True)
]


def slow_body(spec, values, table):
    """The body as an integer and its length, bit by bit."""
    body = length = 0
    per_slice = min(spec.group, 64 // spec.word)
    index_bits = next(bits for bits in range(5) if 1 << bits >= len(table))
    for start in range(0, len(values), spec.group):
        group = values[start : start + spec.group]
        index = 0
        while any(not fits(value, table[index], spec.signed) for value in group):
            index += 1
        for at in range(0, len(group), per_slice):
            part = group[at : at + per_slice]
            fields = [(index >> bit & 1, 1) for bit in reversed(range(index_bits))] if at == 0 else []
            fields += [(int(value != 0), 1) for value in part] if spec.zeros else []
            fields += [(value % (1 << table[index]), table[index]) for value in part if value or not spec.zeros]
            for value, width in fields:
                body |= value << length
                length += width
    return body, length


def fits(value, width, signed):
    """Whether `width` bits hold it; those of signed ones other than 0 begin at 2."""
    if signed and value:
        return width > 1 and -(1 << width - 1) <= value < 1 << width - 1
    return value < 1 << width


def slow_encode(spec, values, table):
    body, length = slow_body(spec, values, table)
    low = 0xD2 | (spec.group.bit_length() - 3) << 8 | (spec.word == 16) << 11 | spec.signed << 12 | spec.zeros << 13
    low |= sum(1 << 15 + width for width in table)
    octets = low.to_bytes(4, "little") + len(values).to_bytes(4, "little")
    octets += body.to_bytes(-(-length // 64) * 8, "little")
    octets += zlib.crc32(octets).to_bytes(4, "little") + bytes(4)
    return [int.from_bytes(octets[at : at + 8], "little") for at in range(0, len(octets), 8)]


def slow_decode(words):
    """The values of a container that is right."""
    octets = b"".join(word.to_bytes(8, "little") for word in words)
    low, count = int.from_bytes(octets[:4], "little"), int.from_bytes(octets[4:8], "little")
    word, signed, zeros, group = (16 if low >> 11 & 1 else 8), low >> 12 & 1, low >> 13 & 1, 4 << (low >> 8 & 7)
    table = [width for width in range(17) if low >> 15 + width & 1]
    body, values = int.from_bytes(octets[8:-8], "little"), []

    def take(bits):
        nonlocal body
        found = body % (1 << bits)
        body >>= bits
        return found

    while len(values) < count:
        here = min(group, 64 // word, count - len(values))
        if len(values) % group == 0:
            index, codes = 0, 1
            while codes < len(table):
                index, codes = 2 * index + take(1), 2 * codes
            width = table[index]
        present = [take(1) for _ in range(here)] if zeros else [1] * here
        for one in present:
            value = take(width) if one else 0
            values.append(value - (1 << width if signed and width and value >> width - 1 else 0))
    return values


def cost(spec, values, table):
    """Bits of the body."""
    return slow_body(spec, values, table)[1]


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
    values = draw(st.lists(value, min_size=1, max_size=80)) * draw(st.sampled_from([1, 1, 7]))
    least = max(next(w for w in range(17) if fits(value, w, spec.signed)) for value in values)
    last = draw(st.integers(max(1, least), spec.word))
    others = draw(st.sets(st.integers(0, last - 1), max_size=spec.word - 1)) if last else set()
    return spec, values, sorted({*others, last})


@given(contents())
@settings(deadline=None)
def test_against_the_slow_writer_and_reader(content):
    spec, values, table = content
    words = encode(spec, np.array(values), WidthTable(word=spec.word, widths=table))
    assert words.tolist() == slow_encode(spec, values, table)
    assert read_header(int(words[0])) == (spec, WidthTable(word=spec.word, widths=table), len(values))
    found, x = decode(words)
    assert found == spec and x.tolist() == values == slow_decode(words.tolist())


@given(contents())
@settings(deadline=None)
def test_the_size_is_counted_exactly_and_the_best_table_is_not_beaten(content):
    spec, values, table = content
    length, parts = cost(spec, values, table), spec.parts(values, WidthTable(word=spec.word, widths=table))
    assert length == parts.payload + parts.fields + parts.zeros
    assert parts.fields == (len(table) - 1).bit_length() * -(-len(values) // spec.group)
    assert parts.zeros == (len(values) if spec.zeros else 0)
    assert spec.bits(values) == cost(spec, values, spec.table(values).widths) <= length
    assert encode(spec, values).size * 64 == FRAME_BITS + -(-spec.bits(values) // 64) * 64


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_every_value_of_every_spec(spec):
    values = np.arange(spec.format.lo, spec.format.hi + 1)[:: 1 if spec.word == 8 else 61]
    for x in (values, np.random.default_rng(1).permutation(values), np.zeros(300, int), values[:1]):
        assert encode(spec, x).tolist() == slow_encode(spec, x.tolist(), spec.table(x).widths)
        np.testing.assert_array_equal(decode(encode(spec, x))[1], x)


def test_values_are_taken_in_storage_order():
    x = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    spec = DpredSpec()
    np.testing.assert_array_equal(encode(spec, x), encode(spec, x.ravel()))
    assert spec.widths(x).tolist() == [4, 5]


def test_zeros_alone_are_a_bit_a_group():
    spec = DpredSpec(group=256)
    words = encode(spec, np.zeros(64 * 256, int))
    assert words.size == 3 and spec.table(np.zeros(64 * 256, int)).widths == (0, 1)
    assert not decode(words)[1].any() and decode(words)[1].size == 64 * 256


def test_a_table_from_a_profile_holds_what_may_come():
    rng, spec = np.random.default_rng(5), DpredSpec(signed=True)
    profile = [rng.integers(-3, 4, 500), np.zeros(100, int)]
    assert spec.table(*profile).widths == (0, 3)
    table = spec.table(*profile, greatest=7)
    assert table.widths == (0, 3, 7)
    x = np.append(rng.integers(-3, 4, 100), 60)
    assert decode(encode(spec, x, table))[1].tolist() == x.tolist()
    with pytest.raises(InputError, match="x has values of 8 bits; the greatest width is 7"):
        encode(spec, np.append(x, 64), table)


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


@pytest.mark.parametrize(
    "widths, message",
    [
        ((2, 9), "widths of a DPRed container must ascend from 0 to 8 at the most, not be 2, 9"),
        ((3, 2), "widths of a DPRed container must ascend from 0 to 8 at the most, not be 3, 2"),
        ((2, 2), "must ascend from 0 to 8 at the most, not be 2, 2"),
        ((-1, 2), "must ascend from 0 to 8 at the most, not be -1, 2"),
        ((), "a DPRed container must have 1 to 8 widths, not 0"),
        (range(9), "a DPRed container must have 1 to 8 widths, not 9"),
        ((0,), "a DPRed container must have a width above 0, not 0 alone"),
    ],
)
def test_tables_that_are_none_are_refused(widths, message):
    with pytest.raises(InputError, match=message):
        WidthTable(word=8, widths=widths)


def test_values_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="widths must be those of values of 8 bits, not of 16"):
        encode(DpredSpec(), [3], WidthTable(word=16, widths=(4,)))
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


GOOD = encode(DpredSpec(), np.arange(40), WidthTable(word=8, widths=(4, 5, 6)))
HEADER = int(GOOD[0])


@pytest.mark.parametrize(
    "words, message",
    [
        (GOOD.astype(np.int64), "container must be words of uint64 in a row, not int64"),
        (GOOD[:, None], "container must be words of uint64 in a row"),
        (GOOD[:2], "a DPRed container has at least 3 words, not 2"),
        (GOOD[:0], "a DPRed container has at least 3 words, not 0"),
        (sealed(altered(GOOD, 0, HEADER ^ 1)), "first byte of a DPRed container must be 0xd2, not 0xd3"),
        (sealed(altered(GOOD, 0, HEADER ^ 1 << 14)), "reserved bit of a DPRed container must be 0x0, not 0x1"),
        (sealed(altered(GOOD, 0, HEADER | 7 << 8)), "log2 of the group of a DPRed container must be 2 to 8, not 9"),
        (sealed(altered(GOOD, 0, HEADER & ~(0x1FFFF << 15))), "a DPRed container must have 1 to 8 widths, not 0"),
        (sealed(altered(GOOD, 0, HEADER | 0x1FF << 15)), "a DPRed container must have 1 to 8 widths, not 9"),
        (sealed(altered(GOOD, 0, HEADER & ~(0x1FFFF << 15) | 1 << 15)), "a DPRed container must have a width above 0, not 0 al"),
        (sealed(altered(GOOD, 0, HEADER ^ 1 << 31)), "widths of a DPRed container must ascend from 0 to 8 at the most, not b"),
        (sealed(altered(GOOD, 1, int(GOOD[1]) | 3)), "fields of a DPRed container must be less than 3, the number of its wid"),
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
        drawn = [random_values(rng, spec, rng.integers(1, 200)) for _ in range(4)]
        containers += [encode(spec, x, random_table(rng, spec, x)) for x in drawn]
    for _ in range(count):
        words = mutated(rng, containers[rng.integers(len(containers))])
        try:
            spec, x = decode(words)
        except InputError as error:
            assert "\n" not in str(error)
            refused += 1
            continue
        assert x.min() >= spec.format.lo and x.max() <= spec.format.hi
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
    table = spec.table(values).widths
    bits = "".join("".join(re.findall(r"`([01]+)`", row)) for row in re.findall(r"^\| ((?:`[01]+` ?)+)\|", text, re.M))
    body, length = slow_body(spec, values, table)
    assert bits[::-1] == f"{body:0{length}b}" and len(bits) == spec.bits(values)
