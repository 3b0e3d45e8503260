import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.errors import InputError
from golden.huffman import Huffman, merged

VALUES = st.lists(st.integers(0, 20), max_size=200).map(lambda x: np.array(x, np.int64))


@given(VALUES)
def test_round_trip(values):
    code = Huffman.of(values, 21)
    bits = code.encode(values)
    assert bits.dtype == bool and len(bits) == code.bits(values)
    found, place = code.decode(np.concatenate([[True, False], bits, [True]]), len(values), 2)
    assert np.array_equal(found, values) and place == len(bits) + 2


@given(VALUES.filter(len))
def test_codes_are_as_short_as_the_entropy_allows(values):
    counts = np.bincount(values, minlength=21)
    code = Huffman.of(values, 21)
    assert [n > 0 for n in code.lengths] == [count > 0 for count in counts]
    shares = counts[counts > 0] / len(values)
    entropy = -float(np.sum(shares * np.log2(shares)))
    mean = code.bits(values) / len(values)
    assert entropy - 1e-9 <= mean < max(entropy, 1e-9) + 1


def test_optimal_among_all_lengths():
    counts = [7, 1, 3, 1, 2]
    best = min(
        sum(n * count for n, count in zip(lengths, counts, strict=True))
        for lengths in itertools.product(range(1, 5), repeat=5)
        if sum(2.0**-n for n in lengths) <= 1
    )
    values = np.repeat(np.arange(5), counts)
    assert Huffman.of(values, 5).bits(values) == best == 27


def test_canonical_codes_are_those_of_the_standard():
    # the example of RFC 1951, section 3.2.2
    code = Huffman((3, 3, 3, 3, 3, 2, 4, 4))
    wanted = ("010", "011", "100", "101", "110", "00", "1110", "1111")
    assert [f"{c:0{n}b}" for c, n in zip(code.codes, code.lengths, strict=True)] == list(wanted)
    assert "".join(str(int(b)) for b in code.encode([5, 7, 0])) == "00" + "1111" + "010"


def test_very_uneven_counts_stay_within_the_longest_code():
    fibonacci = [1, 1]
    while len(fibonacci) < 40:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    # Huffman's own lengths would reach 39
    values = np.repeat(np.arange(36), np.minimum(fibonacci[:36], 200_000))
    assert max(Huffman.of(values, 36).lengths) <= 32
    assert max(merged(fibonacci)) == 39


def test_one_symbol_and_none():
    one = Huffman.of(np.array([4, 4, 4]), 6)
    assert one.lengths == (0, 0, 0, 0, 1, 0) and one.encode([4, 4]).tolist() == [False, False]
    with pytest.raises(InputError, match="bits from 0 on are no Huffman code"):
        one.decode(np.array([True]), 1)
    none = Huffman.of(np.array([], np.int64), 6)
    assert none.encode([]).size == none.bits([]) == 0
    assert none.decode(np.array([], bool), 0)[1] == 0


def test_bad_codes_and_streams_are_refused():
    with pytest.raises(InputError, match="lengths of Huffman codes are too short for so many"):
        Huffman((1, 1, 2))
    with pytest.raises(InputError, match="at least one code is needed"):
        Huffman((0, 0))
    with pytest.raises(InputError, match="length of the code of symbol 1 must be 0 to 32, not 33"):
        Huffman((1, 33))
    code = Huffman((1, 2, 2, 0))
    for values, message in (([0, 3], "symbol 3 has no code"), ([4], "must be 0 to 3, not 4"), ([-1], "not -1 to -1")):
        with pytest.raises(InputError, match=message):
            code.encode(values)
    with pytest.raises(InputError, match="end before their 3 values do: they are cut"):
        code.decode(code.encode([0, 1]), 3)
