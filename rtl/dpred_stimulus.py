"""Values of every precision, and containers that are wrong in every way."""

import zlib

import numpy as np

from golden.dpred import body, framed
from golden.dpred_widths import WidthTable

__all__ = ["astray", "mutated", "of_all_widths", "random_table", "random_values", "sealed", "with_bit"]


def random_values(rng, spec, count):
    """Values of all precisions, alike in runs, many of them zero or at a limit; or all of them large."""
    lo, hi = spec.format.lo, spec.format.hi
    values = rng.integers(lo, hi, count, endpoint=True)
    if rng.random() < 0.3:
        return np.where(values == 0, hi, values)
    bits = np.repeat(rng.integers(0, spec.word + 1, -(-count // 4)), 4)[:count]
    values = np.where(rng.random(count) < 0.1, rng.choice([lo, hi], count), values)
    values >>= spec.word - np.minimum(bits, rng.choice([1, spec.word // 2, spec.word, spec.word]))
    return np.where(rng.random(count) < rng.choice([0, 0.5, 0.95]), 0, values)


def random_table(rng, spec, x):
    """Widths for the values `x`: the best, all but 0, or any that suffice."""
    kind = rng.integers(4)
    if kind == 0:
        return spec.table(x)
    if kind == 1:
        return WidthTable(word=spec.word, widths=range(1, spec.word + 1))
    least = max(1, int(spec.widths(x).max()))
    widths = {*rng.choice(spec.word, rng.integers(spec.word), replace=False).tolist(), int(rng.integers(least, spec.word + 1))}
    return WidthTable(word=spec.word, widths=sorted(widths))


def of_all_widths(rng, spec, groups):
    """A table of any widths, and values of which each group needs any of it, some of them zero."""
    count = rng.integers(1, spec.word)
    widths = np.sort(rng.choice(np.arange(1, spec.word + 1), count, replace=False))
    widths = np.append(0, widths) if rng.random() < 0.5 else widths
    bits = rng.choice(widths, (groups, 1))
    magnitude = np.where(bits > spec.signed, 1 << np.maximum(bits - spec.signed, 0), 1)  # signed, one bit holds only 0
    values = np.where(rng.random((groups, spec.group)) < 0.3, 0, rng.integers(magnitude, size=(groups, spec.group)))
    values[:, :1] = magnitude - 1
    values = np.where(rng.random(values.shape) < 0.5 * spec.signed, np.where(magnitude > 1, ~values, 0), values)
    return WidthTable(word=spec.word, widths=widths), values.ravel()


def astray(rng, spec):
    """A container in which nothing is wrong but the fields of groups of zeros, which are not of the table."""
    table = None
    while table is None or len(table.widths).bit_count() == 1:
        table, x = of_all_widths(rng, spec, rng.integers(2, 12))
    x[: spec.group] = 0
    least = spec.widths(x)
    fields = np.where(least, table.fields(least), rng.integers(len(table.widths), 1 << table.field_bits, least.size))
    widths = np.where(least, np.array(table.widths)[table.fields(least)], 0)
    return framed(spec, table.mask, x.size, body(spec, x, widths, fields, table.field_bits))


def mutated(rng, words):
    """The container `words` with bits flipped, words cut, put in, swapped or random, or another count; at least one
    word is left. Of most, the CRC is right again."""
    words, one = words.copy(), np.uint64(1)
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        size, kind = words.size, rng.integers(8)
        at, other = rng.integers(size, size=2)
        if kind == 0:
            words[at] ^= one << np.uint64(rng.integers(64))
        elif kind == 1:
            words = words[: max(1, at)]
        elif kind == 2 and size > 1:
            words = np.delete(words, at)
        elif kind == 3:
            put = rng.choice([0, rng.integers(1 << 63)])
            words = np.insert(words, rng.choice([size, rng.integers(size + 1)]), np.repeat(put, rng.integers(1, 4)))
        elif kind == 4:
            words[[at, other]] = words[[other, at]]
        elif kind == 5:
            words[at] = rng.integers(1 << 64, dtype=np.uint64)
        elif kind == 6:  # padding, or what is like it
            words[max(0, size - 2)] |= one << np.uint64(63 - rng.integers(64) * rng.integers(64) // 64)
        else:  # a bit of the table or of the count
            words[0] ^= one << np.uint64(rng.integers(15, 64))
    return sealed(words) if rng.random() < 0.7 else words


def with_bit(words, at, bit):
    """The container `words` with one bit of one word flipped, and its CRC right for that."""
    words = words.copy()
    words[at] ^= np.uint64(1) << np.uint64(bit)
    return sealed(words)


def sealed(words):
    """`words`, of which the last is made the trailer of the others."""
    words[-1] = zlib.crc32(words[:-1].astype("<u8").tobytes())
    return words
