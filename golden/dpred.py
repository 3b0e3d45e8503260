"""The DPRed container: integers in as many bits as the greatest of each group needs; `docs/dpred.md` has every bit."""

import zlib
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from golden.errors import InputError
from golden.formats import Integer
from golden.precision import group_precision, grouped

__all__ = ["FRAME_BITS", "WORD_BITS", "BodyBits", "DpredSpec", "decode", "encode"]

WORD_BITS = 64  # of a memory word, and of a word of the container
FRAME_BITS = 2 * WORD_BITS  # of header and trailer
MAGIC, VERSION = 0x5044, 1  # "DP"
MOST = (1 << 32) - 1  # values in a container


class BodyBits(NamedTuple):
    """Bits of a container's body, before it is padded to whole words."""

    payload: int
    widths: int
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
        Values that share a precision: a power of two, 4 to 256.
    zeros : bool
        A bit a value says whether it is zero; zeros have no payload.

    Raises
    ------
    InputError
        If a parameter is out of range.

    Source: Delmas et al., DPRed, arXiv:1804.06732 (abstract), for precisions a group; Delmas Lascorz et al.,
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
    def width_bits(self):
        """Bits of a group's width field, which holds its precision less 1."""
        return 3 if self.word == 8 else 4

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
        """Low half of the header."""
        flags = (self.word == 16) | self.signed << 1 | self.zeros << 2
        return MAGIC | VERSION << 16 | flags << 20 | (self.group.bit_length() - 1) << 24

    def check(self, x):
        """The values of `x` in storage order, int64 [N]; `InputError` if one does not fit `word`, or N is out of range."""
        x = self.format.check(x, "x").ravel()
        if not 1 <= x.size <= MOST:
            raise InputError(f"x must hold 1 to {MOST} values, not {x.size}")
        return x.astype(np.int64, copy=False)

    def precisions(self, x):
        """The precision of each group of `x`."""
        return group_precision(grouped(self.check(x), self.group), self.signed)

    def parts(self, x):
        """The `BodyBits` of `x`, counted without encoding it."""
        groups = grouped(self.check(x), self.group)
        if self.zeros:
            stored = np.count_nonzero(groups, axis=1)
        else:
            stored = np.full(len(groups), self.group)
            stored[-1] -= groups.size - np.size(x)
        payload = int((stored * group_precision(groups, self.signed)).sum())
        return BodyBits(payload, self.width_bits * len(groups), np.size(x) if self.zeros else 0)

    def bits(self, x):
        """Bits of the body of `x`: all but header, trailer and the zeros before it, which make `FRAME_BITS` and up to 63."""
        return self.parts(x).total


def bits_of(codes, width):
    """The low `width` bits of each unsigned code, the lowest first: bool [..., width]."""
    return (codes[..., None] >> np.arange(width) & 1).astype(bool)


def encode(spec, x):
    """The container of the values of `x` in storage order, as its words: uint64.

    Parameters
    ----------
    spec : DpredSpec
    x : array of integers

    Raises
    ------
    InputError
        If a value does not fit ``spec.word`` bits, or there is none.
    """
    x = spec.check(x)
    slices = grouped(x, spec.slice)
    first = np.arange(len(slices)) * spec.slice % spec.group == 0
    precision = np.repeat(spec.precisions(x), spec.group // spec.slice)[: len(slices)]
    there = np.arange(slices.size).reshape(slices.shape) < x.size
    stored = slices != 0 if spec.zeros else there
    # a row a slice, a column a bit that it may have
    parts = [(bits_of(precision - 1, spec.width_bits), np.broadcast_to(first[:, None], (len(slices), spec.width_bits)))]
    if spec.zeros:
        parts.append((stored, there))
    kept = stored[..., None] & (np.arange(spec.word) < precision[:, None, None])
    parts.append((bits_of(slices, spec.word).reshape(len(slices), -1), kept.reshape(len(slices), -1)))
    bits, present = (np.concatenate(part, axis=1) for part in zip(*parts))
    body = np.packbits(bits[present], bitorder="little").tobytes()
    body += bytes(-len(body) % 8)
    data = (spec.header | x.size << 32).to_bytes(8, "little") + body
    return np.frombuffer(data + zlib.crc32(data).to_bytes(8, "little"), "<u8").astype(np.uint64)


def read_header(word):
    """The spec and the count in a header."""
    fields = {"magic": (word & 0xFFFF, MAGIC), "version": (word >> 16 & 15, VERSION), "reserved bit": (word >> 23 & 1, 0)}
    for name, (found, allowed) in fields.items():
        if found != allowed:
            raise InputError(f"{name} of a DPRed container must be {allowed:#x}, not {found:#x}")
    log, count = word >> 24 & 255, word >> 32
    if not 2 <= log <= 8:
        raise InputError(f"log2 of the group of a DPRed container must be 2 to 8, not {log}")
    if not count:
        raise InputError("a DPRed container must hold at least 1 value, not 0")
    flags = {"signed": bool(word >> 21 & 1), "zeros": bool(word >> 22 & 1)}
    return DpredSpec(word=16 if word >> 20 & 1 else 8, group=1 << log, **flags), count


def walk(spec, count, body):
    """Where the slices lie in the bytes `body`.

    Returns
    -------
    starts, precisions, masks : lists
        Of each slice the first bit of its payload, its precision, and a bit for each value that has a payload.
    stop : int
        The bit behind the last; if it lies outside of `body`, lists may be cut.
    """
    starts, precisions, masks, position, end = [], [], [], 0, 8 * len(body)
    precision = 0
    for base in range(0, count, spec.slice):
        if position > end:
            break
        window = int.from_bytes(body[position >> 3 : (position >> 3) + 4], "little") >> (position & 7)
        values = min(spec.slice, count - base)
        mask = (1 << values) - 1
        if base % spec.group == 0:
            precision = 1 + (window & (1 << spec.width_bits) - 1)
            window >>= spec.width_bits
            position += spec.width_bits
        if spec.zeros:
            mask &= window
            position += values
        starts.append(position)
        precisions.append(precision)
        masks.append(mask)
        position += precision * mask.bit_count()
    return starts, precisions, masks, position


def gather(spec, count, body, starts, precisions, masks):
    """The values whose slices lie as `walk` says: int64 [count]."""
    starts, precisions = (np.array(part)[:, None] for part in (starts, precisions))
    stored = bits_of(np.array(masks), spec.slice)
    position = starts + precisions * (np.cumsum(stored, axis=1) - stored)
    octets = np.frombuffer(body + bytes(4), np.uint8).astype(np.int64)
    at = np.minimum(position >> 3, len(body))  # where nothing is stored, a position may lie behind the end
    window = (octets[at] | octets[at + 1] << 8 | octets[at + 2] << 16) >> (position & 7)
    codes = np.where(stored, window & (1 << precisions) - 1, 0)
    if spec.signed:
        codes -= (codes >> precisions - 1) << precisions
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
        which its count and its width fields give, a padding bit is one, or its CRC is wrong.
    """
    words = np.asarray(words)
    if words.dtype != np.uint64 or words.ndim != 1:
        raise InputError(f"container must be words of uint64 in a row, not {words.dtype} {list(words.shape)}")
    if words.size < 3:
        raise InputError(f"a DPRed container has at least 3 words, not {words.size}")
    spec, count = read_header(int(words[0]))
    data = words.astype("<u8").tobytes()
    body, available = data[8:-8], WORD_BITS * (words.size - 2)
    if count + spec.width_bits * -(-count // spec.group) > available:  # a value has at least one bit
        raise InputError(f"a DPRed container of {count} values does not fit in {words.size} words: it is cut")
    *slices, stop = walk(spec, count, body)
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
