"""Deep Compression's weights: indices into a table of shared values, zeros left out, both numbers Huffman-coded.

An entry is (v, z): z zeros, then the weight of code v. Code 0 is the weight 0. More zeros than z can count are bridged
by filler entries, v = 0 behind the most zeros that z can say. Zeros behind the last entry are not stored.

Bytes of a container, little-endian: "DC", version 1, bits of v (1), bits of z (1), axes (1), values in the table (2),
entries (4), each axis (4); the table from code 1 on, float32; lengths of the Huffman codes of each v, then of each z
(1 each); bits of all v, then of all z, the first in the most significant bit, zeros up to a byte; CRC-32 of all before
(4).
"""

import math
import struct
import zlib
from typing import NamedTuple

import numpy as np

from golden.errors import InputError
from golden.huffman import Huffman

__all__ = ["INDEX_BITS", "Bits", "absolute", "decode", "encode", "parts", "relative"]

INDEX_BITS = 4
MAGIC, VERSION, HEAD = b"DC", 1, struct.Struct("<2sBBBBHI")
VALUE_BITS = range(1, 9)
AXES = range(1, 5)
MOST = 1 << 31  # weights


class Bits(NamedTuple):
    """Bits of a container by what they are for."""

    values: int
    indices: int
    table: int
    lengths: int
    frame: int

    @property
    def total(self):
        """All of them, a multiple of 8."""
        return sum(self)


def relative(codes, index_bits=INDEX_BITS):
    """Entries of the codes [N], in storage order: (v, z), int64 each."""
    reach = 1 << index_bits
    places = np.flatnonzero(codes)
    gaps = np.diff(places, prepend=-1) - 1
    fillers = gaps // reach
    ends = np.cumsum(fillers + 1) - 1  # where the entry of each nonzero code is
    v = np.zeros(len(places) + int(fillers.sum()), np.int64)
    z = np.full(len(v), reach - 1)
    v[ends], z[ends] = np.asarray(codes)[places], gaps % reach
    return v, z


def absolute(v, z, count):
    """The codes [count] of entries.

    Raises
    ------
    InputError
        If an entry lies beyond `count`.
    """
    places = np.cumsum(z + 1) - 1
    if len(places) and places[-1] >= count:
        raise InputError(f"entries must lie within the {count} weights, not at {places[-1]}")
    codes = np.zeros(count, np.int64)
    codes[places] = v
    return codes


def check(codes, table, index_bits):
    """The codes and the table as arrays, if they are in range and fit each other."""
    codes, table = np.asarray(codes), np.asarray(table)
    if table.dtype != np.float32 or table.ndim != 1 or not 2 <= len(table) <= 1 << VALUE_BITS[-1]:
        raise InputError(f"table must be float32 [2 to {1 << VALUE_BITS[-1]}], not {table.dtype} {list(table.shape)}")
    if table[0] != 0 or not np.isfinite(table).all():
        raise InputError("table must be finite and start with 0, the weight that is left out")
    if codes.dtype.kind not in "iu" or codes.ndim not in AXES or not 1 <= codes.size < MOST:
        raise InputError(f"codes must be integers of 1 to 4 axes, not {codes.dtype} {list(codes.shape)}")
    if codes.min() < 0 or codes.max() >= len(table):
        raise InputError(f"codes must be 0 to {len(table) - 1}, not {codes.min()} to {codes.max()}")
    if index_bits not in VALUE_BITS:
        raise InputError(f"index_bits must be 1 to 8, not {index_bits}")
    return codes, table


def coded(codes, table, index_bits):
    """The entries and their two Huffman codes: v, z, code of v, code of z."""
    v, z = relative(codes.ravel(), index_bits)
    return v, z, Huffman.of(v, len(table)), Huffman.of(z, 1 << index_bits)


def parts(codes, table, index_bits=INDEX_BITS):
    """The `Bits` of the container of `codes`; see `encode`."""
    codes, table = check(codes, table, index_bits)
    v, z, of_v, of_z = coded(codes, table, index_bits)
    payload = of_v.bits(v), of_z.bits(z)
    frame = 8 * (HEAD.size + 4 * codes.ndim + 4) + -sum(payload) % 8
    return Bits(*payload, 32 * (len(table) - 1), 8 * (len(table) + (1 << index_bits)), frame)


def encode(codes, table, index_bits=INDEX_BITS):
    """The container of a layer: bytes.

    Parameters
    ----------
    codes : integers [...]
        Of each weight, 0 to ``len(table) - 1``.
    table : float32 [2 to 256]
        What each code is worth; the first is 0.
    index_bits : int
        Of z, 1 to 8.

    Raises
    ------
    InputError
        If one of these is out of range.

    Source: Han, Mao and Dally, Deep Compression, sections 2 to 4; codes of z, and fillers, as their figure 2.
    """
    codes, table = check(codes, table, index_bits)
    v, z, of_v, of_z = coded(codes, table, index_bits)
    value_bits = (len(table) - 1).bit_length()
    head = HEAD.pack(MAGIC, VERSION, value_bits, index_bits, codes.ndim, len(table), len(v))
    lengths = np.array(of_v.lengths + of_z.lengths, np.uint8)
    bits = np.concatenate([of_v.encode(v), of_z.encode(z)])
    data = head + np.array(codes.shape, "<u4").tobytes() + table[1:].astype("<f4").tobytes()
    data += lengths.tobytes() + np.packbits(bits).tobytes()
    return data + struct.pack("<I", zlib.crc32(data))


def decode(data):
    """What `encode` made a container of: (codes, int64, table, float32, index_bits).

    Raises
    ------
    InputError
        If it is no such container, is cut, has bytes behind it or is corrupted.
    """
    if len(data) < HEAD.size + 8:
        raise InputError(f"a Deep Compression container has at least {HEAD.size + 8} bytes, not {len(data)}")
    magic, version, value_bits, index_bits, axes, size, entries = HEAD.unpack_from(data)
    if (magic, version) != (MAGIC, VERSION):
        raise InputError(f"a Deep Compression container starts with {MAGIC + bytes([VERSION])}, not {data[:3]}")
    if zlib.crc32(data[:-4]) != struct.unpack("<I", data[-4:])[0]:
        raise InputError("CRC of the Deep Compression container is not that of its bytes: it is cut or corrupted")
    if index_bits not in VALUE_BITS or axes not in AXES or size < 2 or (size - 1).bit_length() != value_bits:
        fields = f"{value_bits} and {index_bits} bits, {axes} axes and {size} values"
        raise InputError(f"header of the Deep Compression container is out of range: {fields}")
    at = np.cumsum([HEAD.size, 4 * axes, 4 * (size - 1), size, 1 << index_bits])
    if at[-1] > len(data) - 4:
        raise InputError(f"Deep Compression container must have {at[-1] + 4} bytes or more, not {len(data)}")
    shape, table, of_v, of_z = (data[start:stop] for start, stop in zip(at, at[1:]))
    shape, of_v, of_z = np.frombuffer(shape, "<u4").tolist(), Huffman(of_v), Huffman(of_z)
    table = np.concatenate([[0], np.frombuffer(table, "<f4")]).astype(np.float32)
    bits = np.unpackbits(np.frombuffer(data[at[-1] : -4], np.uint8))
    if entries > len(bits):
        raise InputError(f"{entries} entries need more than the {len(bits)} bits of the Deep Compression container")
    v, place = of_v.decode(bits, entries)
    z, place = of_z.decode(bits, entries, place)
    if len(bits) - place >= 8 or bits[place:].any():
        rest = len(bits) - place
        raise InputError(f"Deep Compression container must end in less than 8 zero bits, not in {rest} bits")
    if not 1 <= math.prod(shape) < MOST:
        raise InputError(f"shape of the weights must hold 1 to {MOST - 1}, not {shape}")
    codes, table = check(absolute(v, z, math.prod(shape)).reshape(shape), table, index_bits)
    return codes, table, index_bits
