"""Multiplication and fused multiply-add of floating-point numbers, rounded once to nearest, ties to even."""

from amaranth import Cat, Const, Mux, Signal

from rtl.float_parts import aligned, coded, normalised, supported, taken_apart
from rtl.stages import uncut

__all__ = ["FMA_CUTS", "float_fma", "float_multiply", "MULTIPLY_CUTS"]

# where the functions can be cut by registers, the most useful cut first
FMA_CUTS = ("added", "multiplied", "normalised")
MULTIPLY_CUTS = ("multiplied", "normalised")
GUARD = 2  # zeros between an addend and a product that is too small to be put in its place
BELOW = 2  # bits below the product: with one subnormal factor it is barely longer than a significand


def float_fma(m, fmt, x, y, z, *, cut=uncut):
    """The code of ``x * y + z`` in the format `fmt`, as `golden.float_arithmetic.fma` has it; no latency unless it is cut.

    The window of the sum is as long as the addend, `GUARD`, the product and `BELOW` together. The product is near its end; the
    addend comes in at its top and is shifted right, unless it exceeds the product by so much that of that only the sign matters.
    Of a difference, the smaller is taken off in ones' complement, ``product + ~addend``. With no carry this is
    ``~(addend - product)``, else ``product - addend - 1``. The 1 is left to the rounding: all bits that are shifted in
    below are then 1.

    A shift to the left, as far as the exponent allows, is all that normal and subnormal results need, because the top of
    the window is never below the least normal number.

    Parameters
    ----------
    m : Module
        Where the logic goes.
    fmt : golden.formats.Float
        Of at least 2 exponent bits, with rules "ieee" or "finite".
    x, y, z : Value
        Codes.
    cut : callable
        See `rtl.stages.uncut`; places as in `FMA_CUTS`.
    """
    supported(fmt)
    kept = fmt.mantissa_bits + 1
    width = 3 * kept + GUARD + BELOW
    x, y, z = (taken_apart(m, fmt, code, name) for code, name in ((x, "x"), (y, "y"), (z, "z")))
    negative, subtract, nothing = Signal(name="product_sign"), Signal(name="subtract"), Signal(name="product_zero")
    m.d.comb += [
        negative.eq(x.negative ^ y.negative),
        subtract.eq(negative ^ z.negative),
        nothing.eq(x.zero | y.zero),
    ]
    above = kept + GUARD + 1 - fmt.bias  # the exponent of the window's top, a place above it, over that of the product
    last = (1 << fmt.exponent_bits) - 1
    length = 1 + max(2 * last + above, last).bit_length()
    field_z = Cat(z.exponent, Const(0, length - fmt.exponent_bits))
    distance, shift, lone = Signal(length, name="distance"), Signal(length - 1, name="shift"), Signal(name="lone")
    top = exponents(m, x, y, above, length)
    m.d.comb += [
        distance.eq((top - field_z)[:length]),
        lone.eq(distance[-1] | nothing),
        shift.eq(distance[:-1] & (~lone).replicate(length - 1)),
    ]
    beyond = top[fmt.exponent_bits : -1]
    limit = Cat(Mux(lone, z.exponent, top[: fmt.exponent_bits]), beyond & (~lone).replicate(len(beyond)))
    placed, lost = aligned(m, z.significand, shift, width, "addend")
    addend = Signal(width, name="signed_addend")
    m.d.comb += addend.eq(placed ^ subtract.replicate(width))
    infinite = infinite_z = nan = None
    if fmt.infinite:
        product = x.infinite | y.infinite
        infinite, infinite_z = product | z.infinite, z.infinite
        nan = x.nan | y.nan | z.nan | (product & (nothing | (z.infinite & subtract)))
    product, addend, *rest = cut(
        m,
        "multiplied",
        x.significand * y.significand,
        addend,
        subtract,
        lost,
        limit,
        negative,
        infinite,
        infinite_z,
        nan,
    )

    total = Signal(width + 1 - BELOW, name="window")
    m.d.comb += total.eq(product + addend[BELOW:])
    total, subtract, lost, limit, negative, infinite, infinite_z, nan = cut(m, "added", Cat(addend[:BELOW], total), *rest)

    less, short = Signal(name="less"), Signal(name="short")  # the product, than the addend; the sum, by 1
    m.d.comb += [less.eq(subtract & ~total[-1]), short.eq(subtract & total[-1] & ~lost)]
    magnitude = Signal(width, name="magnitude")
    m.d.comb += magnitude.eq(total[:-1] ^ less.replicate(width))
    magnitude = Cat(magnitude, Const(0, 1))
    normal = normalised(m, magnitude, kept + 1, "normal", None if fmt.flush else limit, short)
    exponent = normal.reduced(m, limit, fmt.flush, "exponent")
    turned = less if infinite is None else Mux(infinite, subtract & infinite_z, less)
    level, some, all_, exponent, short, less, negative, infinite, nan = cut(
        m, "normalised", normal.level, normal.some | lost, normal.all, exponent, short, less, negative ^ turned, infinite, nan
    )

    significand, guard, up = level[1:], level[0], Signal(name="up")
    m.d.comb += up.eq(Mux(short, guard | (all_ & level[1]), guard & (some | level[1])))
    spared = short & all_ & level.all() & exponent.all() if fmt.flush else None
    code = coded(m, fmt, significand, up, exponent, infinite=infinite, nan=nan, spared=spared)
    positive = less & ~(level.any() | some)  # an exact difference of 0
    if nan is not None:
        positive = nan | (positive & ~infinite)
    return Cat(code, negative & ~positive)


def exponents(m, x, y, above, length):
    """The sum of the exponents of two operands and the constant `above`, two's complement of `length` bits."""
    total = Signal(len(x.exponent) + 1, name="exponents")
    low = Signal(len(total) + 1, name="exponents_low")
    least, rest = above % (1 << len(total)), above >> len(total)
    m.d.comb += [total.eq(x.exponent + y.exponent), low.eq(total + Const(least, len(total)))]
    high = Signal(length - len(total), name="exponents_high")
    m.d.comb += high.eq(Mux(low[-1], *(Const(n % (1 << len(high)), len(high)) for n in (rest + 1, rest))))
    return Cat(low[:-1], high)


def float_multiply(m, fmt, x, y, *, cut=uncut):
    """The code of ``x * y`` in the format `fmt`, as `golden.float_arithmetic.multiply` has it; no latency unless it is cut.

    As `float_fma` without an addend: subnormal results are the ones that are shifted less far to the left, in a window
    whose top is never below the least normal number. Without subnormal numbers the product is shifted by one at most.

    Parameters
    ----------
    m, fmt, x, y, cut
        As of `float_fma`; places as in `MULTIPLY_CUTS`.
    """
    supported(fmt)
    kept = fmt.mantissa_bits + 1
    x, y = (taken_apart(m, fmt, code, name) for code, name in ((x, "x"), (y, "y")))
    zeros = 0 if fmt.flush else kept + GUARD  # above the product
    above = zeros - fmt.bias  # the exponent of a place below the window's top, over that of the product
    length = 1 + max(2 * ((1 << fmt.exponent_bits) - 1) + above, fmt.bias).bit_length()
    top = exponents(m, x, y, above, length)
    infinite = nan = None
    if fmt.infinite:
        infinite = x.infinite | y.infinite
        nan = x.nan | y.nan | (infinite & (x.zero | y.zero))
    product = Signal(2 * kept, name="product")
    m.d.comb += product.eq(x.significand * y.significand)
    product, top, negative, infinite, nan = cut(
        m, "multiplied", product, top, x.negative ^ y.negative, infinite, nan
    )

    if fmt.flush:
        normal, limit = normalised(m, product, kept + 1, "normal", most=1), top.as_signed()
    else:  # below the least normal number, the product is too small to matter wherever it is
        limit = Signal(length - 1, name="limit")
        m.d.comb += limit.eq(top[:-1] & (~top[-1]).replicate(length - 1))
        normal = normalised(m, Cat(product, Const(0, zeros)), kept + 1, "normal", limit)
    level, some, exponent, negative, infinite, nan = cut(
        m, "normalised", normal.level, normal.some, normal.reduced(m, limit, fmt.flush, "exponent"), negative, infinite, nan
    )
    significand, up = level[1:], Signal(name="up")
    m.d.comb += up.eq(level[0] & (some | level[1]))
    code = coded(m, fmt, significand, up, exponent, infinite=infinite, nan=nan)
    return Cat(code, negative if nan is None else negative & ~nan)
