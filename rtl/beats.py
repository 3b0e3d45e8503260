"""Beats of a stream as bytes: how codes lie in ``tdata``."""

from dataclasses import dataclass

import numpy as np

from golden.formats import code_dtype

__all__ = ["Beats", "pack_fields", "unpack_fields", "stream_bytes"]


def stream_bytes(width):
    """Bytes of ``tdata`` that carry `width` bits."""
    return -(-width // 8)


@dataclass(frozen=True)
class Beats:
    """Beats of one stream, in order.

    Attributes
    ----------
    data : uint8 [beats, bytes]
        ``tdata``, low byte first.
    last : bool [beats]
        ``tlast``.
    """

    data: np.ndarray
    last: np.ndarray

    @classmethod
    def of_packets(cls, codes, width):
        """Beats of packets of one size: codes [packets, beats a packet, elements] of `width` bits."""
        last = np.zeros(codes.shape[:2], bool)
        last[:, -1] = True
        return cls(pack_fields((codes.reshape(-1, codes.shape[2]), width)), last.reshape(-1))

    def __len__(self):
        return len(self.last)


def pack_fields(*fields):
    """``tdata`` of beats whose elements are structures of codes.

    Parameters
    ----------
    fields : pairs (codes [beats, elements], width)
        Fields of an element, the first in the low bits; the first element of a beat in its low bits. Integers are
        cut to two's complement of `width` bits.

    Returns
    -------
    uint8 [beats, bytes]
    """
    bits = np.concatenate([code_bits(codes, width) for codes, width in fields], axis=2)
    return np.packbits(bits.reshape(len(bits), bits.shape[1] * bits.shape[2]), axis=1, bitorder="little")


def code_bits(codes, width):
    """The low `width` bits of each code, uint8 [..., width], least significant first."""
    narrow = np.ascontiguousarray(codes).astype(code_dtype(width).newbyteorder("<"), copy=False)
    octets = narrow.view(np.uint8).reshape(*codes.shape, narrow.dtype.itemsize)
    return np.unpackbits(octets, axis=-1, bitorder="little", count=width)


def unpack_fields(data, elements, *widths):
    """The fields of `pack_fields`, as unsigned codes [beats, elements] each."""
    bits = np.unpackbits(data, axis=1, bitorder="little", count=elements * sum(widths))
    bits = bits.reshape(len(data), elements, sum(widths))
    fields = []
    for part in np.split(bits, np.cumsum(widths)[:-1], axis=2):
        dtype = code_dtype(part.shape[2])
        octets = np.zeros((*part.shape[:2], dtype.itemsize), np.uint8)
        packed = np.packbits(part, axis=2, bitorder="little")
        octets[..., : packed.shape[2]] = packed
        fields.append(octets.view(dtype.newbyteorder("<"))[..., 0].astype(dtype, copy=False))
    return fields
