"""What operations of the C file share: rounding to each family of formats, sums beyond 63 bits, geometry.

C99 leaves the right shift of negative numbers open and the overflow of signed ones undefined, so shifts work on
magnitudes, which are unsigned. A *total* here is an integer below 2**62 in magnitude, and stands for
``total * 2**-shift`` units of the format to which it is rounded; a negative shift is for totals beyond every limit.
"""

__all__ = ["HELPERS"]

# name → (what it uses, its text)
HELPERS = {
    "window": (
        (),
        """\
/* A window that slides over the channels of an image, which is padded by `top` rows above and `left` columns on the left. */
typedef struct {
    count channels, height, width, out_height, out_width;
    count kernel_height, kernel_width, stride_height, stride_width, top, left;
} window;
""",
    ),
    "inside": (
        (),
        """\
/* The part of a window's axis that lies on an image of `size` pixels. */
typedef struct {
    count first, end;
} inside;

static inside inside_of(count first, count kernel, count size)
{
    const inside part = {first > 0 ? first : 0, first + kernel < size ? first + kernel : size};
    return part;
}
""",
    ),
    "units": (
        (),
        """\
/* Sums and biases are brought to one unit by factors of 2^up and 2^bias_up, their total to the unit of the result by
 * 2^-shift; with relu the result is at least 0. */
typedef struct {
    count up, bias_up, shift;
    int relu;
} units;
""",
    ),
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
/* x * 2^-shift to the nearest integer, ties to even, for x below 2^62. */
static uint64_t round_even(uint64_t x, count shift)
{
    if (shift <= 0)
        return x;
    if (shift > 62)
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
/* To a float of `mantissa` bits after the leading one, in units of the distance between the least two numbers; ties to
 * even, saturated at hi. Without subnormal numbers, what is below 2^mantissa units becomes 0, and 2^mantissa itself, whose
 * code means 0, the number above it. */
static int64_t round_minifloat(int64_t total, count shift, count mantissa, int subnormals, int64_t hi)
{
    const uint64_t x = magnitude(total), least = (uint64_t)1 << mantissa;
    const count top = top_bit(x), step = top - mantissa > shift ? top - mantissa : shift;
    uint64_t y = (uint64_t)hi;
    if (shift >= 0 && top - shift <= 62) {
        y = round_even(x, step) << (step - shift);
        if (!subnormals && top - shift < mantissa)
            y = 0;
        else if (!subnormals && y == least)
            y = least + 1;
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
/* To a power of two from 2^0 to 2^most, up from sqrt(2) times a power on; 0 becomes 2^0. With a zero, 2^0 is 0. */
static int64_t round_power(int64_t total, count shift, count most, int zero)
{
    const uint64_t x = magnitude(total), sqrt_2 = UINT64_C(0xb504f333f9de6484); /* below sqrt(2) * 2^63 */
    const count top = top_bit(x);
    count power = top - shift;
    if (shift < 0 || power > most)
        power = most;
    else if (power < most && x << (63 - top) > sqrt_2)
        power++;
    if (power < 0 || x == 0)
        power = 0;
    const int64_t y = zero && power == 0 ? 0 : (int64_t)1 << power;
    return total < 0 ? -y : y;
}
""",
    ),
    "wide": (
        (),
        """\
/* Two's complement of 128 bits. */
typedef struct {
    uint64_t high, low;
} wide;

static const wide wide_zero = {0, 0};

static wide wide_add(wide a, wide b)
{
    const uint64_t low = a.low + b.low;
    const wide sum = {a.high + b.high + (low < a.low ? 1 : 0), low};
    return sum;
}

static wide wide_negate(wide a)
{
    const wide negative = {0 - a.high - (a.low != 0 ? 1 : 0), 0 - a.low};
    return negative;
}
""",
    ),
    "wide_product": (
        ("wide", "magnitude"),
        """\
/* a * b, by halves of 32 bits. */
static wide wide_product(int64_t a, int64_t b)
{
    const uint64_t x = magnitude(a), y = magnitude(b), mask = UINT64_C(0xffffffff);
    const uint64_t middle = (x >> 32) * (y & mask) + ((x & mask) * (y & mask) >> 32);
    const uint64_t other = (x & mask) * (y >> 32) + (middle & mask);
    const wide product = {(x >> 32) * (y >> 32) + (middle >> 32) + (other >> 32), x * y};
    return (a < 0) != (b < 0) ? wide_negate(product) : product;
}
""",
    ),
    "wide_shifted": (
        ("wide",),
        """\
/* a * 2^n for n from 0 to 127. */
static wide wide_shifted(wide a, count n)
{
    if (n >= 64) {
        const wide far = {a.low << (n - 64), 0};
        return far;
    }
    if (n > 0) {
        const wide near = {a.high << n | a.low >> (64 - n), a.low << n};
        return near;
    }
    return a;
}
""",
    ),
    "wide_narrow": (
        ("wide",),
        """\
/* a as a total of 62 bits, by taking bits off its end and from its shift; if one of them was 1, the last that is left is
 * made 1, so that the total rounds as the whole would. */
static int64_t wide_narrow(wide a, count *shift)
{
    const int negative = a.high >> 63 != 0;
    uint64_t lost = 0;
    if (negative)
        a = wide_negate(a);
    while (a.high != 0 || a.low >> 62 != 0) {
        lost |= a.low & 1;
        a.low = a.low >> 1 | a.high << 63;
        a.high >>= 1;
        (*shift)--;
    }
    return negative ? -(int64_t)(a.low | lost) : (int64_t)(a.low | lost);
}
""",
    ),
    "floats": (
        (),
        """\
#include <float.h>
#if FLT_EVAL_METHOD != 0 || FLT_RADIX != 2 || FLT_MANT_DIG != 24 || DBL_MANT_DIG != 53
#error "numbers of IEEE 754 are needed, rounded after each operation"
#endif
""",
    ),
    "float_tree": (
        ("floats",),
        """\
/* The sum of n terms, neighbours first; where a level has an odd number, its last passes on. */
static float float_tree(float *terms, count n)
{
    while (n > 1) {
        for (count k = 0; k < n / 2; k++)
            terms[k] = terms[2 * k] + terms[2 * k + 1];
        if (n % 2 != 0)
            terms[n / 2] = terms[n - 1];
        n -= n / 2;
    }
    return terms[0];
}
""",
    ),
    "float_total": (
        ("floats",),
        """\
/* A finite float as a total, whose shift is for units of 1. */
static int64_t float_total(float x, count *shift)
{
    const union {
        float number;
        uint32_t bits;
    } as = {x};
    const count field = (count)(as.bits >> 23 & 0xff);
    const int64_t fraction = (int64_t)(as.bits & 0x7fffff), mantissa = field > 0 ? fraction + 0x800000 : fraction;
    *shift = 150 + 38 - (field > 0 ? field : 1);
    return (as.bits >> 31 != 0 ? -mantissa : mantissa) * ((int64_t)1 << 38);
}
""",
    ),
    "math": ((), "#include <math.h>\n"),
    "double_total": (
        ("floats",),
        """\
/* A finite double as a total, whose shift is for units of 1. */
static int64_t double_total(double x, count *shift)
{
    const union {
        double number;
        uint64_t bits;
    } as = {x};
    const count field = (count)(as.bits >> 52 & 0x7ff);
    const int64_t fraction = (int64_t)(as.bits & UINT64_C(0xfffffffffffff));
    const int64_t mantissa = field > 0 ? fraction + INT64_C(0x10000000000000) : fraction;
    *shift = 1075 + 9 - (field > 0 ? field : 1);
    return (as.bits >> 63 != 0 ? -mantissa : mantissa) * ((int64_t)1 << 9);
}
""",
    ),
}
