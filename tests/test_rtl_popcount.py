"""The count of ones, of every input."""

import pytest
from gateware import evaluate

from rtl.popcount import popcount


@pytest.mark.parametrize("width", [*range(1, 10), 16])
def test_every_pattern_is_counted(width):
    patterns = range(1 << width) if width < 10 else range(0, 1 << width, 97)
    widths = set()

    def unit(m, x):
        count = popcount(m, x, "count")
        widths.add(len(count))
        return count

    found = evaluate(unit, [width], [(pattern,) for pattern in patterns])
    assert found == [pattern.bit_count() for pattern in patterns] and widths == {width.bit_length()}


def test_long_words_are_counted_to_their_last_bit():
    words = [(1 << 64) - 1, 0, *(1 << i for i in range(64)), *((1 << i) - 1 for i in range(64)), 0xDEADBEEFCAFEF00D]
    assert evaluate(lambda m, x: popcount(m, x, "count"), [64], [(word,) for word in words]) == [w.bit_count() for w in words]
