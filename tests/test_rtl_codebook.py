"""The table in front of the array."""

from itertools import product

import numpy as np
import pytest
from gateware import evaluate

from rtl.codebook import looked_up


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_every_entry_is_found_at_its_index(bits):
    rng = np.random.default_rng(bits)
    entries = rng.integers(0, 32, 1 << bits).tolist()
    packed = sum(entry << 5 * i for i, entry in enumerate(entries))

    def unit(m, table, index):
        return looked_up(m, [table[i : i + 5] for i in range(0, len(table), 5)], index, "entry")

    found = evaluate(unit, [5 << bits, bits], [(packed, index) for index in range(1 << bits)])
    assert found == entries


def test_entries_do_not_disturb_each_other():
    def unit(m, table, index):
        return looked_up(m, [table[i : i + 1] for i in range(8)], index, "entry")

    cases = list(product(range(256), range(8)))
    assert evaluate(unit, [8, 3], cases) == [table >> index & 1 for table, index in cases]
