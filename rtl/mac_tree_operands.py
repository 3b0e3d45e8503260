"""Operands for MAC trees: of every size, and such as make what random ones seldom do. Each function is of a `MacTree`."""

import numpy as np

from golden.formats import Minifloat
from rtl.gemm import random_integers
from rtl.tree import UP_BITS

__all__ = ["absorbed", "cancelled", "long_shift", "near_ties", "single_bits", "sized", "tied"]


def sized(rng, fmt, shape, parts):
    """Integers of `fmt` of every size: codes as `random_integers` draws them, those of a part times one power of 2."""
    values = random_integers(rng, fmt, shape)
    least = rng.integers(0, max(-fmt.lo, fmt.hi).bit_length(), parts) * rng.integers(0, 2, parts)
    return fmt.nearest(np.ldexp(values.astype(np.float64), fmt.exponent - least))


def greatest(fmt):
    """The greatest number of a format."""
    return float(np.ldexp(float(fmt.hi), fmt.exponent))


def single(rng, fmt, shape):
    """Integers of codes with one bit, or of the least code."""
    codes = 1 << rng.integers(0, fmt.width, shape)
    limit = fmt.sign | fmt.top if isinstance(fmt, Minifloat) else (1 << fmt.width) - 1
    return fmt.integers(np.where(codes & ~limit, 0, codes))


def scaled(rng, fmt, shape, down):
    """Integers of numbers of `fmt`, `down` bits below the greatest or less: of any, or of few significant bits."""
    few = (1 + 2.0 ** -rng.integers(0, 12, shape)) / 2 * rng.choice([-1, 1], shape)
    return fmt.nearest(greatest(fmt) * np.where(rng.random(shape) < 0.5, few, rng.uniform(-1, 1, shape)) * 2.0**-down)


def cancelled(tree, rng):
    """Operands of sums in which nearly all is cancelled."""
    operands = tree.stimulus(rng, m=4, k=2, n=4)
    a, w = operands["a"], operands["w"]
    a[:, 1], w[1] = a[:, 0], tree.w.nearest(np.ldexp(-w[0].astype(np.float64), tree.w.exponent))
    return operands | {"a": a, "w": w}


def tied(tree, rng):
    """Operands of units at run time with biases with which what is shifted out is nothing, half, or a bit off either."""
    operands = tree.stimulus(rng, m=1, k=1, n=12)
    shift = rng.integers(0, max(1, tree.bias.width - tree.y.width), endpoint=True)
    near = rng.integers(tree.y.lo - 3, tree.y.hi + 3, 12, endpoint=True)
    half, bit = 1 << shift >> 1, (1 << rng.integers(0, max(shift, 1))) * rng.choice([-1, 0, 1], 12)
    wanted = (near << shift) + (half * rng.integers(0, 2, 12) + bit) * (shift > 0)
    total = (operands["a"].astype(np.int64) @ operands["w"])[0] << operands["up"]
    bias = np.clip(wanted - total, tree.bias.lo, tree.bias.hi)
    return operands | {"bias": bias, "shift": np.array(shift)}


def long_shift(tree, rng):
    """Operands of sums as large as they come, shifted out but for a few bits: at a tie, or a bit off it."""
    operands = tree.stimulus(rng, m=1, k=rng.integers(1, min(tree.longest, 8 * tree.lanes), endpoint=True), n=12)
    a = np.full_like(operands["a"], rng.choice([tree.a.lo, tree.a.hi]))
    w = np.full_like(operands["w"], rng.choice([tree.w.lo, tree.w.hi]))
    up = (1 << UP_BITS) - 1
    total = int((a[:1].astype(np.int64) @ w[:, :1]).item()) << up
    shift = min(max(abs(total).bit_length(), 1), tree.bias.width)  # biases reach the nearest tie
    half, bit = 1 << (shift - 1), (1 << rng.integers(0, shift, 12)) * rng.choice([-1, 0, 1], 12)
    odd = (total >> shift << 1) + 1  # halves in the nearest tie
    bias = np.clip(odd * half + bit - total, tree.bias.lo, tree.bias.hi)
    return operands | {"a": a, "w": w, "up": np.array(up), "bias": bias, "shift": np.array(shift)}


def single_bits(tree, rng):
    """Operands of single products whose codes have one bit, and of some that are the least results or beside them."""
    a, w, bias = (single(rng, fmt, shape) for fmt, shape in ((tree.a, (6, 1)), (tree.w, (1, 6)), (tree.bias, 6)))
    if isinstance(tree.y, Minifloat):
        least = 2.0 ** -tree.y.bias * rng.choice([-1, 1, 0.75, 1.5], 3)
        w[0, :3] = tree.w.nearest(np.ldexp(least / max(1, abs(int(rng.choice(a[:, 0])))), -tree.a.exponent))
    return {"a": a, "w": w, "bias": np.where(rng.random(6) < 0.7, tree.bias.nearest(0.0), bias)}


def absorbed(tree, rng, by_bias):
    """Operands whose results are what roundings leave of small products: a great one, or the bias, comes and goes."""
    m, n, k = 4, 4, int(rng.integers(3, min(4 * tree.lanes, tree.longest), endpoint=True))
    reach = int(rng.integers(0, 28))  # between the great product and the small ones, in bits
    part = int(rng.integers(max(0, reach - 14), min(reach, 14), endpoint=True))
    a, w = scaled(rng, tree.a, (m, k), part), scaled(rng, tree.w, (k, n), reach - part)
    a[:, rng.random(k) < rng.choice([0, 0.5, 0.9])] = 0
    came, left = rng.permutation(k)[:2]
    great, bias = scaled(rng, tree.w, n, 0), np.zeros(n, np.int64)
    w[came] = great
    if by_bias:
        a[:, came] = tree.a.nearest(greatest(tree.bias) / greatest(tree.w))
        product = np.ldexp((a[0, came] * great).astype(np.float64), tree.a.exponent + tree.w.exponent)
        bias = tree.bias.nearest(-product)
    else:
        a[:, came] = a[:, left] = tree.a.nearest(greatest(tree.a) / 2.0 ** rng.integers(0, 4))
        w[left] = tree.w.nearest(np.ldexp(-great.astype(np.float64), tree.w.exponent))
    return {"a": a, "w": w, "bias": bias}


def near_ties(tree, rng):
    """Operands of a number of few bits, half of the last bit that results have beside it, and one far below."""
    m, n, k = 4, 4, int(rng.integers(3, min(2 * tree.lanes, tree.longest) + 1)) if tree.lanes > 1 else 3
    most = min(greatest(tree.y), greatest(tree.bias), greatest(tree.a) * greatest(tree.w))
    half = 2.0 ** (np.floor(np.log2(most)) - rng.integers(1, 4) - 1 - tree.y.mantissa_bits)
    a, w = np.zeros((m, k), np.int64), tree.w.nearest(np.zeros((k, n)))
    least = half * 2.0 ** -rng.integers(1, 27 - tree.y.mantissa_bits, n)
    for place, wanted in zip(rng.permutation(k), (np.full(n, half), least), strict=False):
        of_a = np.clip(2.0 ** np.round(np.log2(half) / 2), 0, greatest(tree.a))
        a[:, place] = tree.a.nearest(of_a * rng.choice([-1, 1], m))
        w[place] = tree.w.nearest(wanted / of_a)
    great = half * 2.0 ** (1 + tree.y.mantissa_bits) * rng.integers(8, 16, n) / 8
    return {"a": a, "w": w, "bias": tree.bias.nearest(great * rng.choice([-1, 1], n))}
