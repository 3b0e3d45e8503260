"""Requantisation: accumulators back to narrow activations, with one rounding."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from golden.errors import InputError
from golden.formats import Binary, Integer, Minifloat, PowerOfTwo
from golden.wide import total

__all__ = [
    "RequantSpec",
    "Requantiser",
    "check_sum",
    "check_vectors",
    "fold_affine",
    "fold_sign",
    "requant",
    "shift_rne",
    "to_format",
]

HALF = 31  # bits of the lower half of a 62-bit sum
IN_FLOATS = 54  # bits of the sums that float64 holds with their sign


def shift_rne(x, s):
    """``rne(x * 2**-s)``: the integers `x` shifted right by `s` bits (0 to 62), ties to even."""
    x, s = np.asarray(x, dtype=np.int64), np.asarray(s, dtype=np.int64)
    floor = x >> s
    rest, half = x - (floor << s), (np.int64(1) << s) >> 1
    return floor + ((s > 0) & ((rest > half) | ((rest == half) & (floor & 1 == 1))))


def to_format(y, sums, s):
    """The integers of format `y` nearest to ``sums * 2**-s`` of its units, saturated; sums of at most 62 bits."""
    if isinstance(y, Integer):
        return np.clip(shift_rne(sums, s), y.lo, y.hi).astype(y.dtype)
    wide = total([(sums & ((1 << HALF) - 1), 0), (sums >> HALF, HALF)], 1 << 62)
    return y.nearest(np.ldexp(wide, y.exponent - s)).astype(y.dtype)


def check_sum(what, width, y):
    """Refuse sums of `width` bits that cannot be rounded once to the format `y`; `what` names them."""
    most = IN_FLOATS if isinstance(y, PowerOfTwo) else 2 * HALF  # the root of 2 has no odd neighbour (`golden.wide`)
    if width > most:
        raise InputError(f"{what} needs {width} bits; allowed: up to {most}")


def check_vectors(limits, *vectors):
    """`vectors` of integers of one length as int64, if each is within its row of `limits` (name: (least, greatest))."""
    vectors = [np.asarray(p) for p in vectors]
    if any(p.ndim != 1 or p.shape != vectors[0].shape for p in vectors):
        *names, last = limits
        shapes = ", ".join(str(list(p.shape)) for p in vectors)
        raise InputError(f"{', '.join(names)} and {last} must be vectors of one length, not {shapes}")
    for (what, (lo, hi)), p in zip(limits.items(), vectors, strict=True):
        if p.dtype.kind not in "iu":
            raise InputError(f"{what} must be an array of integers, not {p.dtype}")
        if p.size and not (lo <= int(p.min()) and int(p.max()) <= hi):
            raise InputError(f"{what} must be {lo} to {hi}, not {int(p.min())} to {int(p.max())}")
    return tuple(p.astype(np.int64) for p in vectors)


@dataclass(frozen=True, kw_only=True)
class RequantSpec:
    """``y = sat(rne((x * m[c] + b[c]) * 2**-s[c]))``, per channel c.

    ``m = 1`` is a change of unit (dynamic fixed point), a `y` without negative numbers is a ReLU, batch normalisation
    is an `m` of either sign and a `b`. Binary results are the sign of the sum, +1 where ``x * m[c] + b[c] >= 0``: with
    `m` of -1, 0 or +1, a direction, and ``b = -threshold``, that is a threshold of accumulators.

    Parameters
    ----------
    x : Integer
        Format of the accumulators, signed.
    y : Integer, Minifloat, Binary or PowerOfTwo
        Format of the results; its limits are the saturation, and rounding other than to integers is the format's own.
    m_width, b_width : int
        Bits of the signed multiplier, 2 to 32, and of the signed addend at the scale of the product. The sum
        ``x * m + b`` must fit 62 bits, 54 where results are powers of two.
    """

    x: Integer = Integer(32, signed=True)
    y: Integer | Minifloat | Binary | PowerOfTwo
    m_width: int = 16
    b_width: int = 48

    def __post_init__(self):
        if not self.x.signed:
            raise InputError(f"accumulators to requantise must be signed, not {self.x}")
        for what, width, most in (("m_width", self.m_width, 32), ("b_width", self.b_width, 61)):
            if not 2 <= width <= most:
                raise InputError(f"{what} must be 2 to {most}, not {width}")
        check_sum("x * m + b", self.sum_width, self.y)

    @property
    def m(self):
        """Format of the multipliers."""
        return Integer(self.m_width, signed=True)

    @property
    def b_limit(self):
        """Greatest addend; the least is ``-b_limit - 1``."""
        return (1 << (self.b_width - 1)) - 1

    @property
    def sum_width(self):
        """Bits of the signed sum ``x * m + b``."""
        return max(self.x.width + self.m_width, self.b_width) + 1

    @property
    def s_limit(self):
        """Greatest shift: one more changes nothing, as every sum then rounds to 0. Of a sign, no shift changes any."""
        return 0 if isinstance(self.y, Binary) else self.sum_width

    @property
    def s_width(self):
        """Bits of the unsigned shift."""
        return self.s_limit.bit_length()

    def check_parameters(self, m, b, s):
        """`m`, `b` and `s` as int64 vectors of one length, if each is in range."""
        limits = {"m": (self.m.lo, self.m.hi), "b": (-self.b_limit - 1, self.b_limit), "s": (0, self.s_limit)}
        return check_vectors(limits, m, b, s)


class Requantiser:
    """`requant` with its parameters checked once, for accumulators that are known to be in range.

    Float64 holds every sum of at most 53 bits and its sign, and scales and rounds it to the nearest even integer
    exactly; longer ones go through `shift_rne`.

    Raises
    ------
    InputError
        If a parameter is out of the range of `spec`.
    """

    def __init__(self, spec, m, b, s):
        self.spec = spec
        self.m, self.b, self.s = spec.check_parameters(m, b, s)
        self.in_floats = spec.sum_width <= IN_FLOATS

    def __call__(self, x, axis):
        """The results for `x`, whose channels lie along `axis`, in the smallest dtype of the format."""
        shape = [1] * x.ndim
        shape[axis] = self.m.size
        m, b, s = (p.reshape(shape) for p in (self.m, self.b, self.s))
        y = self.spec.y
        if not self.in_floats:
            return to_format(y, x.astype(np.int64) * m + b, s)
        unit = 2.0**-s
        sums = x * (m * unit)
        sums += b * unit
        if not isinstance(y, Integer):
            return y.nearest(np.ldexp(sums, y.exponent)).astype(y.dtype)
        np.rint(sums, out=sums)
        np.clip(sums, y.lo, y.hi, out=sums)
        return sums.astype(y.dtype)


def requant(spec, x, m, b, s, axis=-1):
    """Requantise the integers `x`, whose channels lie along `axis`, with the vectors `m`, `b` and `s`: int64.

    Raises
    ------
    InputError
        If a parameter is out of the range of `spec`, an accumulator is, or the number of channels differs.
    """
    x, requantiser = spec.x.check(x, "x"), Requantiser(spec, m, b, s)
    if x.shape[axis] != requantiser.m.size:
        raise InputError(f"x has {x.shape[axis]} channels, its parameters have {requantiser.m.size}")
    return requantiser(x, axis).astype(np.int64)


def reals(scale, offset):
    """`scale` and `offset` as float64 vectors, if they are finite and of one length."""
    scale, offset = np.atleast_1d(scale).astype(np.float64), np.atleast_1d(offset).astype(np.float64)
    if scale.ndim != 1 or scale.shape != offset.shape:
        raise InputError(f"scale and offset must be vectors of one length, not {scale.shape} and {offset.shape}")
    if not (np.isfinite(scale).all() and np.isfinite(offset).all()):
        raise InputError("scale and offset must be finite")
    return scale, offset


def fold_affine(spec, scale, offset):
    """Integers (m, b, s) per channel, such that ``(x * m + b) * 2**-s`` is close to ``x * scale + offset``.

    The shift is the greatest that lets both `m` and `b` fit, so that the multiplier keeps all its bits.

    Parameters
    ----------
    scale, offset : arrays of one length
        In units of the result per unit of x, and in units of the result.

    Raises
    ------
    InputError
        If a scale or an offset is not finite, or is too large for any shift.
    """
    scale, offset = reals(scale, offset)
    shifts = np.arange(spec.s_limit + 1)
    with np.errstate(over="ignore"):  # an infinity does not fit
        m = np.rint(scale[:, None] * 2.0**shifts)
        b = np.rint(offset[:, None] * 2.0**shifts)
    # The addend's limit may have more bits than a float; the power of two above it never has.
    fits = (m >= spec.m.lo) & (m <= spec.m.hi) & (np.abs(b) < spec.b_limit + 1)
    if not fits[:, 0].all():
        raise InputError(f"no shift lets scale and offset fit {spec.m_width} and {spec.b_width} bits")
    s = fits.shape[1] - 1 - np.argmax(fits[:, ::-1], axis=1)
    rows = np.arange(len(s))
    return m[rows, s].astype(np.int64), b[rows, s].astype(np.int64), s


def fold_sign(spec, scale, offset):
    """Integers (m, b, s) per channel, such that the binary results are the sign of ``x * scale + offset``, +1 of 0.

    Exact, for any sign of the scale: `m` is the direction and ``-b`` the least ``m * x`` that gives +1; `s` is 0. Where
    all accumulators give the same result, `b` lies just beyond what they reach. A scale of 0 leaves the offset's sign.

    Parameters
    ----------
    spec : RequantSpec
        With room for a `b` one bit longer than the accumulators.
    scale, offset : arrays of one length

    Raises
    ------
    InputError
        If a scale or an offset is not finite, or there is no room for `b`.
    """
    scale, offset = reals(scale, offset)
    limit = 1 << (spec.x.width - 1)
    if limit > spec.b_limit:
        raise InputError(f"thresholds of {spec.x} need a b_width of {spec.x.width + 1} or more, not {spec.b_width}")
    m, b = np.sign(scale).astype(np.int64), np.where(offset < 0, -1, 0)
    for c in np.flatnonzero(m):
        least = Fraction(offset[c]) // Fraction(abs(scale[c]))
        b[c] = min(max(least, -limit - 1), limit)
    return m, b.astype(np.int64), np.zeros(len(m), np.int64)
