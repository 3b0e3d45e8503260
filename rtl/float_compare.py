"""Comparison of floating-point numbers."""

from amaranth import Cat, Signal

from rtl.float_parts import supported, taken_apart
from rtl.stages import uncut

__all__ = ["COMPARE_CUTS", "float_compare"]

COMPARE_CUTS = ("compared",)  # where `float_compare` can be cut by registers


def float_compare(m, fmt, x, y, *, cut=uncut):
    """Three bits, of which one says whether `x` is less than, equal to or greater than `y`: that is, from the least, the order.

    None is set where either is NaN: as `golden.float_arithmetic.compare` has it. No latency unless
    it is cut.

    Parameters
    ----------
    m : Module
        Where the logic goes.
    fmt : golden.formats.Float
        Of at least 2 exponent bits, with rules "ieee" or "finite".
    x, y : Value
        Codes.
    cut : callable
        See `rtl.stages.uncut`; places as in `COMPARE_CUTS`.
    """
    supported(fmt)
    parts = [taken_apart(m, fmt, code, name) for code, name in ((x, "x"), (y, "y"))]
    magnitudes = [code[:-1] for code in (x, y)]
    if fmt.flush:
        magnitudes = [code & (~part.zero).replicate(len(code)) for code, part in zip(magnitudes, parts, strict=True)]
    p, q = (part.negative for part in parts)
    below, same, nothing = Signal(name="below"), Signal(name="same"), Signal(name="nothing")
    m.d.comb += [
        below.eq(magnitudes[0] < magnitudes[1]),
        same.eq(magnitudes[0] == magnitudes[1]),
        nothing.eq(parts[0].zero & parts[1].zero),
    ]
    nan = parts[0].nan | parts[1].nan if fmt.infinite else None
    below, same, nothing, p, q, nan = cut(m, "compared", below, same, nothing, p, q, nan)
    equal, less = Signal(name="equal"), Signal(name="less_than")
    m.d.comb += [
        equal.eq(nothing | (same & (p == q))),
        less.eq(~equal & (p & ~q | (p == q) & (p ^ below))),  # of two negative ones the other way round
    ]
    found = Cat(less, equal, ~less & ~equal)
    return found if nan is None else found & (~nan).replicate(3)
