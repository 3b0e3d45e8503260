"""How the C file rounds to a format: a function for each, which calls the helper of its family.

C99 leaves the right shift of negative numbers open and the overflow of signed ones undefined, so shifts work on
magnitudes, which are unsigned. A *total* is an integer below 2**63 in magnitude and stands for ``total * 2**-shift``
units of the format to which it is rounded; a negative shift is for totals beyond every limit.
"""

import math
from dataclasses import replace

from golden.c99.text import literal
from golden.formats import Binary, Integer, Minifloat, PowerOfTwo, Ternary

__all__ = ["ROUNDING", "rounding"]

NEVER = -128  # log2 of a magnitude, in units, that no total lies below

# name → (what it uses, its text)
ROUNDING = {
    "magnitude": (
        (),
        """\
static uint64_t magnitude(int64_t x)
{
    return x < 0 ? 0 - (uint64_t)x : (uint64_t)x;
}
""",
    ),
    "top_bit": (
        (),
        """\
/* Position of the leading 1; 0 for 0. */
static count top_bit(uint64_t x)
{
    count top = 0;
    for (count half = 32; half > 0; half /= 2) {
        if (x >> half != 0) {
            x >>= half;
            top += half;
        }
    }
    return top;
}
""",
    ),
    "round_even": (
        (),
        """\
/* x * 2^-shift to the nearest integer, ties to even, for x below 2^63. */
static uint64_t round_even(uint64_t x, count shift)
{
    if (shift <= 0)
        return x;
    if (shift > 63)
        return 0;
    const uint64_t quotient = x >> shift, rest = x - (quotient << shift), half = (uint64_t)1 << (shift - 1);
    return rest > half || (rest == half && (quotient & 1) != 0) ? quotient + 1 : quotient;
}
""",
    ),
    "round_integer": (
        ("magnitude", "round_even"),
        """\
/* To an integer, ties to even, saturated. */
static int64_t round_integer(int64_t total, count shift, int64_t lo, int64_t hi)
{
    const uint64_t x = round_even(magnitude(total), shift);
    if (total < 0)
        return shift < 0 || x >= magnitude(lo) ? lo : -(int64_t)x;
    return shift < 0 || x >= magnitude(hi) ? hi : (int64_t)x;
}
""",
    ),
    "round_binary": (
        (),
        """\
/* To -1 or +1; 0 is +1. */
static int64_t round_binary(int64_t total, count shift)
{
    (void)shift;
    return total < 0 ? -1 : 1;
}
""",
    ),
    "round_minifloat": (
        ("magnitude", "top_bit", "round_even"),
        """\
/* To a float of `mantissa` bits after the leading one, whose unit is the distance between its least numbers; ties to
 * even, saturated at hi. What is below 2^flushed becomes 0; what is not, at least `least`. */
static int64_t round_minifloat(int64_t total, count shift, count mantissa, count flushed, int64_t least, int64_t hi)
{
    const uint64_t x = magnitude(total);
    const count top = top_bit(x), step = top - mantissa > shift ? top - mantissa : shift;
    uint64_t y = (uint64_t)hi;
    if (shift >= 0 && top - shift <= 62) {
        y = round_even(x, step) << (step - shift);
        if (x == 0 || top - shift < flushed)
            y = 0;
        else if (y < (uint64_t)least)
            y = (uint64_t)least;
        if (y > (uint64_t)hi)
            y = (uint64_t)hi;
    }
    return total < 0 ? -(int64_t)y : (int64_t)y;
}
""",
    ),
    "round_power": (
        ("magnitude", "top_bit"),
        """\
/* To a power of two from 2^0 to 2^most, up from sqrt(2) times a power on; 0 becomes 2^0. With a zero, 2^0 is 0; without
 * a sign, so are negative totals. */
static int64_t round_power(int64_t total, count shift, count most, int zero, int is_signed)
{
    const uint64_t x = magnitude(total), sqrt_2 = UINT64_C(0xb504f333f9de6484); /* below sqrt(2) * 2^63 */
    const count top = top_bit(x);
    count power = top - shift;
    if (shift < 0 || power > most)
        power = most;
    else if (power < most && x << (63 - top) > sqrt_2)
        power++;
    if (power < 0)
        power = 0;
    const int64_t y = zero && power == 0 ? 0 : (int64_t)1 << power;
    if (total < 0)
        return is_signed ? -y : 0;
    return y;
}
""",
    ),
}


def limits(format):
    return format.lo, format.hi


def minifloat(format):
    if not format.flushed:
        return format.mantissa_bits, NEVER, 0, format.hi
    return format.mantissa_bits, int(math.log2(format.flushed)), format.least, format.hi


# family → helper, and what it takes behind the total and its shift
FAMILIES = {
    Integer: ("round_integer", limits),
    Ternary: ("round_integer", limits),
    Binary: ("round_binary", lambda format: ()),
    Minifloat: ("round_minifloat", minifloat),
    PowerOfTwo: ("round_power", lambda format: (format.last, int(format.zero), int(format.signed))),
}


def rounding(format):
    """The name of the function that rounds to `format`, the helper it needs, and its text.

    Integers and powers of two that differ in their unit alone share it.
    """
    helper, settings = FAMILIES[type(format)]
    usual = {Integer: 0, PowerOfTwo: None}
    name = f"to_{replace(format, exponent=usual[type(format)]) if type(format) in usual else format}"
    arguments = ", ".join(["total", "shift", *map(literal, settings(format))])
    return (
        name,
        helper,
        f"static int64_t {name}(int64_t total, count shift)\n{{\n    return {helper}({arguments});\n}}\n",
    )
