"""Integers of a network on their way to the next rounding: sums that are worth something, offset and rectified."""

from dataclasses import dataclass, replace

import numpy as np

from golden.elementwise import AddSpec
from golden.errors import InputError
from golden.formats import Integer, fitting
from golden.requant import RequantSpec, fold_affine

__all__ = ["SUM", "Value", "binarised", "emit", "folded", "operand", "requantises", "rounded", "whole"]

SUM = 62  # bits
WIDEST_FACTOR = 32
B_WIDTH = SUM - 1


@dataclass(frozen=True, eq=False)
class Value:
    """``v = sum over terms of scale[c] * integer, + offset[c]``, and ``max(v, 0)`` if `relu`.

    Parameters
    ----------
    terms : tuple of (str, float64 array)
        One or two tensors of a network, each with its scales [C].
    offset : float64 array [C]
    relu : bool
    quantised : bool
        Whether the integers are what a quantiser made, and no sums.
    """

    terms: tuple
    offset: np.ndarray
    relu: bool = False
    quantised: bool = False

    @classmethod
    def of(cls, tensor, scale, channels, quantised=True):
        """The integers of a tensor, worth `scale` each."""
        return cls(((tensor, np.full(channels, float(scale))),), np.zeros(channels), False, quantised)

    @property
    def tensor(self):
        """The tensor of a value of one term, None of one of two."""
        return self.terms[0][0] if len(self.terms) == 1 else None

    @property
    def unit(self):
        """What each integer is worth, if the value is nothing but the integers of one tensor; else None."""
        scale = self.terms[0][1]
        plain = self.tensor is not None and not self.relu and not self.offset.any()
        return float(scale[0]) if plain and scale[0] > 0 and (scale == scale[0]).all() else None

    def affine(self, gain, offset):
        """This value times `gain` plus `offset`, vectors [C], before any `relu`."""
        terms = tuple((tensor, scale * gain) for tensor, scale in self.terms)
        return replace(self, terms=terms, offset=self.offset * gain + offset)


def requantises(builder, value):
    """Whether golden's requant takes the value: one tensor, of signed integers. Others are for its add."""
    return value.tensor is not None and builder.tensors[value.tensor].format.signed


def operand(builder, value):
    """Bits of the longest integer of a value, as a signed one."""
    formats = [builder.tensors[tensor].format for tensor, _ in value.terms]
    return max(fitting(fmt.lo, fmt.hi).width for fmt in formats)


def widest(builder, value, total=SUM):
    """Bits of the widest multipliers that sums of `total` bits allow."""
    bits = min(WIDEST_FACTOR, total - 1 - (not requantises(builder, value)) - operand(builder, value))
    if bits < 2:
        raise InputError(f"integers of {operand(builder, value)} bits are too long to requantise")
    return bits


def folded(builder, value, unit, bits=WIDEST_FACTOR, b_bits=B_WIDTH, total=SUM):
    """(list of m, b, s): ``(sum of m * integer, + b) * 2**-s`` is close to the value in units of `unit`.

    Multipliers are as wide as sums of `total` bits allow, at most `bits`: within ``2**-(bits - 1)`` of what they stand
    for, relative to the greater one. Powers of two are exact. Common factors of two are taken out again.
    """
    placeholder, bits = Integer(2, signed=True), min(bits, widest(builder, value, total))
    spec = RequantSpec(x=placeholder, y=placeholder, m_width=bits, b_width=b_bits)
    scales = [scale / unit for _, scale in value.terms]
    _, b, s = fold_affine(spec, np.max(np.abs(scales), axis=0), value.offset / unit)
    factors = [np.rint(np.ldexp(scale, s)).astype(np.int64) for scale in scales]
    common = s
    for p in (*factors, b):
        common = np.minimum(common, np.where(p == 0, s, np.frexp(p & -p)[1] - 1))  # p & -p is its lowest bit
    return [m >> common for m in factors], b >> common, s - common


def width(*vectors):
    """Bits of the narrowest signed format that holds all integers of `vectors`."""
    return fitting(min(int(v.min()) for v in vectors), max(int(v.max()) for v in vectors)).width


def emit(builder, name, value, factors, b, s, fmt, unit, m_width=None, b_width=None):
    """Add the node ``sat(rne((sum of m * integer, + b) * 2**-s))`` in format `fmt`: a requant, or an add.

    Multipliers and offsets are as wide as they need, or as is said.
    """
    m_width, b_width = width(*factors) if m_width is None else m_width, width(b) if b_width is None else b_width
    tensors = [tensor for tensor, _ in value.terms]
    if requantises(builder, value):
        spec = RequantSpec(x=builder.tensors[tensors[0]].format, y=fmt, m_width=m_width, b_width=b_width)
        op, roles, widths = "requant", ("m", "b", "s"), {"m_width": spec.m_width, "b_width": spec.b_width}
    else:
        if len(tensors) == 1:
            tensors, factors = tensors * 2, [*factors, np.zeros_like(b)]
        a_format, b_format = (builder.tensors[tensor].format for tensor in tensors)
        spec = AddSpec(a=a_format, b=b_format, y=fmt, m_width=m_width, d_width=b_width)
        op, roles, widths = "add", ("m_a", "m_b", "d", "s"), {"m_width": spec.m_width, "d_width": spec.d_width}
    vectors = (*factors, b, np.minimum(s, spec.s_limit))
    parameters = {role: (None, p) for role, p in zip(roles, vectors, strict=True)}
    return builder.add(name, op, *tensors, parameters=parameters, attributes={"format": fmt.name, **widths}, unit=unit)


def stepped(builder, name, tensor, factor, addend, fmt, unit):
    """Add the node ``sat(factor * integer + addend)`` behind a tensor of signed integers."""
    channels = builder.tensors[tensor].shape[0]
    value = Value.of(tensor, 1.0, channels)
    factors, b, s = (np.full(channels, n, np.int64) for n in (factor, addend, 0))
    return emit(builder, name, value, [factors], b, s, fmt, unit)


def rounded(builder, name, value, target, unit):
    """Add the nodes that quantise a value as the `Quantiser` `target` does; the name of the tensor, `name`.

    One node does, where the limits are those of the format. A narrower end is cut off by a step out of the format,
    where integers saturate, and back; a rectified value that may still be negative gets a relu.
    """
    fmt, factors = target.format, folded(builder, value, unit)
    low, high = target.lo > fmt.lo and not value.relu, target.hi < fmt.hi
    rectified = value.relu and fmt.signed
    if high:
        wide = Integer(fmt.width + 1, signed=True)
        first = emit(builder, f"{name}__rounded", value, *factors, wide, unit)
        first = stepped(builder, f"{name}__above", first, 1, wide.hi - target.hi, wide, unit)
        return stepped(builder, name, first, 1, target.hi - wide.hi, fmt, unit)
    first = emit(builder, f"{name}__rounded" if low or rectified else name, value, *factors, fmt, unit)
    if low:
        below = target.lo - fmt.lo
        first = stepped(builder, f"{name}__below", first, 1, -below, fmt, unit)
        first = stepped(builder, name, first, 1, below, fmt, unit)
    return builder.add(name, "relu", first) if rectified else first


def binarised(builder, name, value, target, unit):
    """Add the nodes that make +1 of a value of at least 0 and -1 of one below; the name of the tensor, `name`.

    ``v + 1`` saturates to two bits, where all that is not 1 was negative; twice that, less 2, and 1 added again.
    """
    if value.relu:
        raise InputError("makes +1 of everything behind a Relu")
    fmt = Integer(2, signed=True)
    factors, b, s = folded(builder, value, greatest(value))
    first = emit(builder, f"{name}__sign", value, factors, b + 1, np.zeros_like(s), fmt, None)
    first = stepped(builder, f"{name}__ends", first, 2, -2, fmt, None)
    return stepped(builder, name, first, 1, 1, fmt, unit)


def greatest(value):
    """The greatest scale of a value, 1 if all are 0."""
    return max(float(np.abs(scale).max()) for _, scale in value.terms) or 1.0


def whole(builder, name, value):
    """Add the nodes that make integers of one unit of a value, rounding only where they must; the name of the tensor.

    The unit is the greatest scale over a power of two: the least power that makes whole numbers of all scales and
    offsets, up to the greatest that the multipliers can hold.
    """
    top = greatest(value)
    room = B_WIDTH - 2 - int(np.log2(np.abs(value.offset).max() / top + 1))
    if room < 0:
        raise InputError("output has offsets that are too large for its sums")
    for power in range(min(widest(builder, value) - 2, room) + 1):
        unit = top * 2.0**-power
        exact = [p / unit for p in (*(scale for _, scale in value.terms), value.offset)]
        if all((p == np.rint(p)).all() for p in exact):
            break
    *factors, b = (np.rint(p).astype(np.int64) for p in exact)
    reach = sum(int(np.abs(m).max()) for m in factors) << (operand(builder, value) - 1)
    fmt = fitting(-reach - int(np.abs(b).max()), reach + int(np.abs(b).max()))
    first = emit(builder, f"{name}__sums" if value.relu else name, value, factors, b, np.zeros_like(b), fmt, unit)
    return builder.add(name, "relu", first) if value.relu else first
