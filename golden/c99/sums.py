"""Convolution and dense layer as templates of C functions, and what becomes of their sums."""

__all__ = ["SUMS"]

CONV = """\
/* y[m][i][j] is the sum over c, p, q of x[c][i * stride + p - top][j * stride + q - left] * w[m][c][p][q]$then.
 * Outside of the image x is 0. Sums are made a row at a time. */
static void $name(const window *g, count filters, const $x *x, const $w *w, $more$y *y)
{
    $sum sums[MOST_COLUMNS];
    count first[MOST_KERNEL], end[MOST_KERNEL]; /* outputs whose pixel lies inside, by column of the kernel */
    for (count q = 0; q < g->kernel_width; q++) {
        const count before = g->left - q, after = g->width - 1 + before;
        first[q] = before > 0 ? (before + g->stride_width - 1) / g->stride_width : 0;
        end[q] = after < 0 ? 0 : after / g->stride_width + 1;
        if (end[q] > g->out_width)
            end[q] = g->out_width;
    }
    for (count m = 0; m < filters; m++) {
        for (count i = 0; i < g->out_height; i++) {
            for (count j = 0; j < g->out_width; j++)
                sums[j] = $zero;
            for (count c = 0; c < g->channels; c++) {
                for (count p = 0; p < g->kernel_height; p++) {
                    const count row = i * g->stride_height + p - g->top;
                    if (row < 0 || row >= g->height)
                        continue;
                    const $x *pixels = x + (c * g->height + row) * g->width;
                    const $w *weights = w + ((m * g->channels + c) * g->kernel_height + p) * g->kernel_width;
                    for (count q = 0; q < g->kernel_width; q++) {
                        const $operand weight = weights[q];
                        for (count j = first[q]; j < end[q]; j++) {
                            const $operand pixel = pixels[$column + q - g->left];
                            sums[j] = $plus;
                        }
                    }
                }
            }
            for (count j = 0; j < g->out_width; j++)
                *y++ = ($y)$result;
        }
    }
}
"""

FILLED_CONV = """\
/* y[m][i][j] is the sum over c, p, q of x[c][i * stride + p - top][j * stride + q - left] * w[m][c][p][q]. Outside of
 * the image x is $fill. */
static void $name(const window *g, count filters, const $x *x, const $w *w, $y *y)
{
    for (count m = 0; m < filters; m++) {
        for (count i = 0; i < g->out_height; i++) {
            for (count j = 0; j < g->out_width; j++) {
                const $w *weight = w + m * g->channels * g->kernel_height * g->kernel_width;
                $sum sum = 0;
                for (count c = 0; c < g->channels; c++) {
                    for (count p = 0; p < g->kernel_height; p++) {
                        for (count q = 0; q < g->kernel_width; q++) {
                            const count row = i * g->stride_height + p - g->top;
                            const count column = j * g->stride_width + q - g->left;
                            const int inside = row >= 0 && row < g->height && column >= 0 && column < g->width;
                            const $sum pixel = inside ? x[(c * g->height + row) * g->width + column] : $fill;
                            sum += pixel * *weight++;
                        }
                    }
                }
                *y++ = ($y)sum;
            }
        }
    }
}
"""

DENSE = """\
/* y[m] is the sum over k of x[k] * w[m][k]$then. */
static void $name(count outputs, count inputs, const $x *x, const $w *w, $more$y *y)
{
    for (count m = 0; m < outputs; m++) {
        $sum sum = $zero;
        for (count k = 0; k < inputs; k++) {
            const $operand weight = w[m * inputs + k], pixel = x[k];
            sum = $plus;
        }
        y[m] = ($y)$result;
    }
}
"""

FLOAT_CONV = """\
/* y[m][i][j] is the sum over c, p, q of x[c][i * stride + p - top][j * stride + q - left] * w[m][c][p][q], plus
 * bias[m], rounded. Outside of the image x is 0. Sums are those of FP32: of $lanes products at a time in a tree, added
 * to the sum of those before. */
static void $name(const window *g, count filters, const $x *x, const $w *w, const $bias *bias, const units *u, $y *y)
{
    for (count m = 0; m < filters; m++) {
        for (count i = 0; i < g->out_height; i++) {
            for (count j = 0; j < g->out_width; j++) {
                const $w *weight = w + m * g->channels * g->kernel_height * g->kernel_width;
                float sum = 0, beat[$lanes];
                count filled = 0;
                for (count c = 0; c < g->channels; c++) {
                    for (count p = 0; p < g->kernel_height; p++) {
                        for (count q = 0; q < g->kernel_width; q++) {
                            const count row = i * g->stride_height + p - g->top;
                            const count column = j * g->stride_width + q - g->left;
                            const int inside = row >= 0 && row < g->height && column >= 0 && column < g->width;
                            const float pixel = inside ? (float)x[(c * g->height + row) * g->width + column] : 0;
                            beat[filled++] = (pixel * $x_unit) * ((float)*weight++ * $w_unit);
                            if (filled == $lanes) {
                                sum += float_tree(beat, $lanes);
                                filled = 0;
                            }
                        }
                    }
                }
                if (filled > 0) {
                    while (filled < $lanes)
                        beat[filled++] = 0;
                    sum += float_tree(beat, $lanes);
                }
                const float addend = (float)bias[m] * $bias_unit;
                *y++ = ($y)$finish(sum + addend, u);
            }
        }
    }
}
"""

FINISH = """\
static int64_t $name(int64_t sum, int64_t bias, const units *u)
{
    const int64_t total = sum * ((int64_t)1 << u->up) + bias * ((int64_t)1 << u->bias_up);
    const int64_t y = $format(total, u->shift);
    return u->relu && y < 0 ? 0 : y;
}
"""

FINISH_WIDE = """\
static int64_t $name(wide sum, int64_t bias, const units *u)
{
    const wide scaled = wide_shifted(sum, u->up), addend = wide_shifted(wide_product(bias, 1), u->bias_up);
    count shift = u->shift;
    const int64_t total = wide_narrow(wide_add(scaled, addend), &shift);
    const int64_t y = $format(total, shift);
    return u->relu && y < 0 ? 0 : y;
}
"""

FINISH_FLOAT = """\
static int64_t $name(float sum, const units *u)
{
    count shift;
    const int64_t total = float_total(sum, &shift);
    const int64_t y = $format(total, shift + u->shift);
    return u->relu && y < 0 ? 0 : y;
}
"""

# name → what it uses, its text
SUMS = {
    "conv": (("window",), CONV),
    "filled_conv": (("window",), FILLED_CONV),
    "dense": ((), DENSE),
    "float_conv": (("window", "float_tree"), FLOAT_CONV),
    "finish": (("units",), FINISH),
    "finish_wide": (("units", "wide_product", "wide_shifted", "wide_narrow"), FINISH_WIDE),
    "finish_float": (("units", "float_total"), FINISH_FLOAT),
}
