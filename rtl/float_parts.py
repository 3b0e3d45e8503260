"""What units of floating-point arithmetic are made of: operands taken apart, shifters, one rounding, codes put together."""

from dataclasses import dataclass, replace

from amaranth import Cat, Const, Mux, Signal, Value, signed

from golden.errors import InputError
from rtl.arithmetic import widen

__all__ = ["Operand", "aligned", "coded", "normalised", "supported", "taken_apart"]


def supported(fmt):
    """Refuse, with an `InputError`, a format in which the units do not compute."""
    if fmt.rules not in ("ieee", "finite") or fmt.exponent_bits < 2:
        raise InputError(f"arithmetic must be in a float of 2 exponent bits or more with the rules ieee or finite, not in {fmt}")


@dataclass(frozen=True)
class Operand:
    """A code taken apart: ``(-1)**negative * significand * 2**(exponent - bias - mantissa bits)``, unless it is `infinite`.

    The exponent is at least 1. `nan` says of what is `infinite` whether it is NaN. These two are of one bit; without infinities
    in the format they are None.
    """

    negative: Value
    exponent: Value
    significand: Value
    zero: Value
    infinite: Value | None = None
    nan: Value | None = None


def taken_apart(m, fmt, code, name, tame=False):
    """The `Operand` of a code; subnormal numbers are 0 where `fmt` flushes them. A `tame` one is normal or 0."""
    mantissa, field, hidden = code[: fmt.mantissa_bits], code[fmt.mantissa_bits : -1], Signal(name=f"{name}_hidden")
    m.d.comb += hidden.eq(field.any())
    if tame:
        return Operand(code[-1], field, Cat(mantissa, hidden), ~hidden)
    some = Signal(name=f"{name}_some")
    m.d.comb += some.eq(mantissa.any())
    kept = mantissa & hidden.replicate(len(mantissa)) if fmt.flush else mantissa
    zero = ~hidden if fmt.flush else ~(hidden | some)
    found = Operand(code[-1], Cat(field[0] | ~hidden, field[1:]), Cat(kept, hidden), zero)
    if not fmt.infinite:
        return found
    last = Signal(name=f"{name}_last")
    m.d.comb += last.eq(field.all())
    return replace(found, infinite=last, nan=last & some)


def aligned(m, x, distance, width, name):
    """`x` on top of `width` bits, shifted right by `distance`: (them, whether any bit that is 1 was lost); no latency.

    A barrel shifter, the least shift first, so that its early levels are as narrow as `x`.
    """
    level, lost = x, Const(0, 1)
    levels = min(len(distance), (width - 1).bit_length())
    for k in range(levels):
        step = 1 << k
        excess = max(len(level) + step - width, 0)
        found, far = Signal(len(level) + step - excess, name=f"{name}_{k}"), distance[k]
        if excess:
            lost = lost | (far & level[:excess].any())
        below, above = level[excess:step], level[max(len(level) - step, 0) :]  # what one of the two choices leaves 0
        between = Mux(far, level[step:], level[:-step]) if step < len(level) else Const(0, step - len(level))
        m.d.comb += found.eq(Cat(below & far.replicate(len(below)), between, above & (~far).replicate(len(above))))
        level = found
    level = Cat(Const(0, width - len(level)), level)
    if levels < len(distance):
        far, near = Signal(name=f"{name}_far"), Signal(width, name=f"{name}_near")
        m.d.comb += [far.eq(distance[levels:].any()), near.eq(level & (~far).replicate(width))]
        level, lost = near, lost | (far & x.any())
    dropped = Signal(name=f"{name}_lost")
    m.d.comb += dropped.eq(lost)
    return level, dropped


@dataclass(frozen=True)
class Normal:
    """What is left of a number shifted left: its upper bits, by how much, and of the bits below whether `some` or `all` are 1.

    `all` is there only where these can be filled with ones.
    """

    level: Value
    shift: Value
    some: Value
    all: Value | None

    def reduced(self, m, exponent, below, name):
        """`exponent` less the shift; if that may be `below` 0, as a signed value."""
        width = max(len(exponent), len(self.shift))
        if below:
            width += not exponent.shape().signed or len(exponent) == len(self.shift)
        found = Signal(signed(width) if below else width, name=name)
        shift = Cat(self.shift, Const(0, width - len(self.shift)))
        exponent = widen(exponent, width) if exponent.shape().signed else Cat(exponent, Const(0, width - len(exponent)))
        m.d.comb += found.eq((exponent.as_unsigned() - shift)[:width])
        return found


def normalised(m, x, kept, name, limit=None, fill=None, most=None):
    """`x` shifted left until its first bit is on top, or by `limit`, as a `Normal` of `kept` bits; no latency.

    A barrel shifter, the greatest shift first, in which each level drops what no later one can bring up. A level
    shifts if what it would shift out is empty. Against `limit`, these bits of the shift are compared as they come: up
    to the first that differs they are those of both, from there on those of the less.

    Parameters
    ----------
    kept : int
    limit : Value, optional
        Without sign.
    fill : Value, optional
        What comes in below, one bit; by default 0.
    most : int, optional
        Zeros above the first bit, at the most; by default any number.
    """
    level, some, all_, filled = x, Const(0, 1), Const(1, 1), fill is not None
    most = len(x) - (fill is None) if most is None else most  # of 0, filled with ones, all bits are shifted out
    levels = most.bit_length()
    fill = Const(0, 1) if fill is None else fill
    moves = []
    if limit is not None:
        free, bound = limit[levels:].any() if len(limit) > levels else Const(0, 1), Signal(name=f"{name}_bound")
        if len(limit) < levels:
            levels = len(limit)
            m.d.comb += bound.eq(~x[-(1 << levels) :].any())
    for k in reversed(range(levels)):
        step = 1 << k
        empty, move = Signal(name=f"{name}_empty_{k}"), Signal(name=f"{name}_move_{k}")
        top = level[-step:] if step <= len(level) else Cat(level, fill)
        m.d.comb += empty.eq(~top.any())
        if limit is None:
            m.d.comb += move.eq(empty)
        else:
            allowed, less, more = limit[k], Signal(name=f"{name}_free_{k}"), Signal(name=f"{name}_bound_{k}")
            m.d.comb += [
                move.eq(Mux(bound, allowed, empty & (free | allowed))),
                less.eq(free | (~bound & ~empty & allowed)),
                more.eq(bound | (~free & empty & ~allowed)),
            ]
            free, bound = less, more
        left = min(len(level), kept + step - 1)
        drop = len(level) - left
        low, middle = level[: max(drop - step, 0)], level[max(drop - step, 0) : drop]
        if drop:
            some = some | low.any() | (~move & middle.any())
            all_ = all_ & low.all() & (move | middle.all())
        moved = Cat(fill.replicate(min(step, len(level))), level[: max(len(level) - step, 0)])[drop:]
        found = Signal(left, name=f"{name}_level_{k}")
        m.d.comb += found.eq(Mux(move, moved, level[drop:]))
        level, moves = found, [move, *moves]
    flags = [Signal(name=f"{name}_{what}") for what in ("some", "all")[: 1 + filled]]
    m.d.comb += [flag.eq(value) for flag, value in zip(flags, (some, all_))]
    return Normal(level, Cat(moves), flags[0], flags[1] if filled else None)


def coded(m, fmt, significand, up, exponent, *, infinite=None, nan=None, spared=None, tame=False):
    """The code, without sign, of a number to be rounded; no latency.

    Exponent and mantissa are one number, in which a mantissa that rounds up beyond its end counts the exponent up.
    What is beyond the greatest number becomes infinity or, in a format without, the greatest number.

    Parameters
    ----------
    significand : Value
        With the first bit on top; it is 0 of 0 and of subnormal numbers.
    up : Value
        One bit: to be rounded up.
    exponent : Value
        One less than the exponent's field, of a subnormal number 0, of 0 anything; signed if the format flushes.
    infinite, nan : Value, optional
        One bit: the result is that.
    spared : Value, optional
        One bit: the number is not flushed to zero, though its exponent is -1, because rounding up makes it exact.
    tame : bool
        Whether the number is 0 or normal, rounded too.
    """
    bits, hidden, signed = fmt.mantissa_bits, significand[-1], exponent.shape().signed
    length = max(len(exponent) - signed, fmt.exponent_bits + (not tame))
    negative, exponent = exponent[-1], exponent[:-1] if signed else exponent
    base = Signal(len(exponent), name="base")
    m.d.comb += base.eq(exponent if tame or fmt.flush else exponent & hidden.replicate(len(exponent)))
    base = Cat(base, Const(0, length - len(base)))
    number = Signal(bits + length, name="rounded")
    increments = Cat(up, Const(0, bits - 1), Const(1, 1) if tame else hidden, Const(0, length - 1))
    m.d.comb += number.eq((Cat(significand[:-1], base) + increments)[: len(number)])
    code, beyond = number[: fmt.width - 1], number[fmt.width - 1 :]
    if tame:
        return code & hidden.replicate(len(code))
    if fmt.flush:
        kept = Signal(name="is_normal")
        m.d.comb += kept.eq(hidden & (~negative if spared is None else ~negative | spared))
        code, beyond = code & kept.replicate(len(code)), beyond & kept.replicate(len(beyond))
    mantissa, field = code[:bits], code[bits:]
    over = Signal(name="over")
    m.d.comb += over.eq(Cat(beyond, field.all(), infinite, nan).any() if fmt.infinite else beyond.any())
    ones = over.replicate(bits)
    if fmt.infinite:
        cleared = Signal(bits, name="cleared")
        m.d.comb += cleared.eq(mantissa & ~ones)
        mantissa = Cat(cleared[:-1], cleared[-1] | nan)
    else:
        mantissa = mantissa | ones
    return Cat(mantissa, field | over.replicate(fmt.exponent_bits))
