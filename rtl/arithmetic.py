"""Arithmetic that engines share, with explicit widths."""

from amaranth import Cat, Const, Mux, Signal

__all__ = ["widen", "add_narrow", "shift_rne"]


def widen(value, width):
    """The signed `value` in `width` bits, its sign repeated: an explicit extension, which linters want to see."""
    return Cat(value, value[-1].replicate(width - len(value))).as_signed()


def add_narrow(m, x, addend, carry):
    """``x + addend + carry``, modulo ``2**len(x)``, as a value of as many bits; no latency.

    The addend's bits below its sign are added by a ripple of multiplexers. Above them it holds nothing but copies of
    its sign, so that the sum there goes up by one (a carry and no sign), down by one (sign and no carry) or stays: a
    bit flips if the bits below it let a one pass. That takes two XOR and an AND a bit, less than a full adder. The
    chain of AND is cut into groups of growing size, so that a late carry passes two gates only.

    Parameters
    ----------
    m : Module
        Where the logic goes.
    x : Value
        Longer than the addend.
    addend : Value
        Two's complement.
    carry : Value
        One bit.
    """
    narrow = len(addend) - 1
    low, high, sign = x[:narrow], x[narrow:], addend[-1]

    differ, carries = Signal(narrow, name="differ"), Signal(narrow, name="carries")
    before = Cat(carry, carries[:-1])
    m.d.comb += [
        differ.eq(low ^ addend[:narrow]),
        carries.eq(Cat(Mux(differ[i], before[i], low[i]) for i in range(narrow))),
    ]

    step = Signal(name="step")
    passes = Signal(len(high) - 1, name="passes")
    m.d.comb += [step.eq(carries[-1] ^ sign), passes.eq(high[:-1] ^ sign.replicate(len(high) - 1))]
    flips, start, size = [], 0, 2
    while start < len(high):
        reached = Signal(name=f"reached_{start}")
        m.d.comb += reached.eq(step & passes[:start].all())
        flips += [reached & passes[start:i].all() for i in range(start, min(start + size, len(high)))]
        start, size = start + size, size + 1
    return Cat(differ ^ before, high ^ Cat(flips))


def shift_rne(m, x, shift):
    """``rne(x * 2**-shift)`` of the signed value `x`, ties to even, as a signed value one bit longer; no latency.

    A barrel shifter, one bit of `shift` a level. The bit below `x` catches the last one shifted out, `lost` all others.
    """
    level, lost = Cat(0, x), Const(0, 1)
    for k in range(len(shift)):
        step = min(1 << k, len(level))
        moved, dropped = Signal(len(level), name=f"level_{k}"), Signal(name=f"lost_{k}")
        shifted = Cat(level[step:], level[-1].replicate(step))
        m.d.comb += [moved.eq(Mux(shift[k], shifted, level)), dropped.eq(lost | (shift[k] & level[:step].any()))]
        level, lost = moved, dropped
    up = Signal(name="up")
    m.d.comb += up.eq(level[0] & (lost | level[1]))
    return (widen(level[1:], len(x) + 1) + Cat(up, Const(0, len(x))).as_signed())[: len(x) + 1].as_signed()
