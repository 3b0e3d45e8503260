"""The operations of the C file: templates of functions, whose ``$`` words are the types and steps of one use."""

from golden.c99.sums import SUMS

__all__ = ["TEMPLATES"]

REQUANT = """\
/* y[c] = round((x[c] * m[c] + b[c]) * 2^-s[c]), for each of the pixels of a channel. */
static void $name(count channels, count pixels, const $x *x, const $m *m, const $b *b, const uint8_t *s, $y *y)
{
    for (count c = 0; c < channels; c++)
        for (count i = 0; i < pixels; i++)
            *y++ = ($y)$format((int64_t)*x++ * m[c] + b[c], s[c]);
}
"""

ADD = """\
/* y[c] = round((a[c] * m_a[c] + b[c] * m_b[c] + d[c]) * 2^-s[c]), for each of the pixels of a channel. */
static void $name(count channels, count pixels, const $x *a, const $b *b, const $m *m_a, const $m *m_b, const $d *d,
    const uint8_t *s, $y *y)
{
    for (count c = 0; c < channels; c++)
        for (count i = 0; i < pixels; i++)
            *y++ = ($y)$format((int64_t)*a++ * m_a[c] + (int64_t)*b++ * m_b[c] + d[c], s[c]);
}
"""

MAX_POOL = """\
/* The greatest integer in each window, of its pixels inside the image. */
static void $name(const window *g, const $x *x, $x *y)
{
    for (count c = 0; c < g->channels; c++, x += g->height * g->width) {
        for (count i = 0; i < g->out_height; i++) {
            for (count j = 0; j < g->out_width; j++) {
                const inside rows = inside_of(i * g->stride_height - g->top, g->kernel_height, g->height);
                const inside columns = inside_of(j * g->stride_width - g->left, g->kernel_width, g->width);
                $x greatest = x[rows.first * g->width + columns.first];
                for (count row = rows.first; row < rows.end; row++)
                    for (count column = columns.first; column < columns.end; column++)
                        if (x[row * g->width + column] > greatest)
                            greatest = x[row * g->width + column];
                *y++ = greatest;
            }
        }
    }
}
"""

AVERAGE_POOL = """\
/* The sum of each window times unit / n, where n of its pixels count: those up to `margin` outside of the image, which
 * are 0. */
static void $name(const window *g, count margin_height, count margin_width, int64_t unit, const $x *x, $y *y)
{
    for (count c = 0; c < g->channels; c++, x += g->height * g->width) {
        for (count i = 0; i < g->out_height; i++) {
            for (count j = 0; j < g->out_width; j++) {
                const count row_0 = i * g->stride_height - g->top, column_0 = j * g->stride_width - g->left;
                const inside rows = inside_of(row_0, g->kernel_height, g->height);
                const inside columns = inside_of(column_0, g->kernel_width, g->width);
                const inside high = inside_of(row_0 + margin_height, g->kernel_height, g->height + 2 * margin_height);
                const inside across = inside_of(column_0 + margin_width, g->kernel_width, g->width + 2 * margin_width);
                int64_t sum = 0;
                for (count row = rows.first; row < rows.end; row++)
                    for (count column = columns.first; column < columns.end; column++)
                        sum += x[row * g->width + column];
                *y++ = ($y)(sum * (unit / ((high.end - high.first) * (across.end - across.first))));
            }
        }
    }
}
"""

RELU = """\
/* max(x, 0) */
static void $name(count n, const $x *x, $x *y)
{
    for (count i = 0; i < n; i++)
        y[i] = x[i] > 0 ? x[i] : 0;
}
"""

LRN = """\
/* y[c] = round(x[c] / (k + share * sum of x[n]^2)^beta) over `size` channels n around c, in doubles; channels that are
 * not there are 0. As exact as pow of the C library. */
static void $name(count channels, count pixels, count size, double share, double beta, double k, count exponent,
    const $x *x, $y *y)
{
    for (count c = 0; c < channels; c++) {
        for (count i = 0; i < pixels; i++) {
            double sum = 0;
            for (count n = c - size / 2; n < c - size / 2 + size; n++) {
                if (n >= 0 && n < channels) {
                    const double near = (double)x[n * pixels + i] * $x_unit, square = near * near;
                    sum += square;
                }
            }
            const double scaled = share * sum, base = k + scaled, number = (double)x[c * pixels + i] * $x_unit;
            count shift;
            const int64_t total = double_total(number / pow(base, beta), &shift);
            *y++ = ($y)$format(total, shift + exponent);
        }
    }
}
"""

COPY = """\
static void $name(count n, const $x *x, $y *y)
{
    for (count i = 0; i < n; i++)
        y[i] = x[i];
}
"""

SHORTCUT = """\
/* Some of the pixels, and channels of zeros behind those of the input. */
static void $name(const window *g, count channels, const $x *x, $x *y)
{
    for (count c = 0; c < channels; c++)
        for (count i = 0; i < g->out_height; i++)
            for (count j = 0; j < g->out_width; j++)
                *y++ = c < g->channels ? x[(c * g->height + i * g->stride_height) * g->width + j * g->stride_width] : 0;
}
"""

# name → what it uses, its text
TEMPLATES = SUMS | {
    "requant": ((), REQUANT),
    "add": ((), ADD),
    "max_pool": (("window", "inside"), MAX_POOL),
    "average_pool": (("window", "inside"), AVERAGE_POOL),
    "relu": ((), RELU),
    "lrn": (("math", "double_total"), LRN),
    "copy": ((), COPY),
    "shortcut": (("window",), SHORTCUT),
}
