"""An element: sums whatever the k-steps wait for, pointwise operations, and what it keeps."""

import numpy as np
import pytest
from gateware import clocked, elaborated

from golden.dlac import products
from golden.dlac_grid import GridShape
from golden.float_arithmetic import fma, subtract
from golden.formats import parse
from rtl.dlac_pe import DlacElement, Entry

FMT = parse("ieee_e4m3")
SHAPE = {"rows": 1, "cols": 1, "pixels": 2, "filters": 3, "depth": 2}


async def lines(ctx, element):
    """What is in the buffers."""
    found = []
    for p in range(element.shape.pixels):
        ctx.set(element.leaves, 1 << p)
        found.append([ctx.get(element.line[f]) for f in range(element.shape.filters)])
    ctx.set(element.leaves, 0)
    return FMT.decode(np.array(found))


async def multiplied(ctx, element, rng, a, w):
    """Clear the element, give it k-steps, with pauses, and wait until it is not active."""
    shape = element.shape
    ctx.set(element.clear, 1)
    await ctx.tick()
    ctx.set(element.clear, 0)
    for x, y in zip(FMT.encode(a).T, w, strict=True):
        while ctx.get(element.full) or rng.random() < 0.3:
            ctx.set(element.push, 0)
            await ctx.tick()
        ctx.set(element.push, 1)
        for p in range(shape.pixels):
            ctx.set(element.a[p], int(x[p]))
        ctx.set(element.a_on, sum(int(bool(code & 127) or not shape.skips[0]) << p for p, code in enumerate(x)))
        codes = (y < 0).astype(int) if shape.ternary else FMT.encode(y)
        for f in range(shape.filters):
            ctx.set(element.w[f], int(codes[f]))
        if hasattr(element, "w_on"):
            ctx.set(element.w_on, sum(int(bool(v)) << f for f, v in enumerate(y)))
        await ctx.tick()
    ctx.set(element.push, 0)
    assert ctx.get(element.active) or not (a.any() and w.any())
    while ctx.get(element.active):
        await ctx.tick()


@pytest.mark.parametrize(
    "settings",
    [
        {"units": 2, "adder_latency": 3},
        {"units": 3, "adders": 2, "adder_latency": 1, "skip": "none"},
        {"units": 2, "adder_latency": 4, "ternary": False, "skip": "weights"},
        {"units": 3, "adders": 1, "adder_latency": 2, "ternary": False, "skip": "none"},
    ],
    ids=str,
)
def test_sums(settings):
    shape, rng = GridShape(**SHAPE | settings), np.random.default_rng(4)
    element = DlacElement(shape=shape, fmt=FMT)

    async def bench(ctx):
        for k in (1, 7, 30):
            a = FMT.numbers(rng.normal(size=(2, k)) * (rng.random((2, k)) < 0.6))
            w = FMT.numbers(rng.normal(size=(k, 3)) * (rng.random((k, 3)) < 0.6))
            w = np.sign(w).astype(int) if shape.ternary else w
            await multiplied(ctx, element, rng, a, w)
            assert np.array_equal(await lines(ctx, element), products(shape, FMT, a, w))

    clocked(element, bench)


def test_pointwise_operations():
    shape, rng = GridShape(**SHAPE, units=2, adders=1, adder_latency=2), np.random.default_rng(5)
    element = DlacElement(shape=shape, fmt=FMT)
    a, w = FMT.numbers(rng.normal(size=(2, 4))), rng.integers(-1, 2, (4, 3))
    y = products(shape, FMT, a, w)

    async def operation(ctx, **fields):
        given = {"filter": [1, 2], "x": [0, 0], "y": [0, 0], "z": [0, 0]} | fields
        for key, value in given.items():
            port = getattr(element, key)
            for u, one in enumerate(value if isinstance(value, list) else []):
                ctx.set(port[u], one)
            if not isinstance(value, list):
                ctx.set(port, value)
        await ctx.tick()
        for key in given:
            port = getattr(element, key)
            for u in range(2 if key in ("filter", "x", "y", "z") else 0):
                ctx.set(port[u], 0)
            if key not in ("filter", "x", "y", "z"):
                ctx.set(port, 0)
        assert ctx.get(element.active)
        await ctx.tick()
        assert not ctx.get(element.active)

    def code(number):
        return int(FMT.encode(np.array(float(number))))

    async def bench(ctx):
        await multiplied(ctx, element, rng, a, w)
        assert np.array_equal(await lines(ctx, element), y)
        two, three = code(2), code(3)
        await operation(ctx, filter=[4, 0], x_buffer=1, y=[two, 0], z=[three, 0], product=1, s=1, d=2)
        y[1, 2] = fma(FMT, y[0, 2], 2.0, 3.0)
        assert np.array_equal(await lines(ctx, element), y)
        await operation(ctx, x=[two, three], z_buffer=1, subtract=1, s=2, d=1)
        y[0, :2] = subtract(FMT, np.array([2.0, 3.0]), y[1, :2])
        assert np.array_equal(await lines(ctx, element), y)
        for line in (0, 1):
            await operation(ctx, y_buffer=1, x_buffer=1, z=[three, two], select=1, bound=code(0.5), s=1 << line, d=1 << line)
            y[line, :2] = np.where(y[line, :2] > 0.5, y[line, :2], [3.0, 2.0])
        assert np.array_equal(await lines(ctx, element), y)

    clocked(element, bench)


def test_entries_keep_what_the_storage_says():
    for settings in ({}, {"skip": "none"}, {"ternary": False}):
        shape = GridShape(**SHAPE | settings)
        lanes, _ = shape.storage_bits(FMT.width)
        assert lanes == 2 * (2 * Entry(shape, FMT).width + 3)
    assert Entry(GridShape(**SHAPE, ternary=False, skip="activations"), FMT).width == 8 + 3 * 8
    assert not hasattr(elaborated(DlacElement(shape=GridShape(**SHAPE, ternary=False, skip="none"), fmt=FMT)), "w_on")
