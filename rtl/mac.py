"""Multipliers: each turns a pair of operand codes into an addend and a carry, whose sum is the product.

What adds up products takes ``addend + carry`` in one adder: where no multiplier is needed, a negative product is the
complement of the operand, and the one that it lacks comes in as carry.
"""

from dataclasses import dataclass

from amaranth import Cat, Const, Mux, Signal, Value, signed

from golden.formats import Binary, Integer, Minifloat, PowerOfTwo, Ternary
from rtl.arithmetic import widen

__all__ = ["addend_width", "carries", "fixed_point", "product", "scaled", "shifted"]

DECODED = 2  # bits of a shift that choose one of four places at once, in the last and widest level of a shifter


def number(fmt, code):
    """The number of an integer's code, as a value of its sign."""
    return code.as_signed() if fmt.signed else code


def complemented(a, x, negative):
    """The operand, or its complement, with a sign bit: its number is `x` or ``-x - 1``."""
    flipped = x ^ negative.replicate(len(x))
    return flipped if a.signed else Cat(flipped, negative)


def ternary(m, a, w, x, y):
    """``x * {-1, 0, +1}``: complement and mask (Mishra and Marr, WRPN & Apprentice, section 3). Code 10 is worth 0."""
    nonzero, negative = y[0], y[0] & y[1]
    flipped = complemented(a, x, negative)
    masked = flipped[: len(x)] & nonzero.replicate(len(x))
    return Cat(masked, flipped[len(x) :]).as_signed(), negative


def binary(m, a, w, x, y):
    """``x * {-1, +1}``: complement where the weight's code is 0."""
    return complemented(a, x, ~y[0]).as_signed(), ~y[0]


def integer(m, a, w, x, y):
    """``x * y``: a full product, no carry."""
    result = Signal(signed(addend_width(a, w)), name="product")
    m.d.comb += result.eq(number(a, x) * number(w, y))
    return result, Const(0, 1)


def power_of_two(m, a, w, x, y):
    """``+-x * 2**f``: complement, then a barrel shifter that brings in what the carry makes 0 (Gysel, section 7.3)."""
    field, negative = y[: w.fields], y[-1] if w.signed else Const(0, 1)
    if w.zero:
        nonzero = field.any()
        negative = negative & nonzero
        flipped = complemented(a, x, negative) & nonzero.replicate(a.width + (not a.signed))
    else:
        flipped = complemented(a, x, negative)
    return shifted(m, flipped.as_signed(), field, negative, "product"), negative


def logarithmic(m, a, w, x, y):
    """``+-2**(f + g)`` of the fields of two powers of two: their sum, decoded; no multiplier, no shifter (LogNet)."""
    found = scaled_power(a, x).times(m, scaled_power(w, y))
    low, high, greatest = found.shift[:3], found.shift[3:], a.last + w.last
    places = Signal(min(1 << len(low), greatest + 1), name="places")
    blocks = Signal((greatest >> len(low)) + 1, name="blocks")
    negative, power = Signal(name="negative"), Signal(greatest + 1, name="power")
    powers = (blocks[i >> len(low)] & places[i & 7] for i in range(greatest + 1))
    m.d.comb += [
        negative.eq(0 if found.negative is None else found.negative & found.number),
        places.eq(Cat(holds(low, place) for place in range(len(places)))),
        blocks.eq(Cat(holds(high, block) & found.number for block in range(len(blocks)))),
        power.eq(Cat(powers) ^ negative.replicate(greatest + 1)),
    ]
    return Cat(power, negative).as_signed(), negative


def holds(bits, number):
    """Whether `bits` are those of a number."""
    return Cat(bit if number >> i & 1 else ~bit for i, bit in enumerate(bits)).all() if len(bits) else Const(1, 1)


def shifted(m, x, shift, fill, name, width=None):
    """``x * 2**shift`` of a signed value, bits of `fill` coming in below; as wide as the greatest shift needs.

    A barrel shifter, the least shift first, so that its early levels are narrow. With `width` it is no wider than that:
    modulo ``2**width``, or for shifts no greater than it leaves room for.
    """
    for k in range(len(shift)):
        step = 1 << k
        wide = min(len(x) + step, len(x) + step if width is None else width)
        level = Signal(signed(wide), name=f"{name}_level_{k}")
        moved = Cat(fill.replicate(min(step, wide)), x)[:wide]
        m.d.comb += level.eq(Mux(shift[k], moved.as_signed(), widen(x, wide)))
        x = level
    return x


@dataclass(frozen=True)
class Scaled:
    """``(-1)**negative * number * 2**(shift - offset)``; without sign or shift these are None.

    At most `leading` bits are 0 above the first one of a number, unless it is 0.
    """

    number: Value
    negative: Value | None = None
    shift: Value | None = None
    offset: int = 0
    leading: int = 0

    def times(self, m, other):
        """The product of two."""
        number = times(m, self.number, other.number)
        first = (len(self.number) - self.leading) + (len(other.number) - other.leading) - 1  # bits of the least product
        return Scaled(
            number,
            both(self.negative, other.negative, lambda s, t: s ^ t),
            both(self.shift, other.shift, lambda s, t: added(m, s, t)),
            self.offset + other.offset,
            len(number) - first,
        )


def scaled_minifloat(fmt, code):
    """Sign, significand and exponent. Of subnormal numbers the hidden bit is 0 and the exponent's field counts as 1."""
    mantissa, field = code[: fmt.mantissa_bits], code[fmt.mantissa_bits : -1]
    hidden = field.any() if fmt.subnormals else code[:-1].any()
    if fmt.subnormals:
        field = Cat(field[0] | ~hidden, field[1:])
    return Scaled(Cat(mantissa, hidden), code[-1], field, fmt.first, fmt.mantissa_bits * fmt.subnormals)


def scaled_power(fmt, code):
    """Sign and exponent of the number 1, or 0."""
    field = code[: fmt.fields]
    return Scaled(field.any() if fmt.zero else Const(1, 1), code[-1] if fmt.signed else None, field)


SCALED = {
    Minifloat: scaled_minifloat,
    PowerOfTwo: scaled_power,
    Integer: lambda fmt, code: Scaled(number(fmt, code), leading=fmt.width - 1),
    Ternary: lambda fmt, code: Scaled(Cat(code[0], code[0] & code[1]).as_signed()),
    Binary: lambda fmt, code: Scaled(Cat(Const(1, 1), ~code).as_signed()),
}


def scaled(fmt, code):
    """The number of a code as a `Scaled`, by the row of its family."""
    return SCALED[type(fmt)](fmt, code)


def added(m, s, t):
    """The sum of two shifts."""
    shift = Signal(1 + max(len(s), len(t)), name="product_shift")
    m.d.comb += shift.eq(s + t)
    return shift


def both(x, y, join):
    """``join(x, y)`` of values of which either may be None."""
    return x if y is None else y if x is None else join(x, y)


def times(m, x, y):
    """``x * y``, by a mask where one of them is a single bit."""
    for one, other in ((x, y), (y, x)):
        if len(one) == 1 and not one.shape().signed:
            if isinstance(one, Const):
                return other if one.value else Const(0, 1)
            masked = other.as_unsigned() & one.replicate(len(other))  # signed and unsigned would be a bit longer
            return masked.as_signed() if other.shape().signed else masked
    result = Signal((x * y).shape(), name="significands")
    m.d.comb += result.eq(x * y)
    return result


def scaled_product(m, a, w, x, y):
    """The product where an operand is a minifloat: significands multiplied, exponents added; no carry.

    Exact, as wide as the greatest product. The product of the significands, still narrow, is made negative, then
    shifted. Codes of infinity and NaN are never sent: they read as the numbers that their fields would be, modulo
    what the addend holds.
    """
    joined = scaled(a, x).times(m, scaled(w, y))
    return fixed(m, joined, addend_width(a, w), "product"), Const(0, 1)


def fixed_point(m, fmt, code, name):
    """The integer of a code, in units of its format, as a signed value."""
    width = 1 + max(~fmt.lo, fmt.hi).bit_length()
    return fixed(m, scaled(fmt, code), width, name)


def fixed(m, found, width, name):
    """The number of the `Scaled` `found` as a signed value of `width` bits."""
    x = found.number
    if found.negative is not None:
        length = len(x) + 1
        raw = widen(x, length) if x.shape().signed else Cat(x, Const(0, 1))
        number = Signal(signed(length), name=f"{name}_number")
        flipped = raw.as_unsigned() ^ found.negative.replicate(length)
        m.d.comb += number.eq((flipped + found.negative)[:length].as_signed())
    else:
        number = Signal(signed(len(x) + (not x.shape().signed)), name=f"{name}_number")
        m.d.comb += number.eq(x)
    if found.shift is None:
        return widen(number, width) if width > len(number) else number[:width].as_signed()
    return placed(m, number, found.shift, found.offset, width, name)


def placed(m, x, shift, offset, width, name):
    """``x * 2**(shift - offset)`` of a signed value, modulo ``2**width``; the bits below are known to be 0.

    A barrel shifter whose early levels are narrow. Its last level, by far the widest, takes two bits of the shift at
    once: each bit of the result comes from the few places that reach it, and above them from the sign, which all of a
    place's bits share.
    """
    decoded = min(DECODED, len(shift))
    coarse = len(shift) - decoded
    x = shifted(m, x, shift[:coarse], Const(0, 1), name)
    step, sign = 1 << coarse, x[-1]
    digits, full = len(x) - 1, width - 1 + offset
    places = [place for place in range(1 << decoded) if step * place < full]
    at = {place: Signal(name=f"{name}_at_{place}") for place in places}
    top = shift[coarse:]
    for place in places:
        m.d.comb += at[place].eq(holds(top, place))
    signs = {}
    bits = []
    for i in range(offset, full):
        sources = [at[place] & x[i - step * place] for place in places if 0 <= i - step * place < digits]
        below = sum(step * place + digits <= i for place in places)
        if below and below not in signs:
            signs[below] = Signal(name=f"{name}_sign_{below}")
            m.d.comb += signs[below].eq(sign & Cat(at[place] for place in places[:below]).any())
        bits.append(Cat(sources, signs[below] if below else []).any())
    result = Signal(width - 1, name=name)
    m.d.comb += result.eq(Cat(bits))
    return Cat(result, sign).as_signed()


# Of other pairs of families, `scaled_product`; of integers, `integer`.
COMPLEMENTS = {
    (Integer, Ternary): ternary,
    (Integer, Binary): binary,
    (Integer, PowerOfTwo): power_of_two,
    (PowerOfTwo, PowerOfTwo): logarithmic,
}
MULTIPLIERS = COMPLEMENTS | {(Integer, Integer): integer}


def carries(a, w):
    """Whether products come with a carry. That of an unsigned `a` is a copy of the addend's sign."""
    return (type(a), type(w)) in COMPLEMENTS


def addend_width(a, w):
    """Bits of the addend of `product`."""
    if isinstance(a, PowerOfTwo) and isinstance(w, PowerOfTwo):
        return a.last + w.last + 2
    if carries(a, w):
        shift = w.last if isinstance(w, PowerOfTwo) else 0
        return a.width + (not a.signed) + shift
    corners = [x * y for x in (a.lo, a.hi) for y in (w.lo, w.hi)]
    return 1 + max(max(corners).bit_length(), (~min(corners)).bit_length() if min(corners) < 0 else 0)


def product(m, a, w, x, y):
    """The product of codes `x` of format `a` and `y` of format `w`: (signed addend, carry of one bit)."""
    return MULTIPLIERS.get((type(a), type(w)), scaled_product)(m, a, w, x, y)
