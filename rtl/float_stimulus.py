"""Codes of floating-point numbers that meet in sums and products, and those at boundaries: what arithmetic is tried with."""

import numpy as np

__all__ = ["boundary_codes", "boundary_tuples", "random_codes"]


def random_codes(fmt, rng, count, columns, second=None):
    """Codes of any kind, `columns` arrays of `count`, most of them near enough to each other to interact.

    The first is anything. Products of the first two, and sums with the last, meet: exponents are drawn around those that
    cancel, mantissas are often short (ties), next to those of another, or all ones. With `second`, that is the exponent
    field of all of the second.
    """
    bits, top = fmt.mantissa_bits, (1 << fmt.exponent_bits) - 1
    mask = (1 << bits) - 1

    def mantissas():
        m = rng.integers(0, mask, count, endpoint=True)
        short = m & (mask << rng.integers(0, bits, count, endpoint=True)) & mask
        runs = (mask >> rng.integers(0, bits, count, endpoint=True)) ^ (mask * rng.integers(0, 2, count))
        return np.choose(rng.integers(0, 4, count), [m, m, short, runs])

    fields = [rng.integers(0, top, count, endpoint=True) for _ in range(columns)]
    if second is not None:
        fields[1][:] = second
    near = rng.integers(-bits - 3, bits + 4, count)
    if columns == 3:  # the third near the product of the others
        fields[2] = np.where(rng.random(count) < 0.7, fields[0] + fields[1] - fmt.bias + near, fields[2])
    elif columns == 2:
        fields[1] = np.where(rng.random(count) < 0.7, fields[0] + near, fields[1])
    parts = [mantissas() for _ in range(columns)]
    same = rng.random(count) < 0.2  # close to cancelling
    parts[-1] = np.where(same, (parts[0] + rng.integers(-2, 3, count)) & mask, parts[-1])
    tiny = rng.random(count) < 0.05  # the last is the least number: it decides ties
    fields[-1], parts[-1] = np.where(tiny, 0, fields[-1]), np.where(tiny, 1, parts[-1])
    signs = rng.integers(0, 2, (columns, count))
    return [
        (np.clip(field, 0, top) << bits | m | s << (fmt.width - 1)).astype(np.int64)
        for field, m, s in zip(fields, parts, signs, strict=True)
    ]


def boundary_codes(fmt):
    """Zeros, the ends of subnormal and of normal numbers, 1 and its neighbours, powers of two, infinity, NaN; both signs."""
    bits = fmt.mantissa_bits
    first, one = 1 << bits, fmt.bias << bits
    codes = [0, 1, 2, first >> 1, first - 1, first, first + 1, one, one + 1, one - 1, one + first, fmt.top, fmt.top - 1]
    codes += [field << bits for field in (2, bits, fmt.bias - bits - 1, fmt.bias - bits, fmt.bias - 1, 2 * fmt.bias - 1)]
    codes += [one | 1 << (bits >> 1), one | (1 << bits) - 1, (fmt.bias - bits - 1 << bits) + 1]
    if fmt.rules == "ieee":
        codes += [fmt.top + 1, fmt.nan, fmt.top + 2]  # a signalling NaN too
    codes = np.unique([code for code in codes if 0 <= code < fmt.sign])
    return np.concatenate([codes, codes + fmt.sign])


def boundary_tuples(fmt, count=2):
    """All `count`-tuples of `boundary_codes`, as columns."""
    return [axis.ravel() for axis in np.meshgrid(*[boundary_codes(fmt)] * count)]
