"""Addition of floating-point numbers, rounded to nearest, ties to even."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["FloatAdder", "float_sum"]

EXTRA = 3  # bits kept below the mantissa: one that rounds, one that a shift to the left brings up, one for all others


def float_sum(m, fmt, x, y):
    """The code of ``x + y`` in the format `fmt`, rounded to nearest, ties to even; no latency.

    The operand of less magnitude is shifted right to the exponent of the other, what is lost remembered in its last bit; the sum
    is shifted left until its first bit is on top, and rounded. Exponent and mantissa are one number, in which a
    mantissa that rounds up beyond its end counts the exponent up.

    Parameters
    ----------
    m : Module
        Where the logic goes.
    fmt : golden.formats.Float
        Its exponent and mantissa bits are used: any of at least 2.
    x, y : Value
        Codes of normal numbers or of 0, with 0 as exponent *and* mantissa. Subnormal numbers, infinity and NaN are
        neither taken nor made: the sum must be 0 or a normal number.
    """
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
    distance = Signal(fmt.exponent_bits, name="distance")
    m.d.comb += distance.eq((more[bits:] - less[bits:])[: fmt.exponent_bits])

    aligned = Cat(Const(0, EXTRA), less[:bits], less[bits:].any())
    length = len(aligned)
    levels = min((length - 1).bit_length(), fmt.exponent_bits)
    for k in range(levels):
        step = min(1 << k, length)
        moved = Signal(length, name=f"aligned_{k}")
        m.d.comb += moved.eq(Mux(distance[k], Cat(aligned[: step + 1].any(), aligned[step + 1 :], Const(0, step)), aligned))
        aligned = moved
    far = distance[levels:].any() if levels < fmt.exponent_bits else Const(0, 1)
    near = Signal(length, name="near")
    m.d.comb += near.eq(aligned & (~far).replicate(length))  # what is that far away changes no sum

    total = Signal(length + 1, name="sum")
    augend = Cat(Const(0, EXTRA), more[:bits], more[bits:].any(), Const(0, 1))
    addend = Cat(near, Const(0, 1)) ^ subtract.replicate(length + 1)
    m.d.comb += total.eq(((augend + addend)[: length + 1] + subtract)[: length + 1])

    level, zeros = total, []
    for k in reversed(range(length.bit_length())):
        step = 1 << k
        empty, moved = Signal(name=f"empty_{k}"), Signal(length + 1, name=f"normal_{k}")
        m.d.comb += [
            empty.eq(~level[-step:].any()),
            moved.eq(Mux(empty, Cat(Const(0, step), level[:-step]), level)),
        ]
        level, zeros = moved, [empty, *zeros]
    exponent, up, code = Signal(fmt.exponent_bits, name="exponent"), Signal(name="up"), Signal(unsigned, name="code")
    below = level[: -1 - bits]
    m.d.comb += [
        exponent.eq(((more[bits:] + 1)[: fmt.exponent_bits] - Cat(zeros))[: fmt.exponent_bits]),
        up.eq(below[-1] & Cat(below[:-1], level[-1 - bits]).any()),
        code.eq((Cat(level[-1 - bits : -1], exponent) + up)[:unsigned]),
    ]
    return Cat(code, negative) & level[-1].replicate(fmt.width)


class FloatAdder(wiring.Component):
    """``total = x + y`` a cycle later, of codes of `fmt`; see `float_sum`.

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
        m.d.sync += kept.eq(float_sum(m, self.fmt, self.x, self.y))
        m.d.comb += self.total.eq(kept)
        return m
