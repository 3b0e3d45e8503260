"""The widths that the groups of a DPRed container may have: the table in its header, and the best one for some values."""

from dataclasses import dataclass

import numpy as np

from golden.errors import InputError
from golden.precision import group_precision

__all__ = ["WidthTable", "best_table", "least_widths"]


def least_widths(groups, signed):
    """The bits that each group needs a value: its precision; 0 where all its values are 0: [..., G] -> [...]."""
    return np.where((groups != 0).any(axis=-1), group_precision(groups, signed), 0)


@dataclass(frozen=True, kw_only=True)
class WidthTable:
    """The widths in use, ascending; a group is written in the least one that holds it, and says which by its index.

    Parameters
    ----------
    word : int
        Bits of a value in memory, 8 or 16.
    widths : tuple of int
        1 to `word` of the numbers 0 to `word`, ascending, the last not 0. A group of width 0 is all zeros.

    Raises
    ------
    InputError
        If they are not.
    """

    word: int
    widths: tuple

    def __post_init__(self):
        widths = tuple(int(width) for width in self.widths)
        object.__setattr__(self, "widths", widths)
        listed = ", ".join(map(str, widths)) or "none"
        if list(widths) != sorted(set(widths)) or not set(widths) <= set(range(self.word + 1)):
            raise InputError(f"widths of a DPRed container must ascend from 0 to {self.word} at the most, not be {listed}")
        if not 1 <= len(widths) <= self.word:
            raise InputError(f"a DPRed container must have 1 to {self.word} widths, not {len(widths)}")
        if not widths[-1]:
            raise InputError("a DPRed container must have a width above 0, not 0 alone")

    @classmethod
    def of_mask(cls, word, mask):
        """The table of a header: bit k of `mask` is one if k is a width."""
        return cls(word=word, widths=tuple(width for width in range(mask.bit_length()) if mask >> width & 1))

    @property
    def mask(self):
        """As in a header."""
        return sum(1 << width for width in self.widths)

    @property
    def field_bits(self):
        """Bits of a group's index, 0 if there is one width."""
        return (len(self.widths) - 1).bit_length()

    @property
    def greatest(self):
        """The last width."""
        return self.widths[-1]

    def fields(self, least):
        """The index of the least width that holds each group; `least` are at most the greatest."""
        return np.searchsorted(self.widths, least)


def best_table(word, stored, groups, greatest=0):
    """The `WidthTable` with which the bodies of containers take the fewest bits.

    Parameters
    ----------
    word : int
    stored : int array
        How many values are stored in groups that need 0, 1, 2, … bits.
    groups : int
        Of all of them.
    greatest : int
        The last width is at least that: of values that are not known, what they may need.

    The payload of each number of widths is minimised by dynamic programming over their last but one; then the number
    of widths is the one with the least sum of payload and fields, of equal ones the smallest.
    """
    stored = np.asarray(stored)
    widths = sorted({int(width) for width in np.flatnonzero(stored)} | {max(1, greatest, *np.flatnonzero(stored)[-1:])})
    up_to = np.cumsum(np.pad(stored, (0, word + 1 - stored.size)))[widths].tolist()
    best = [(values * width, (width,)) for values, width in zip(up_to, widths)]  # of the values up to each width
    found = [best[-1]]
    while len(found) < min(len(widths), word):
        best = [
            min([best[i], *((best[j][0] + (up_to[i] - up_to[j]) * width, (*best[j][1], width)) for j in range(i))])
            for i, width in enumerate(widths)
        ]
        found.append(best[-1])
    tables = [(payload, WidthTable(word=word, widths=chosen)) for payload, chosen in found]
    return min(tables, key=lambda pair: pair[0] + groups * pair[1].field_bits)[1]
