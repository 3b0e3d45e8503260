"""Addition of floating-point numbers, rounded to nearest, ties to even."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.float_parts import aligned, coded, normalised, supported, taken_apart
from rtl.stages import uncut

__all__ = ["ADD_CUTS", "FloatAdder", "float_add"]

EXTRA = 3  # bits kept below the mantissa: one that rounds, one that a shift to the left brings up, one for all others
ADD_CUTS = ("added", "aligned", "normalised")  # where `float_add` can be cut by registers, the most useful cut first


def float_add(m, fmt, x, y, *, cut=uncut, tame=False):
    """The code of ``x + y`` in the format `fmt`, as `golden.float_arithmetic.add` has it; no latency unless it is cut.

    The operand of less magnitude is shifted right to the exponent of the other, what is lost remembered in a last bit; the
    sum is shifted left until its first bit is on top, or as far as its exponent allows, and rounded.

    Parameters
    ----------
    m : Module
        Where the logic goes.
    fmt : golden.formats.Float
        Of at least 2 exponent bits, with rules "ieee" or "finite".
    x, y : Value
        Codes.
    cut : callable
        See `rtl.stages.uncut`; places as in `ADD_CUTS`.
    tame : bool
        Whether operands and sum are known to be 0, which then has no sign, or normal numbers: nothing else is provided for.
    """
    supported(fmt)
    bits, unsigned = fmt.mantissa_bits, fmt.width - 1
    swap, subtract = Signal(name="swap"), Signal(name="subtract")
    more, less, negative = Signal(unsigned, name="more"), Signal(unsigned, name="less"), Signal(name="negative")
    m.d.comb += [
        swap.eq(x[:unsigned] < y[:unsigned]),
        more.eq(Mux(swap, y[:unsigned], x[:unsigned])),
        less.eq(Mux(swap, x[:unsigned], y[:unsigned])),
        negative.eq(Mux(swap, y[-1], x[-1])),
        subtract.eq(x[-1] ^ y[-1]),
    ]
    augend, addend = (taken_apart(m, fmt, Cat(part, negative), name, tame) for part, name in ((more, "more"), (less, "less")))
    distance = Signal(fmt.exponent_bits, name="distance")
    m.d.comb += distance.eq((augend.exponent - addend.exponent)[: fmt.exponent_bits])
    near, lost = aligned(m, addend.significand, distance, bits + EXTRA, "aligned")
    infinite = nan = None
    if fmt.infinite and not tame:  # of more magnitude is what is not finite
        infinite, nan = augend.infinite, augend.nan | (augend.infinite & addend.infinite & subtract)
    whole, near, *rest = cut(
        m, "aligned", augend.significand, Cat(lost, near), augend.exponent, subtract, negative, infinite, nan
    )

    length = len(near)
    total = Signal(length + 1, name="sum")
    first = Cat(Const(0, length - len(whole)), whole, Const(0, 1))
    second = Cat(near, Const(0, 1)) ^ rest[1].replicate(length + 1)
    m.d.comb += total.eq(((first + second)[: length + 1] + rest[1])[: length + 1])
    total, exponent, *rest = cut(m, "added", total, *rest)

    below = fmt.flush and not tame
    normal = normalised(m, total, bits + 2, "normal", None if tame or below else exponent)
    level, some, exponent, subtract, negative, infinite, nan = cut(
        m, "normalised", normal.level, normal.some, normal.reduced(m, exponent, below, "exponent"), *rest
    )
    significand, up = level[1:], Signal(name="up")
    m.d.comb += up.eq(level[0] & (some | significand[0]))
    code = coded(m, fmt, significand, up, exponent, infinite=infinite, nan=nan, tame=tame)
    if tame:
        return Cat(code, negative & significand[-1])
    positive = subtract & ~significand.any()  # what is lost in the shift is less than an operand: only then it is 0
    return Cat(code, negative & ~(positive if nan is None else positive | nan))


class FloatAdder(wiring.Component):
    """``total = x + y`` a cycle later, of codes of `fmt` that are 0 or normal numbers, as their sum must be; see `float_add`.

    Parameters
    ----------
    fmt : golden.formats.Float
    """

    def __init__(self, fmt):
        self.fmt = fmt
        super().__init__({"x": In(fmt.width), "y": In(fmt.width), "total": Out(fmt.width)})

    def elaborate(self, platform):
        m = Module()
        kept = Signal(self.fmt.width, name="kept", reset_less=True)
        m.d.sync += kept.eq(float_add(m, self.fmt, self.x, self.y, tame=True))
        m.d.comb += self.total.eq(kept)
        return m
