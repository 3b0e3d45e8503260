"""Parts of the MAC tree in FP32: exact products as floats, and the registers that they take."""

import numpy as np
import pytest
from amaranth import Cat
from gateware import clocked, elaborated
from streaming import streamed

from golden.formats import Minifloat, parse
from golden.mac import MacSpec
from rtl.float_tree import FP32, FloatLane, FloatTree, FloatWidths, exact_product, kept_bits, places, product_bits, spread

SPLITS = ("e4m3", "e5m2", "mini_e5m2", "mini_e4m3", "mini_e3m4", "mini_e2m5", "mini_e1m6")  # all of 8 bits that have a name
PAIRS = [
    *((name, name) for name in SPLITS),
    ("e5m2", "e4m3"),
    ("mini_e5m2", "mini_e3m4"),
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


def finite(fmt, codes):
    """Which codes mean numbers."""
    return codes & (fmt.sign - 1) <= fmt.top if isinstance(fmt, Minifloat) else np.full(len(codes), True)


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
    codes, kept = np.zeros(len(found), np.uint32), np.array(found, np.uint32)
    for i, place in enumerate(reversed(places(a, w))):
        if place is not None:
            codes |= (kept >> np.uint32(place) & 1) << np.uint32(31 - i)
    return codes.view(np.float32)


def test_products_of_every_pair_of_codes_are_exact_floats():
    formats = [tuple(map(parse, names)) for names in PAIRS]

    def unit(m, x, y):
        return Cat(spread(exact_product(m, a, w, x[: a.width], y[: w.width]), a, w) for a, w in formats)

    x, y = (codes.ravel() for codes in np.meshgrid(np.arange(256), np.arange(256)))
    columns = streamed(unit, [8, 8], [FP32.width] * len(PAIRS), [x, y], copies=1)
    for (a, w), found in zip(formats, columns, strict=True):
        narrow = x & ((1 << a.width) - 1), y & ((1 << w.width) - 1)
        known = finite(a, narrow[0]) & finite(w, narrow[1])
        wanted = a.decode(narrow[0][known]) * w.decode(narrow[1][known])
        assert known.sum() > 60_000 and np.array_equal(found[known].view(np.float32), wanted), (a.name, w.name)
        assert not found[known][wanted == 0].any(), (a.name, w.name)  # the adders may see no sign of 0


@pytest.mark.parametrize("name", ["fp16", "mini_e4m11"])
def test_wide_products_are_exact_floats(name):
    fmt, rng = parse(name), np.random.default_rng(1)
    codes = np.arange(1 << fmt.width)
    codes = codes[finite(fmt, codes)]
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


def kept(*names):
    """The bits of a product, and how many are kept."""
    a, w = map(parse, names)
    return len(places(a, w)), kept_bits(a, w)


def test_bits_that_are_0_or_equal_in_all_products_are_kept_once():
    assert kept("mini_e5m5", "mini_e5m5") == (20, 20)
    assert kept("mini_e4m3", "mini_e4m3") == (16, 15)  # products are 2**-14 to 2**17: bits 5 and 6 of the field are equal
    assert kept("mini_e4m11", "mini_e4m11") == (32, 31)  # which is found without all 2**32 products
    assert kept("mini_e4m1", "mini_e4m1") == (12, 10)  # and of 1, 3/2 and 9/8 the middle bit is 0
    assert kept("uint1", "int1") == (9, 1)  # 0 and -1
    fmt = parse("mini_e4m3")
    assert places(fmt, fmt)[7:] == (7, 8, 9, 10, 11, 12, 12, 13, 14)


def test_an_odd_node_keeps_its_own_width():
    """Three lanes: a sum and a product that waits, then the sum of both; the running sum, and that with the bias."""
    lane = 8 + 7  # sign, exponent and mantissa of a product of 8 significant bits; two bits of the exponent are equal
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
