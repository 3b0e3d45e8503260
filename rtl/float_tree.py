"""The MAC tree in FP32: exact products, a tree of floating-point adders, a running sum, the bias and one rounding."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from amaranth import Cat, ClockSignal, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.formats import Float, Integer, Minifloat, PowerOfTwo
from golden.mac import MacSpec
from golden.mac_tree import mac_tree_latency
from rtl.blocks import place
from rtl.float_add import FloatAdder
from rtl.mac import scaled
from rtl.rounding import narrowed
from rtl.tree import Tree, control_flip_flops, joined, result_width

__all__ = ["FP32", "FloatLane", "FloatTree", "FloatWidths", "exact_product", "kept_bits", "places", "spread"]

FP32 = Float(8, 23, "ieee")


def significand(fmt):
    """Bits of the significand of a number's `Scaled`."""
    return {Minifloat: lambda: fmt.mantissa_bits + 1, Integer: lambda: fmt.width, PowerOfTwo: lambda: 1}[type(fmt)]()


def product_bits(a, w):
    """Bits of the product of two significands."""
    one, other = sorted(map(significand, (a, w)))
    return other if one == 1 else one + other


def positive(m, found, name):
    """The `Scaled` `found` with its sign, if its number is signed, apart."""
    if not found.number.shape().signed:
        return found
    x, sign = found.number.as_unsigned(), found.number[-1]
    number = Signal(len(x), name=f"{name}_magnitude")
    m.d.comb += number.eq(((x ^ sign.replicate(len(x))) + sign)[: len(x)])
    return type(found)(number, sign, found.shift, found.offset, len(x) - 1)


def some_products(a, w):
    """Products of formats in float32, among which two bits of a code differ if they do for any: all, or all exponents."""
    x, y = (fmt.values().astype(np.float64) for fmt in (a, w))
    if len(x) * len(y) <= 1 << 16:
        found = np.multiply.outer(x, y)
    else:
        ends = [[end(np.abs(values[values != 0])) for values in (x, y)] for end in (np.min, np.max)]
        low, high = (np.frexp(p * q)[1] - 1 for p, q in ends)
        significands = np.append(1.0, 1 + np.ldexp(1.0, -np.arange(1, product_bits(a, w))))
        found = np.multiply.outer([-1.0, 1.0], np.ldexp(significands[:, None], np.arange(low, high + 1)))
    return np.append(np.ldexp(found, a.exponent + w.exponent), 0).astype(np.float32)


@cache
def places(a, w):
    """Of each bit of a product's code its place among those that are kept, None if it is 0 in all products.

    A code is sign, exponent field of FP32, and `product_bits` less 1 of mantissa. Bits that are equal in all products
    are kept once: synthesis would find out, and there would be fewer registers than stated.
    """
    bits = product_bits(a, w) + FP32.exponent_bits
    codes = (some_products(a, w) + np.float32(0)).view(np.uint32) >> np.uint32(FP32.width - bits)  # + 0: of which no sign
    kept, found = {}, []
    for i in range(bits):
        column = codes >> np.uint32(i) & 1
        found.append(kept.setdefault(column.tobytes(), len(kept)) if column.any() else None)
    return tuple(found)


def kept_bits(a, w):
    """Bits of a product that are kept."""
    return 1 + max(place for place in places(a, w) if place is not None)


def normal(m, found, exponent, name):
    """Sign, exponent field of FP32 and mantissa, all of it, of the `Scaled` `found` times ``2**exponent``; all 0 of 0."""
    level, zeros = found.number, []
    for k in reversed(range(found.leading.bit_length())):
        step = 1 << k
        empty, moved = Signal(name=f"{name}_empty_{k}"), Signal(len(level), name=f"{name}_normal_{k}")
        m.d.comb += [
            empty.eq(~level[-step:].any()),
            moved.eq(Mux(empty, Cat(Const(0, step), level[:-step])[: len(level)], level)),
        ]
        level, zeros = moved, [empty, *zeros]
    bits = FP32.exponent_bits
    field = Const(FP32.bias + exponent - found.offset + len(level) - 1, bits)
    if found.shift is not None:
        field = (field + found.shift)[:bits]
    if zeros:
        field = (field - Cat(zeros))[:bits]
    sign = Const(0, 1) if found.negative is None else found.negative
    code = Signal(len(level) - 1 + bits + 1, name=name)
    m.d.comb += code.eq(Cat(level[:-1], field, sign) & level[-1].replicate(len(code)))
    return code


def whole(code):
    """The code of FP32 of a code with less mantissa bits."""
    return Cat(Const(0, FP32.width - len(code)), code)


def spread(code, a, w):
    """The code of FP32 of a product's kept bits."""
    return whole(Cat(Const(0, 1) if place is None else code[place] for place in places(a, w)))


def exact_product(m, a, w, x, y):
    """The product of codes x and y of formats a and w, exact: the bits of its code that `places` keeps."""
    x, y = (positive(m, scaled(fmt, code), what) for fmt, code, what in ((a, x, "a"), (w, y, "w")))
    code = normal(m, x.times(m, y), a.exponent + w.exponent, "exact")
    kept = [[] for _ in range(kept_bits(a, w))]
    for bit, place in zip(code, places(a, w), strict=True):
        kept[place or 0].append(bit)  # what is 0 joins the lowest, so that every bit is read
    return Cat(Cat(bits).any() for bits in kept)


class FloatLane(wiring.Component):
    """A product a cycle, exact and registered: see `places`."""

    def __init__(self, *, a, w):
        self.formats = a, w
        super().__init__({"a": In(a.width), "w": In(w.width), "product": Out(kept_bits(a, w))})

    def elaborate(self, platform):
        m = Module()
        kept = Signal.like(self.product, name="kept", reset_less=True)
        m.d.sync += kept.eq(exact_product(m, *self.formats, self.a, self.w))
        m.d.comb += self.product.eq(kept)
        return m


@dataclass(frozen=True, kw_only=True)
class FloatWidths:
    """Bits in a `FloatTree`, of whose parameters it is made."""

    spec: MacSpec
    lanes: int

    @property
    def flip_flops(self):
        """All registers."""
        found = []

        def register(bits):
            found.append(bits)
            return bits

        nodes = [register(kept_bits(self.spec.a, self.spec.w)) for _ in range(self.lanes)]
        joined(nodes, lambda x, y, name: register(FP32.width), lambda x, name: register(x))
        control = control_flip_flops(mac_tree_latency(self.lanes, self.spec.accumulate))
        return sum(found) + 2 * FP32.width + result_width(self.spec) + control


class FloatTree(Tree):
    """A `Tree` whose products are exact and whose sums are in FP32, each rounded to nearest, ties to even.

    The products of a beat are added in a balanced tree, neighbours first, a cycle a level; where a level has an odd
    number, the last passes on. The sum of the beat is added to the running one, the bias to the last.

    No sum is subnormal, infinite or NaN, and none of these is provided for. All numbers are multiples of the unit of the
    products or of that of the bias, and stay so when they are rounded: with units of at least 2**-126, a sum is 0 or
    normal. Exact sums and biases are at most 2**125; 2**20 roundings make a sum greater by less than a tenth. What does
    not suit is refused by `rtl.mac_tree`.

    Source: Gysel, Ristretto, section 6.4 and figure 6.2.
    """

    def __init__(self, *, spec, lanes):
        super().__init__(spec=spec, lanes=lanes, blocks={"lane": FloatLane(a=spec.a, w=spec.w), "adder": FloatAdder(FP32)})

    def added(self, m, x, y, run, name):
        """``x + y``, codes of FP32, a cycle later."""
        total = Signal(FP32.width, name=f"sum_{name}")
        m.submodules[f"adder_{name}"] = place(
            "adder", self.blocks["adder"], clk=ClockSignal(), run=run, x=x, y=y, total=total
        )
        return total

    def sums(self, m, run, adds, fresh):
        def pass_on(x, name):
            kept = Signal(len(x), name=f"kept_{name}", reset_less=True)
            with m.If(run):
                m.d.sync += kept.eq(x)
            return kept

        def node(x):  # a sum, or a product, which has fewer bits unless all are kept
            return x if len(x) == FP32.width else spread(x, self.spec.a, self.spec.w)

        products = [lane["product"] for lane in self.lanes_of(m, "lane", run)]
        beat = joined(products, lambda x, y, name: self.added(m, node(x), node(y), run, name), pass_on)
        held = Signal(FP32.width, name="held")
        total = self.added(m, node(beat), held, adds, "running")
        m.d.comb += held.eq(total & (~fresh).replicate(FP32.width))
        return total

    def results(self, m, run, total):
        bias = positive(m, scaled(self.spec.bias, self.p.payload.data.bias), "bias")
        biased = self.added(m, total, whole(normal(m, bias, self.spec.bias.exponent, "bias")), run, "with_bias")
        return narrowed(m, biased, FP32, self.spec.y, relu=self.spec.relu)
