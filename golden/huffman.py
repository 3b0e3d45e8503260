"""Canonical Huffman codes: numbers in as many bits as their frequency deserves, a code known by its lengths alone."""

import heapq
from dataclasses import dataclass

import numpy as np

from golden.errors import InputError

__all__ = ["LONGEST", "Huffman"]

BLOCK = 1 << 16  # values that are encoded at a time
LONGEST = 32  # bits of a code; a code of that length needs some 5 million symbols


def merged(counts):
    """Lengths of the codes of symbols that occur `counts` times, by Huffman's algorithm; 0 where that is never."""
    lengths = np.zeros(len(counts), np.int64)
    heap = [(int(count), i, [i]) for i, count in enumerate(counts) if count]  # the second breaks ties
    if len(heap) == 1:
        lengths[heap[0][2]] = 1
    heapq.heapify(heap)
    while len(heap) > 1:
        (one, first, left), (other, _, right) = heapq.heappop(heap), heapq.heappop(heap)
        lengths[left + right] += 1
        heapq.heappush(heap, (one + other, first, left + right))
    return lengths


@dataclass(frozen=True)
class Huffman:
    """A prefix code of the symbols 0 to N - 1.

    Codes are numbered in the order of (length, symbol): the first is all zeros, each next one is the one before plus 1,
    with zeros behind it if it is longer. They are sent with the most significant bit first.

    Parameters
    ----------
    lengths : tuple of int
        Of each symbol's code, 1 to `LONGEST`; 0 for a symbol that has none.

    Raises
    ------
    InputError
        If no symbol has a code, or there are no prefix codes of such lengths.

    Source: Huffman, 1952; canonical codes as in RFC 1951, section 3.2.2.
    """

    lengths: tuple

    def __post_init__(self):
        object.__setattr__(self, "lengths", tuple(int(n) for n in self.lengths))
        for symbol, n in enumerate(self.lengths):
            if not 0 <= n <= LONGEST:
                raise InputError(f"length of the code of symbol {symbol} must be 0 to {LONGEST}, not {n}")
        space = sum(1 << LONGEST - n for n in self.lengths if n)
        if not 0 < space <= 1 << LONGEST:
            what = "at least one code is needed" if not space else "lengths of Huffman codes are too short for so many"
            raise InputError(f"{what}: {list(self.lengths)}")

    @classmethod
    def of(cls, values, symbols):
        """The shortest code for `values`, which are 0 to `symbols` - 1; if there are none, one that has symbol 0."""
        counts = np.bincount(values, minlength=symbols)
        while (found := merged(counts if counts.any() else [1])).max() > LONGEST:
            counts = (counts + 1) // 2  # flatter: none vanishes
        return cls((*found, *[0] * (symbols - len(found))))

    @property
    def codes(self):
        """Code of each symbol as an integer; 0 for one that has none."""
        found, code, length = [0] * len(self.lengths), -1, 0
        for n, symbol in sorted((n, symbol) for symbol, n in enumerate(self.lengths) if n):
            code, length = (code + 1) << (n - length), n
            found[symbol] = code
        return tuple(found)

    def bits(self, values):
        """How many bits `values` take."""
        return int(np.take(self.lengths, values).sum()) if len(values) else 0

    def encode(self, values):
        """The bits of `values` in a row: bool.

        Raises
        ------
        InputError
            If a value has no code.
        """
        values = np.asarray(values, np.int64)
        if values.size and (values.min() < 0 or values.max() >= len(self.lengths)):
            raise InputError(f"symbols must be 0 to {len(self.lengths) - 1}, not {values.min()} to {values.max()}")
        lengths, codes, places = np.array(self.lengths), np.array(self.codes), np.arange(max(self.lengths))
        if values.size and not lengths[values].all():
            raise InputError(f"symbol {values[lengths[values] == 0][0]} has no code")
        found = [np.empty(0, bool)]
        for start in range(0, len(values), BLOCK):
            part = values[start : start + BLOCK]
            n = lengths[part, None]
            bits = codes[part, None] >> np.maximum(n - 1 - places, 0) & 1
            found.append(bits[places < n].astype(bool))
        return np.concatenate(found)

    def decode(self, bits, count, start=0):
        """`count` values from `bits`, of which the first is at `start`: (int64 [count], the place behind the last).

        Raises
        ------
        InputError
            If the bits end before, or are no code.
        """
        symbols = {(n, code): s for s, (n, code) in enumerate(zip(self.lengths, self.codes, strict=True)) if n}
        stream = np.asarray(bits, np.uint8).tobytes()
        found, place, longest = np.empty(count, np.int64), start, max(self.lengths)
        for i in range(count):
            code, length = 0, 0
            while (symbol := symbols.get((length, code))) is None:
                if length == longest:
                    raise InputError(f"bits from {place - length} on are no Huffman code")
                if place >= len(stream):
                    raise InputError(f"Huffman-coded bits end before their {count} values do: they are cut")
                code, length, place = code << 1 | stream[place], length + 1, place + 1
            found[i] = symbol
        return found, place
