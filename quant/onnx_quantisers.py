"""Operators of ONNX and QONNX that quantise: which integers they make, and what these are worth."""

import re
from dataclasses import dataclass

import numpy as np
import onnx

from golden.errors import InputError
from golden.formats import Binary, Integer, Ternary, UnitFormat
from quant.onnx_model import typename

__all__ = ["QUANTISERS", "Quantiser", "dequantised", "quantiser"]

ROUNDINGS = ("ROUND", "HALF_EVEN")  # two names of one mode, the only one that requantisation has
INTEGERS = re.compile(r"(U?)INT(2|4|8|16|32)")


@dataclass(frozen=True, eq=False)
class Quantiser:
    """``q = min(max(rne(x / scale), lo), hi)``, which is worth ``q * scale``; of a `Binary` format, the sign of x.

    Parameters
    ----------
    format : UnitFormat
        Holds every q.
    lo, hi : int
        Limits of q: those of the format, or narrower.
    scale : float32 array
        One number, or of as many axes as x.
    """

    format: UnitFormat
    lo: int
    hi: int
    scale: np.ndarray

    @property
    def binary(self):
        """Whether q is -1 or +1: the sign of x, that of 0 being +1."""
        return isinstance(self.format, Binary)

    @property
    def weights(self):
        """The format of weights so quantised: `Ternary` if they are -1, 0 and +1."""
        return Ternary() if (self.lo, self.hi) == (-1, 1) and not self.binary else self.format

    def keeps(self, fmt):
        """Whether it changes no integer of the format `fmt` in its own unit."""
        return isinstance(fmt, Binary) if self.binary else self.lo <= fmt.lo and fmt.hi <= self.hi

    def same(self, other):
        """Whether another quantiser does the same."""
        limits = (self.format, self.lo, self.hi) == (other.format, other.lo, other.hi)
        return limits and np.array_equal(self.scale.reshape(-1), other.scale.reshape(-1))

    def integers(self, x):
        """q of the float32 array `x`, int64, in float32 as the specifications have it."""
        if self.binary:
            return np.where(x >= 0, 1, -1)
        with np.errstate(over="ignore"):
            return np.clip(np.rint(x.astype(np.float32) / self.scale), self.lo, self.hi).astype(np.int64)


def zero(walk, node, index):
    """Refuse a zero point other than 0."""
    point = walk.constant(node, index, "zero point")
    if point is not None and np.any(point):
        first = point.reshape(-1)[np.flatnonzero(point)[0]]
        walk.refuse(node, f"must have a zero point of 0, not {first}: only symmetric quantisation is supported")
    return point


def scales(walk, node, axes=None):
    """The second input as float32 scales; if `axes` is given, a vector lies along the attribute axis of that many."""
    scale = walk.constant(node, 1, "scale")
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        walk.refuse(node, "must have a scale above 0 and finite")
    scale = scale.astype(np.float32)
    if scale.size == 1:
        return scale.reshape(())
    if axes is None:
        return scale
    axis = node.attributes.get("axis", 1)
    if scale.ndim != 1 or not -axes <= axis < axes:
        walk.refuse(node, f"must have one scale or one for each channel, not {list(scale.shape)}")
    return scale.reshape([-1 if i == axis % axes else 1 for i in range(axes)])


def integer(walk, node, width, signed):
    """The format of `width` bits."""
    try:
        return Integer(width, signed=signed)
    except InputError as error:
        walk.refuse(node, f"has no format here: {error}")


def quant(walk, node, axes):
    """QONNX: Quant, later called IntQuant."""
    zero(walk, node, 2)
    width = walk.constant(node, 3, "bitwidth")
    if np.size(width) != 1 or not float(np.reshape(width, ())).is_integer():
        found = np.shape(width) if np.size(width) != 1 else np.reshape(width, ())
        walk.refuse(node, f"must have one whole number as bitwidth, not {found}")
    mode = node.attributes.get("rounding_mode", "ROUND")
    if mode.upper() not in ROUNDINGS:
        walk.refuse(node, f"must round half to even, rounding_mode ROUND, not {mode}")
    signed, narrow = bool(node.attributes.get("signed", 1)), bool(node.attributes.get("narrow", 0))
    fmt = integer(walk, node, int(np.reshape(width, ())), signed)
    return Quantiser(fmt, fmt.lo + (narrow and signed), fmt.hi - (narrow and not signed), scales(walk, node))


def bipolar(walk, node, axes):
    """QONNX: BipolarQuant."""
    return Quantiser(Binary(), -1, 1, scales(walk, node))


def linear(walk, node, axes):
    """ONNX: QuantizeLinear."""
    point, to = zero(walk, node, 2), node.attributes.get("output_dtype", 0)
    if point is not None:
        to = onnx.helper.np_dtype_to_tensor_dtype(point.dtype)
    fmt = typed(walk, node, to or onnx.TensorProto.UINT8)
    return Quantiser(fmt, fmt.lo, fmt.hi, scales(walk, node, axes))


def typed(walk, node, number):
    """The format of an ONNX type of integers."""
    name = typename(number)
    if node.attributes.get("block_size", 0):
        walk.refuse(node, "must have one scale or one for each channel, not blocks")
    if (found := INTEGERS.fullmatch(str(name))) is None:
        walk.refuse(node, f"must have integers of 2 to 32 bits, not {name}")
    return integer(walk, node, int(found[2]), not found[1])


QUANTISERS = {"Quant": quant, "IntQuant": quant, "BipolarQuant": bipolar, "QuantizeLinear": linear}


def quantiser(walk, node, axes):
    """The `Quantiser` of a node whose input has `axes` axes.

    Raises
    ------
    InputError
        If its zero point is not 0, its rounding is not half to even, or golden has no such format.
    """
    return QUANTISERS[node.op](walk, node, axes)


def dequantised(walk, node, integers, fmt=None):
    """(format, scales) of a DequantizeLinear, of an array of integers or of integers of the format `fmt`."""
    zero(walk, node, 2)
    if fmt is None:
        fmt = typed(walk, node, onnx.helper.np_dtype_to_tensor_dtype(integers.dtype))
    return fmt, scales(walk, node, None if integers is None else integers.ndim)
