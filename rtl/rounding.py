"""From a wide sum to the code of a narrow format: one rounding, to nearest with ties to even, and saturation."""

import math

from amaranth import Cat, Const, Mux, Signal

from rtl.arithmetic import shift_rne, widen

__all__ = ["narrowed", "saturated", "to_integer", "to_minifloat", "to_power"]


def saturated(x, fmt, relu=False):
    """The code of the signed number `x` in the `Integer` format `fmt`, saturated; with `relu`, at least 0, unsigned."""
    width, signed = fmt.width - (fmt.signed and relu), fmt.signed and not relu
    bits = width - signed  # the limits are 2**bits - 1 and, if signed, its complement
    x = widen(x, max(len(x), width + 1))
    negative, excess = x[-1], x[bits:-1]
    low = negative & ~excess.all() if signed else negative
    high = ~negative & excess.any()
    limits = Mux(low, *(Const(limit, width) for limit in (signed << bits, (1 << bits) - 1)))
    return Mux(low | high, limits, x[:width])


def to_integer(m, x, shift, fmt, relu=False):
    """The code in the `Integer` format `fmt` of ``x * 2**-shift``; no latency.

    Parameters
    ----------
    x : Value
        Signed.
    shift : Value or int
        Bits to the right, at least 0.
    relu : bool
        Whether results are at least 0; then the code comes without sign bit.
    """
    if not isinstance(shift, int):
        found = shift_rne(m, x, shift)
    elif shift == 0:
        found = x
    else:
        x = widen(x, max(len(x), shift + 1))
        whole, half, rest = x[shift:], x[shift - 1], x[: shift - 1]
        up = Signal(name="up")
        m.d.comb += up.eq(half & Cat(rest, whole[0]).any())
        found = (widen(whole.as_signed(), len(whole) + 1) + Cat(up, Const(0, len(whole))))[: len(whole) + 1].as_signed()
    rounded = Signal(found.shape(), name="rounded")
    m.d.comb += rounded.eq(found)
    return saturated(rounded, fmt, relu)


def to_minifloat(m, x, shift, fmt, relu=False):
    """The code in the `Minifloat` format `fmt` of ``x * 2**-shift`` units; no latency. Zero has no sign.

    The magnitude is shifted left until its first bit is at the top, or its units are at the last bit of the mantissa.

    Parameters
    ----------
    x : Value
        Signed.
    shift : int
        Bits to the right; may be negative.
    relu : bool
        Whether results are at least 0; then the code comes without sign bit.
    """
    below, kept = max(shift, 0), 1 + fmt.mantissa_bits
    x = Cat(Const(0, -shift), x).as_signed() if shift < 0 else x
    negative, all_zero = x[-1], Const(1, 1)
    if not fmt.mantissa_bits and below > 1:  # ties go up: what is below the half matters to the sign's change alone
        all_zero, x, below = ~x[: below - 1].any(), widen(x, max(len(x), below))[below - 1 :], 1
    steps = max(len(x) - below - kept, 0).bit_length()  # so that the longest shift has a bit in each of them
    magnitude = Signal(len(x), name="magnitude")
    m.d.comb += magnitude.eq(((x.as_unsigned() ^ negative.replicate(len(x))) + (negative & all_zero))[: len(x)])
    length = (1 << steps) - 1 + below + kept
    level, taken = Cat(magnitude, Const(0, length - len(x))), []
    for k in reversed(range(steps)):
        step = 1 << k
        used = len(level) if fmt.mantissa_bits else min(len(level), kept + step)
        empty, moved = Signal(name=f"empty_{k}"), Signal(used, name=f"level_{k}")
        m.d.comb += empty.eq(~level[-step:].any())
        m.d.comb += moved.eq(Mux(empty, Cat(Const(0, step), level[:-step])[-used:], level[-used:]))
        level, taken = moved, [empty, *taken]
    significand, rest = level[-kept:], Cat(Const(0, 1), level[:-kept])
    return packed(m, fmt, negative, ~Cat(taken), significand, rest[-1], rest[:-1].any(), relu)


def to_power(m, x, shift, fmt):
    """The code in the `PowerOfTwo` format `fmt` of ``x * 2**-shift``; no latency.

    The magnitude is shifted left until its first bit is at the top: by how many bits is its logarithm, which goes up by
    one where what is there then exceeds the root of 2.

    Parameters
    ----------
    x : Value
        Signed, and not the least of its width.
    shift : Value
        Bits to the right.
    """
    negative, digits = x[-1], len(x) - 1
    level = Signal(digits, name="magnitude")
    if fmt.signed:
        m.d.comb += level.eq(((x[:-1] ^ negative.replicate(digits)) + negative)[:digits])
    else:
        m.d.comb += level.eq(x[:-1] & (~negative).replicate(digits))
    taken, nonzero = [], level.any()
    for k in reversed(range((digits - 1).bit_length())):
        step = 1 << k
        empty, moved = Signal(name=f"empty_{k}"), Signal(digits, name=f"level_{k}")
        m.d.comb += empty.eq(~level[-step:].any())
        m.d.comb += moved.eq(Mux(empty, Cat(Const(0, step), level[:-step])[:digits], level))
        level, taken = moved, [empty, *taken]
    root = math.isqrt(2 << 2 * (digits - 1))
    longer = 1 + max(len(taken), len(shift))
    width = 1 + max(longer, digits.bit_length(), fmt.fields)
    up, counts, beyond = Signal(name="up"), Signal(name="counts"), Signal(name="beyond")
    below = Signal(longer, name="below")  # the top bit
    floor, power = Signal(width, name="floor"), Signal(width, name="power")
    m.d.comb += [
        up.eq(level > root),
        below.eq(Cat(taken) + shift),
        floor.eq((Const(digits - 1, width) - Cat(below, Const(0, width - longer)))[:width]),
        power.eq((floor + Cat(up, Const(0, width - 1)))[:width]),
        counts.eq(~power[-1] & nonzero),
        beyond.eq(power[fmt.fields : -1].any()),
    ]
    field = Signal(fmt.fields, name="field")
    m.d.comb += field.eq((power[: fmt.fields] | beyond.replicate(fmt.fields)) & counts.replicate(fmt.fields))
    if not fmt.signed:
        return field
    return Cat(field, negative & field.any() if fmt.zero else negative)


def narrowed(m, x, wide, fmt, relu=False):
    """The code in the `Minifloat` format `fmt` of the code `x` of a wider float; no latency. Zero has no sign.

    Parameters
    ----------
    x : Value
        A normal number, or 0 with 0 as exponent.
    wide : golden.formats.Float
    fmt : Minifloat
        Of less mantissa bits, by 2 or more, and a range of exponents that `wide` holds.
    relu : bool
        Whether results are at least 0; then the code comes without sign bit.
    """
    bits, kept = wide.mantissa_bits, 1 + fmt.mantissa_bits
    field, least = x[bits:-1], wide.bias + fmt.first - fmt.bias  # the exponent field that is the least of `fmt`
    below, exponent = Signal(name="below"), Signal(len(field), name="exponent")
    m.d.comb += [
        below.eq(field < least),
        exponent.eq((field - least)[: len(field)] & (~below).replicate(len(field))),
    ]
    level, lost = Cat(x[:bits], Const(1, 1)), Const(0, 1)
    if fmt.subnormals:  # shifted right to the unit; if by more bits than there are, only `lost` counts
        distance = Signal(len(field), name="distance")
        m.d.comb += distance.eq((least - field)[: len(field)] & below.replicate(len(field)))
        steps = (kept + 1).bit_length()
        for k in range(steps):
            step, moved, dropped = 1 << k, Signal(bits + 1, name=f"level_{k}"), Signal(name=f"lost_{k}")
            m.d.comb += [
                moved.eq(Mux(distance[k], Cat(level[step:], Const(0, step)), level)),
                dropped.eq(lost | (distance[k] & level[:step].any())),
            ]
            level, lost = moved, dropped
        level = level & (~distance[steps:].any()).replicate(bits + 1)
        significand = level[-kept:]
    else:
        significand = Cat(level[-kept:-1], ~below)
    rest = level[:-kept]
    return packed(m, fmt, x[-1], exponent, significand, rest[-1], rest[:-1].any() | lost, relu)


def packed(m, fmt, negative, exponent, significand, half, rest, relu):
    """The code of ``significand * 2**exponent``, rounded by the bits below, of which `rest` says whether any is set.

    Exponent and mantissa are one number, in which a mantissa that rounds up beyond its end counts the exponent up.

    Parameters
    ----------
    negative, half, rest : Value
        One bit.
    exponent : Value
        Unsigned.
    significand : Value
        With the bit before the mantissa on top, which is 1 unless the exponent is 0.
    """
    mantissa, hidden, width = significand[:-1], significand[-1], fmt.width - 1
    longer = 1 + max(width, len(mantissa) + len(exponent))
    up, code = Signal(name="up"), Signal(longer, name="code")
    m.d.comb += up.eq(half & (rest | significand[0]) if len(mantissa) else half)  # then ties go up
    number = Cat(mantissa, exponent)
    number = (Cat(number, Const(0, longer - len(number))) + up)[:longer]
    if fmt.subnormals:  # their exponent field is one less
        number = (number + Cat(Const(0, len(mantissa)), hidden))[:longer]
    m.d.comb += code.eq(number)
    found = Mux(code > fmt.top, Const(fmt.top, width), code[:width])
    if not fmt.subnormals:  # below 2**-bias all is 0, and 2**-bias itself goes to the number above it
        found = Mux(hidden, Cat(found[0] | ~code.any(), found[1:]), Const(0, width))
    if relu:
        return found & (~negative).replicate(width)
    unsigned = Signal(width, name="magnitude_code")
    m.d.comb += unsigned.eq(found)
    return Cat(unsigned, negative & unsigned.any())
