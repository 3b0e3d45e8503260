"""The DPRed container: integers in as many bits as the greatest of each group needs; `docs/dpred.md` has every bit."""

import zlib
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from golden.dpred_widths import WidthTable, best_table, least_widths
from golden.errors import InputError
from golden.formats import Integer
from golden.precision import grouped

__all__ = [
    "FRAME_BITS",
    "TABLE_AT",
    "TABLE_BITS",
    "WORD_BITS",
    "BodyBits",
    "DpredSpec",
    "body",
    "decode",
    "encode",
    "framed",
    "read_header",
    "walk",
]

WORD_BITS = 64  # of a memory word, and of a word of the container
FRAME_BITS = 2 * WORD_BITS  # of header and trailer
MAGIC = 0xD2  # version 2
TABLE_AT, TABLE_BITS = 15, 17  # in the header
MOST = (1 << 32) - 1  # values in a container


class BodyBits(NamedTuple):
    """Bits of a container's body, before it is padded to whole words."""

    payload: int
    fields: int
    zeros: int

    @property
    def total(self):
        """All of them."""
        return sum(self)


@dataclass(frozen=True, kw_only=True)
class DpredSpec:
    """How values lie in a container.

    Parameters
    ----------
    word : int
        Bits of a value in memory: 8 or 16.
    signed : bool
        Two's complement, not unsigned.
    group : int
        Values that share a width: a power of two, 4 to 256.
    zeros : bool
        A bit a value says whether it is zero; zeros have no payload.

    Raises
    ------
    InputError
        If a parameter is out of range.

    Source: Delmas et al., DPRed, arXiv:1804.06732 (abstract), for widths a group; Delmas Lascorz et al.,
    ShapeShifter, MICRO 2019, for the zero vector. The layout is ours.
    """

    word: int = 8
    signed: bool = False
    group: int = 16
    zeros: bool = False

    def __post_init__(self):
        if self.word not in (8, 16):
            raise InputError(f"word must be 8 or 16, not {self.word}")
        for name in ("signed", "zeros"):
            if getattr(self, name) not in (False, True):
                raise InputError(f"{name} must be 0 or 1, not {getattr(self, name)}")
            object.__setattr__(self, name, bool(getattr(self, name)))
        if self.group not in (4, 8, 16, 32, 64, 128, 256):
            raise InputError(f"group must be a power of two from 4 to 256, not {self.group}")

    @property
    def format(self):
        """Format of a value."""
        return Integer(self.word, signed=self.signed)

    @property
    def per_word(self):
        """Values in a memory word."""
        return WORD_BITS // self.word

    @property
    def slice(self):
        """Values in a slice: those of one group in one memory word."""
        return min(self.group, self.per_word)

    @property
    def header(self):
        """The header but for its table and the count."""
        return MAGIC | (self.group.bit_length() - 3) << 8 | (self.word == 16) << 11 | self.signed << 12 | self.zeros << 13

    def check(self, x):
        """The values of `x` in storage order, int64 [N]; `InputError` if one does not fit `word`, or N is out of range."""
        x = self.format.check(x, "x").ravel()
        if not 1 <= x.size <= MOST:
            raise InputError(f"x must hold 1 to {MOST} values, not {x.size}")
        return x.astype(np.int64, copy=False)

    def widths(self, x):
        """The bits that each group of `x` needs a value, 0 where all are 0."""
        return least_widths(grouped(self.check(x), self.group), self.signed)

    def stored(self, x):
        """How many values each group of `x` stores: all it has or, with zero vectors, those that are not 0."""
        present = self.check(x) != 0 if self.zeros else np.ones(np.size(x), bool)
        return np.count_nonzero(grouped(present, self.group), axis=1)

    def table(self, *tensors, greatest=0):
        """The best `WidthTable` for containers of `tensors`, and for what is like them and needs up to `greatest` bits."""
        widths, stored = (np.concatenate([count(x) for x in tensors]) for count in (self.widths, self.stored))
        return best_table(self.word, np.bincount(widths, stored).astype(np.int64), widths.size, greatest)

    def parts(self, x, table=None):
        """The `BodyBits` of `x`, counted without encoding it."""
        table, least = table or self.table(x), self.widths(x)
        payload = int((self.stored(x) * np.array(table.widths)[self.fields(table, least)]).sum())
        return BodyBits(payload, table.field_bits * least.size, np.size(x) if self.zeros else 0)

    def bits(self, x, table=None):
        """Bits of the body of `x`: all but header, trailer and the zeros before it, which make `FRAME_BITS` and up to 63."""
        return self.parts(x, table).total

    def fields(self, table, least):
        """The index in `table` for each group that needs `least` bits; `InputError` if there is none."""
        if table.word != self.word:
            raise InputError(f"widths must be those of values of {self.word} bits, not of {table.word}")
        if least.max() > table.greatest:
            raise InputError(f"x has values of {least.max()} bits; the greatest width is {table.greatest}")
        return table.fields(least)


def bits_of(codes, width):
    """The low `width` bits of each unsigned code, the lowest first: bool [..., width]."""
    return (codes[..., None] >> np.arange(width) & 1).astype(bool)


def body(spec, x, widths, fields, field_bits):
    """The bits of the body of checked values `x` [N], which may be none, with a width and a field a group: bool."""
    slices = grouped(x, spec.slice)
    first = np.arange(len(slices)) * spec.slice % spec.group == 0
    widths, fields = (np.repeat(part, spec.group // spec.slice)[: len(slices)] for part in (widths, fields))
    there = np.arange(slices.size).reshape(slices.shape) < x.size
    stored = slices != 0 if spec.zeros else there
    # a row a slice, a column a bit that it may have
    parts = [(bits_of(fields, field_bits)[:, ::-1], np.broadcast_to(first[:, None], (len(slices), field_bits)))]
    if spec.zeros:
        parts.append((stored, there))
    kept = stored[..., None] & (np.arange(spec.word) < widths[:, None, None])
    kept = kept.reshape(len(slices), spec.slice * spec.word)
    parts.append((bits_of(slices, spec.word).reshape(kept.shape), kept))
    bits, present = (np.concatenate(part, axis=1) for part in zip(*parts))
    return bits[present]


def framed(spec, mask, count, bits):
    """The words of a container of `count` values whose table is `mask` and whose body is `bits`."""
    octets = np.packbits(bits, bitorder="little").tobytes()
    data = (spec.header | mask << TABLE_AT | count << 32).to_bytes(8, "little") + octets + bytes(-len(octets) % 8)
    return np.frombuffer(data + zlib.crc32(data).to_bytes(8, "little"), "<u8").astype(np.uint64)


def encode(spec, x, table=None):
    """The container of the values of `x` in storage order, as its words: uint64.

    Parameters
    ----------
    spec : DpredSpec
    x : array of integers
    table : WidthTable, optional
        The widths of its groups, by default the best for `x`: ``spec.table(x)``.

    Raises
    ------
    InputError
        If a value does not fit ``spec.word`` bits or the greatest width, or there is none.
    """
    x = spec.check(x)
    table = table or spec.table(x)
    fields = spec.fields(table, spec.widths(x))
    return framed(spec, table.mask, x.size, body(spec, x, np.array(table.widths)[fields], fields, table.field_bits))


def read_header(word):
    """The spec, the table and the count in a header."""
    fields = {"first byte": (word & 255, MAGIC), "reserved bit": (word >> 14 & 1, 0)}
    for name, (found, allowed) in fields.items():
        if found != allowed:
            raise InputError(f"{name} of a DPRed container must be {allowed:#x}, not {found:#x}")
    log, count = 2 + (word >> 8 & 7), word >> 32
    if log > 8:
        raise InputError(f"log2 of the group of a DPRed container must be 2 to 8, not {log}")
    if not count:
        raise InputError("a DPRed container must hold at least 1 value, not 0")
    flags = {"signed": bool(word >> 12 & 1), "zeros": bool(word >> 13 & 1)}
    spec = DpredSpec(word=16 if word >> 11 & 1 else 8, group=1 << log, **flags)
    return spec, WidthTable.of_mask(spec.word, word >> TABLE_AT & (1 << TABLE_BITS) - 1), count


def walk(spec, table, count, body):
    """Where the slices lie in the bytes `body`.

    Returns
    -------
    starts, widths, masks : lists
        Of each slice the first bit of its payload, its width, and a bit for each value that has a payload.
    stop : int
        The bit behind the last; if it lies outside of `body`, lists may be cut.
    astray : bool
        Whether a field is not an index of `table`; its width is taken for 0.
    """
    bits, known = table.field_bits, len(table.widths)
    index = [int(f"{field:0{bits}b}"[::-1], 2) for field in range(1 << bits)]  # its highest bit comes first
    starts, widths, masks, position, end = [], [], [], 0, 8 * len(body)
    width, astray = 0, False
    for base in range(0, count, spec.slice):
        if position > end:
            break
        window = int.from_bytes(body[position >> 3 : (position >> 3) + 4], "little") >> (position & 7)
        values = min(spec.slice, count - base)
        mask = (1 << values) - 1
        if base % spec.group == 0:
            field = index[window & (1 << bits) - 1]
            astray |= field >= known
            width = table.widths[field] if field < known else 0
            window >>= bits
            position += bits
        if spec.zeros:
            mask &= window
            position += values
        starts.append(position)
        widths.append(width)
        masks.append(mask)
        position += width * mask.bit_count()
    return starts, widths, masks, position, astray


def gather(spec, count, body, starts, widths, masks):
    """The values whose slices lie as `walk` says: int64 [count]."""
    starts, widths = (np.array(part)[:, None] for part in (starts, widths))
    stored = bits_of(np.array(masks), spec.slice)
    position = starts + widths * (np.cumsum(stored, axis=1) - stored)
    octets = np.frombuffer(body + bytes(4), np.uint8).astype(np.int64)
    at = np.minimum(position >> 3, len(body))  # where nothing is stored, a position may lie behind the end
    window = (octets[at] | octets[at + 1] << 8 | octets[at + 2] << 16) >> (position & 7)
    codes = np.where(stored, window & (1 << widths) - 1, 0)
    if spec.signed:
        codes -= (codes >> np.maximum(widths - 1, 0)) << widths
    return codes.ravel()[:count]


def decode(words):
    """The spec and the values of a container: (DpredSpec, int64 [N]).

    Parameters
    ----------
    words : uint64 [words]
        Exactly one container.

    Raises
    ------
    InputError
        If it is not a container, is cut, padded or corrupted: its header is out of range, its length is not that
        which its count and its fields give, a field is not an index of its table, a padding bit is one, or its CRC is
        wrong.
    """
    words = np.asarray(words)
    if words.dtype != np.uint64 or words.ndim != 1:
        raise InputError(f"container must be words of uint64 in a row, not {words.dtype} {list(words.shape)}")
    if words.size < 3:
        raise InputError(f"a DPRed container has at least 3 words, not {words.size}")
    spec, table, count = read_header(int(words[0]))
    data = words.astype("<u8").tobytes()
    body, available = data[8:-8], WORD_BITS * (words.size - 2)
    least = count if spec.zeros else count * table.widths[0]
    if least + table.field_bits * -(-count // spec.group) > available:  # a value or a group has at least one bit
        raise InputError(f"a DPRed container of {count} values does not fit in {words.size} words: it is cut")
    *slices, stop, astray = walk(spec, table, count, body)
    if astray:
        raise InputError(f"fields of a DPRed container must be less than {len(table.widths)}, the number of its widths")
    needed = 2 + -(-stop // WORD_BITS)
    if stop > available:
        raise InputError(f"DPRed container ends after {words.size} words, before its {count} values do: it is cut")
    if needed < words.size:
        raise InputError(f"DPRed container of {count} values must have {needed} words, not {words.size}")
    if int(words[-2]) >> (stop - available + WORD_BITS):
        raise InputError(f"padding of a DPRed container must be zero: bits {stop} to {available - 1} of its body")
    if zlib.crc32(data[:-8]) != int(words[-1]):
        raise InputError(f"CRC of the DPRed container is {zlib.crc32(data[:-8]):#x}, its trailer says {int(words[-1]):#x}")
    return spec, gather(spec, count, body, *slices)
