"""What operations of the C file share beside rounding: geometry, units, sums beyond 63 bits, floats as totals."""

from golden.c99.rounding import ROUNDING

__all__ = ["HELPERS"]

# name → (what it uses, its text)
HELPERS = ROUNDING | {
    "window": (
        (),
        """\
/* A window that slides over the channels of an image, padded by `top` rows above and `left` columns on the left. */
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
/* a as a total of 63 bits, by taking bits off its end and from its shift; if one of them was 1, the last that is left
 * is made 1, so that the total rounds as the whole would. */
static int64_t wide_narrow(wide a, count *shift)
{
    const int negative = a.high >> 63 != 0;
    uint64_t lost = 0;
    if (negative)
        a = wide_negate(a);
    while (a.high != 0 || a.low >> 63 != 0) {
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
    *shift = 150 + 39 - (field > 0 ? field : 1);
    return (as.bits >> 31 != 0 ? -mantissa : mantissa) * ((int64_t)1 << 39);
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
    *shift = 1075 + 10 - (field > 0 ? field : 1);
    return (as.bits >> 63 != 0 ? -mantissa : mantissa) * ((int64_t)1 << 10);
}
""",
    ),
}
