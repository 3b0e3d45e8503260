"""Arithmetic that engines share, with explicit widths."""

from amaranth import Cat, Const, Mux, Signal

__all__ = ["widen", "add_narrow", "shift_rne"]


def widen(value, width):
    """The signed `value` in `width` bits, its sign repeated: an explicit extension, which linters want to see."""
    return Cat(value, value[-1].replicate(width - len(value))).as_signed()


def add_narrow(m, x, addend, carry=None, name=""):
    """``x + addend + carry``, modulo ``2**len(x)``, as a value of as many bits; no latency.

    The addend's bits below its sign are added as they are. Above them it holds nothing but copies of its sign, so that
    `x` there goes up by one (a carry and no sign), down by one (sign and no carry) or stays: with all its bits
    complemented on the way down, that is one increment, less than half of an adder. With a carry, which makes the step
    late, it is cut in two, so that the step finds the upper half waiting for one bit.

    Parameters
    ----------
    m : Module
        Where the logic goes.
    x : Value
        At least as long as the addend.
    addend : Value
        Two's complement.
    carry : Value, optional
        One bit.
    name : str
        What the names of its signals begin with.
    """
    narrow = len(addend) - 1
    low, high, sign = x[:narrow], x[narrow:], addend[-1].replicate(len(x) - narrow)
    total = Signal(narrow + 1, name=f"{name}low_sum")
    step = Signal(name=f"{name}step")
    upward = Signal(len(high), name=f"{name}upward")
    m.d.comb += [step.eq(total[-1] ^ addend[-1]), upward.eq(high ^ sign)]
    if carry is None:
        m.d.comb += total.eq(low + addend[:narrow])
        return Cat(total[:-1], (upward + step)[: len(high)] ^ sign)
    m.d.comb += total.eq(low + addend[:narrow] + carry)

    middle = len(high) // 2
    lower, upper = Signal(middle, name=f"{name}lower"), Signal(len(high) - middle, name=f"{name}upper")
    m.d.comb += [lower.eq(upward[:middle] + step), upper.eq(upward[middle:] + (step & upward[:middle].all()))]
    return Cat(total[:-1], Cat(lower, upper) ^ sign)


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
