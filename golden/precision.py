"""How many bits integers need, one by one and in groups, and the bit-planes that they are made of.

A group's precision is what bit-serial engines take time for and what the DPRed container stores: the one rule of both.
"""

import numpy as np

from golden.errors import InputError

__all__ = ["check_precision", "group_precision", "grouped", "plane_weights", "planes", "value_precision"]


def magnitude_bits(x, signed):
    """Bits below the sign: of a negative number those of its one's complement. `x` lies within 2**52."""
    x = np.asarray(x).astype(np.int64)
    return np.frexp((x ^ (x >> 63) if signed else x).astype(np.float64))[1]


def value_precision(x, signed):
    """Bits of each value: to its leading one, at least 1; of signed ones in two's complement with the sign.

    So 0 has 1 bit unsigned; signed, 0 and -1 have 2.

    Source: the detectors of Dynamic Stripes and ShapeShifter, as their authors' simulator counts.
    """
    return np.maximum(magnitude_bits(x, signed), 1) + bool(signed)


def group_precision(x, signed):
    """Bits with which every value of a group can be written: [..., G] -> [...], 1 where all are 0.

    The greatest `value_precision` of the group; a group of zeros alone has 1, signed or not.
    """
    x = np.asarray(x)
    return np.where((x != 0).any(axis=-1), value_precision(x, signed).max(axis=-1), 1)


def grouped(x, group):
    """The values of `x` in storage order as groups [ceil(N / group), group], the last filled with zeros."""
    flat = np.asarray(x).ravel()
    return np.pad(flat, (0, -flat.size % group)).reshape(-1, group)


def check_precision(x, signed, precision, what="operand"):
    """Raise `InputError` unless `precision` bits hold every value of `x`."""
    x = np.asarray(x)
    short = (value_precision(x, signed) > precision) & (x != 0)
    if short.any():
        value = int(x[short].flat[0])
        needed = int(value_precision(value, signed))
        raise InputError(f"{what} holds {value}, which needs {needed} bits; its precision is {precision}")


def plane_weights(precision, signed):
    """What a one in each bit-plane is worth, the lowest first: powers of two, the highest negative if `signed`."""
    weights = np.int64(1) << np.arange(precision)
    weights[-1] *= -1 if signed else 1
    return weights


def planes(x, precision):
    """The bit-planes of two's complement or unsigned integers, the lowest first: uint8 [..., precision].

    ``(planes(x, p) * plane_weights(p, signed)).sum(-1)`` is `x` again, if `p` is at least its precision.
    """
    return (np.asarray(x).astype(np.int64)[..., None] >> np.arange(precision) & 1).astype(np.uint8)
