"""Parts of the MAC tree in FP32: exact products as floats, and the registers that they take."""

import numpy as np
import pytest
from gateware import clocked, elaborated

from golden.formats import Minifloat, parse
from golden.mac import MacSpec
from rtl.float_tree import FP32, FloatLane, FloatTree, FloatWidths, product_bits, whole

PAIRS = [
    ("mini_e4m3", "mini_e4m3"),
    ("e5m2", "e4m3"),
    ("mini_e4m0", "e2m1"),
    ("mini_e3m0", "mini_e5m0"),
    ("int8e-3", "e5m2"),
    ("uint5e4", "mini_e3m4"),
    ("e4m3", "int4e-9"),
    ("mini_e2m3", "pow2_4"),
    ("e3m2", "pow2z_3"),
    ("int6", "int7"),
    ("uint1", "int1"),
    ("uint1", "int2"),
]


def finite(fmt):
    """Codes that mean numbers: all of a narrow format."""
    codes = np.arange(1 << fmt.width)
    return codes[codes & (fmt.sign - 1) <= fmt.top] if isinstance(fmt, Minifloat) else codes


def lane_results(a, w, x, y):
    """The float32 that a lane makes of pairs of codes."""
    lane, found = FloatLane(a=a, w=w), []

    async def bench(ctx):
        for codes in zip(x.tolist(), y.tolist(), strict=True):
            ctx.set(lane.a, codes[0])
            ctx.set(lane.w, codes[1])
            await ctx.tick()
            found.append(ctx.get(lane.product))

    clocked(lane, bench)
    assert len(whole(lane.product)) == 32
    return (np.array(found, np.uint32) << np.uint32(32 - len(lane.product))).view(np.float32)


@pytest.mark.parametrize("names", PAIRS, ids="-".join)
def test_products_are_exact_floats(names):
    a, w = map(parse, names)
    x, y = (codes.ravel() for codes in np.meshgrid(finite(a), finite(w)))
    few = np.random.default_rng(0).permutation(len(x))[:6000]
    few = np.union1d(few, np.flatnonzero((a.integers(x) == 0) | (w.integers(y) == 0))[::50])
    x, y = x[few], y[few]
    found = lane_results(a, w, x, y)
    assert np.array_equal(found.astype(np.float64), a.decode(x) * w.decode(y))
    assert np.all(found.view(np.uint32)[found == 0] == 0)  # of which the adders may see no sign


def test_wide_products_are_exact_floats():
    fmt, rng = parse("fp16"), np.random.default_rng(1)
    codes = finite(fmt)
    x, y = rng.choice(codes, (2, 3000))
    x[:40], y[20:60] = np.arange(40), np.arange(40)  # subnormal numbers and 0
    assert np.array_equal(lane_results(fmt, fmt, x, y).astype(np.float64), fmt.decode(x) * fmt.decode(y))


def spec(names, k=20, order="fp32x3"):
    return MacSpec(**dict(zip(("a", "w", "bias", "y"), map(parse, names), strict=True)), k=k, accumulate=order)


def test_a_product_has_the_bits_of_both_significands():
    formats = {name: parse(name) for name in ("mini_e4m3", "e5m2", "mini_e4m0", "pow2_4", "int8", "fp16")}
    found = {(x, y): product_bits(formats[x], formats[y]) for x in formats for y in formats}
    assert found["mini_e4m3", "e5m2"] == 4 + 3 and found["fp16", "fp16"] == 22
    assert found["mini_e4m3", "pow2_4"] == found["mini_e4m0", "mini_e4m3"] == 4 and found["pow2_4", "mini_e4m0"] == 1
    assert all(found[x, y] == found[y, x] for x, y in found)


def test_an_odd_node_keeps_its_own_width():
    """Three lanes: a sum and a product that waits, then the sum of both; the running sum, and that with the bias."""
    lane = 8 + 8  # sign, exponent and mantissa of a product of 8 significant bits
    registers = 3 * lane + (32 + lane) + 32 + 2 * 32 + 8  # the last the result
    control = 6 + 3 + 1
    assert FloatWidths(spec=spec(["mini_e4m3"] * 4), lanes=3).flip_flops == registers + control


def test_the_latency_has_a_cycle_a_level():
    for lanes, latency in ((1, 4), (2, 5), (5, 7), (16, 8)):
        tree = FloatTree(spec=spec(["mini_e4m3"] * 4, order=f"fp32x{lanes}"), lanes=lanes)
        for block in tree.blocks.values():
            elaborated(block)
        assert elaborated(tree).latency == latency
    assert FP32.width == 32 and FP32.bias == 127
