"""Codebooks: numbers that are looked up in a table."""

import re
from dataclasses import dataclass

import numpy as np

from golden.errors import InputError
from golden.formats.base import UnitFormat
from golden.formats.integers import Integer

__all__ = ["Codebook"]

WIDEST = 8  # bits of an index


@dataclass(frozen=True)
class Codebook(UnitFormat):
    """Weight sharing: a code is an index, its number the entry of a table of integers of one format.

    The name holds the table: ``codebook_int8_00ff7f80`` has the entries 0, -1, 127 and -128, as codes of ``int8`` in
    hexadecimal, entry 0 first; its codes have 2 bits.

    A number is rounded to the nearest entry, of two that are as near to the one of the lower index. Of entries that are
    equal, only the first is written.

    Parameters
    ----------
    entry : Integer
        Format of the entries, up to 16 bits; its unit is the codebook's.
    table : tuple of int
        2 to 256 integers, a power of two of them.

    Source: Han, Mao and Dally, Deep Compression, section 3.
    """

    pattern = re.compile(r"codebook_(u?int\d{1,4}(?:e-?\d{1,4})?)_([0-9a-f]+)")
    allowed = "codebook_<integer format of up to 16 bits>_<2 to 256 entries in hexadecimal>"

    entry: Integer
    table: tuple

    def __post_init__(self):
        if not isinstance(self.entry, Integer) or self.entry.width > 16:
            raise InputError(f"entries of a codebook must be integers of up to 16 bits, not {self.entry}")
        table = self.entry.check(np.array(self.table), "a codebook")
        sizes = [1 << width for width in range(1, WIDEST + 1)]
        if table.shape not in [(size,) for size in sizes]:
            raise InputError(f"a codebook must have {', '.join(map(str, sizes))} entries, not {list(table.shape)}")
        object.__setattr__(self, "table", tuple(table.tolist()))

    @classmethod
    def from_match(cls, match):
        entry, digits = Integer.from_match(Integer.pattern.fullmatch(match[1])), match[2]
        each = -(-entry.width // 4)
        codes = np.array([int(digits[i : i + each], 16) for i in range(0, len(digits), each)], np.uint32)
        if len(digits) % each or (codes >> entry.width).any():
            raise InputError(f"entries of a codebook of {entry} are {each} hexadecimal digits each, not {digits!r}")
        return cls(entry, tuple(entry.integers(codes).tolist()))

    @property
    def name(self):
        each = -(-self.entry.width // 4)
        return f"codebook_{self.entry}_{''.join(f'{code:0{each}x}' for code in self.entry.codes(self.table).tolist())}"

    @property
    def width(self):
        return len(self.table).bit_length() - 1

    @property
    def exponent(self):
        return self.entry.exponent

    @property
    def lo(self):
        return min(self.table)

    @property
    def hi(self):
        return max(self.table)

    @property
    def signed(self):
        return self.lo < 0

    def holds(self, integers):
        return np.isin(integers, self.table)

    def nearest(self, x):
        entries, first = np.unique(self.table, return_index=True)  # the first index of each
        middles = (entries[1:] + entries[:-1]) / 2
        middles = np.where(first[1:] < first[:-1], np.nextafter(middles, -np.inf), middles)  # the tie's goes up
        return entries[np.searchsorted(middles, self.units(x), "left")]

    def neighbours(self, x):
        x, entries = np.clip(self.units(x), self.lo, self.hi), np.unique(self.table)
        return entries[np.searchsorted(entries, x, "right") - 1], entries[np.searchsorted(entries, x, "left")]

    def integers(self, codes):
        return np.array(self.table, np.int64)[codes]

    def codes(self, integers):
        entries, first = np.unique(self.table, return_index=True)
        return first[np.minimum(np.searchsorted(entries, integers), len(entries) - 1)].astype(np.uint8)
