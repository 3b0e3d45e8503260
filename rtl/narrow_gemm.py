"""GEMM on the systolic array of narrow weights: signs, two scales, logarithms, codebooks."""

from dataclasses import dataclass, field

import numpy as np

from golden.errors import InputError
from golden.formats import Binary, Integer, PowerOfTwo, Ternary, UnitFormat
from golden.gemm import Exact, GemmSpec, gemm
from golden.systolic import systolic_cycles
from rtl.beats import Beats, pack_fields, unpack_fields
from rtl.codebook import CodebookArray
from rtl.engine import around, parameter
from rtl.gemm import SystolicGemm, assemble, random_integers, tile
from rtl.pe import ProcessingElement
from rtl.ttq import TwoSumElement
from rtl.xnor import XnorArray, XnorElement

__all__ = ["CodebookGemm", "LogGemm", "TtqGemm", "XnorGemm"]

LONG = 256  # k-steps of a tile that a bench still takes to fill an accumulator


@dataclass(frozen=True, kw_only=True)
class LogGemm(SystolicGemm):
    """``y = a @ w`` of powers of two: a product is the sum of two exponents, decoded."""

    a: UnitFormat = parameter(PowerOfTwo(4, True, signed=False), "format of the activations: powers of two with a zero")
    w: UnitFormat = parameter(PowerOfTwo(5, True), "format of the weights: powers of two")
    acc_width: int = parameter(48, "bits of an accumulator, enough for one product to 64")

    def __post_init__(self):
        for what in ("a", "w"):
            if not isinstance(getattr(self, what), PowerOfTwo):
                raise InputError(f"{what} must be powers of two, not {getattr(self, what)}")
        super().__post_init__()


def full(longest, lanes, count):
    """The greatest K, `count` times, if a bench has the time for its k-steps; else nothing."""
    return [longest] * count if longest <= LONG * lanes else []


@dataclass(frozen=True, kw_only=True)
class XnorGemm(SystolicGemm):
    """``y = a @ w`` of -1 and +1, `lanes` products a k-step; see `XnorArray`. Role `n` brings K, once a tile."""

    lanes: int = parameter(16, "products of an element in a cycle, 1 to 64")
    acc_width: int = parameter(16, "bits of an accumulator, 2 to 64: sums of up to 2**(acc_width - 1) - 1 products")
    a: UnitFormat = field(default=Binary())
    w: UnitFormat = field(default=Binary())

    def __post_init__(self):
        if not 1 <= self.lanes <= 64:
            raise InputError(f"lanes must be 1 to 64, not {self.lanes}")
        if not 2 <= self.acc_width <= 64:
            raise InputError(f"acc_width must be 2 to 64, not {self.acc_width}")
        self.shape, self.spec(self.lanes)

    @property
    def boundaries(self):
        return super().boundaries | {"k": around(self.lanes, self.lanes * self.rows)}

    @property
    def throughput(self):
        return {"unit": "MAC", "per_cycle": self.rows * self.cols * self.lanes}

    @property
    def widths(self):
        return self.lanes, self.lanes, self.acc_width - 1

    def element(self, **settings):
        return XnorElement(lanes=self.lanes, count_width=self.acc_width - 1, **settings)

    def component(self):
        return XnorArray(lanes=self.lanes, acc_width=self.acc_width, rows=self.rows, cols=self.cols)

    def steps(self, operands):
        """K-steps of a tile."""
        return -(-operands["a"].shape[1] // self.lanes)

    def pack(self, operands):
        k = operands["a"].shape[1]
        missing = self.steps(operands) * self.lanes - k
        a = np.pad(self.a.codes(operands["a"]), ((0, 0), (0, missing)))
        w = np.pad(self.w.codes(operands["w"]), ((0, missing), (0, 0)), constant_values=1)  # differs, so is not counted
        beats = {role: self.lane_beats(codes) for role, codes in zip("aw", tile(a, w, self.shape), strict=True)}
        tiles = int(np.prod(self.tiles(operands)))
        n = pack_fields((np.full((tiles, 1), k), self.acc_width - 1))
        return beats | {"n": Beats(n, np.ones(tiles, bool))}

    def lane_beats(self, codes):
        """The beats of codes [tiles, K, elements]: of each k-step all lanes of an element, then those of the next."""
        tiles, k, elements = codes.shape
        lanes = codes.reshape(tiles, k // self.lanes, self.lanes, elements).swapaxes(2, 3)
        return Beats.of_packets(lanes.reshape(tiles, k // self.lanes, -1), 1)

    def cycles(self, operands):
        down, across = self.tiles(operands)
        return systolic_cycles(self.shape, np.full(down * across, self.steps(operands)))

    def stimulus(self, rng, m=None, k=None, n=None):
        k = rng.integers(1, min(3 * self.rows * self.lanes, self.spec(1).longest) + 1) if k is None else k
        return super().stimulus(rng, m=m, k=k, n=n)

    def directed(self, rng, amount=1):
        """Columns of weights that are a row of the activations but for few: counts up to the greatest."""
        for k in full(self.spec(1).longest, self.lanes, 2 * amount):
            operands = self.stimulus(rng, m=self.rows, k=k, n=2 * self.cols)
            rows = operands["a"][rng.integers(0, self.rows, 2 * self.cols)].T
            differ = rng.random(rows.shape) < rng.choice([0, 0.02, 0.3], rows.shape[1])
            yield operands | {"w": np.where(differ, -rows, rows)}


@dataclass(frozen=True, kw_only=True)
class TtqGemm(SystolicGemm):
    """``p = a @ (w > 0)`` and ``n = a @ (w < 0)``: what two scales, one a sign, are then applied to.

    A beat of `y` holds both sums of each column, `p` in the low bits.
    """

    w: UnitFormat = field(default=Ternary())

    results = ("p", "n")

    def __post_init__(self):
        if not isinstance(self.a, Integer):
            raise InputError(f"a must be an integer format, not {self.a}")
        super().__post_init__()

    def spec(self, k):
        mask = Integer(1, signed=False)
        return GemmSpec(a=self.a, w=mask, k=k, accumulate=Exact(self.acc_width))

    @property
    def widths(self):
        return self.a.width, self.w.width, 2 * self.acc_width

    def element(self, **settings):
        return TwoSumElement(a=self.a, acc_width=self.acc_width, **settings)

    def golden(self, operands):
        a, w, spec = operands["a"], operands["w"], self.spec(operands["a"].shape[1])
        return {key: gemm(spec, a, (w == sign).astype(np.uint8)) for key, sign in (("p", 1), ("n", -1))}

    def directed(self, rng, amount=1):
        """Activations near their limits and columns of mostly one sign: sums up to the greatest."""
        for k in full(self.spec(1).longest, 1, 2 * amount):
            operands = self.stimulus(rng, m=self.rows, k=k, n=2 * self.cols)
            (m, k), n = operands["a"].shape, operands["w"].shape[1]
            near = rng.choice([self.a.lo, self.a.hi, self.a.hi], (m, 1)) >> rng.choice([0, 0, 1, 4], (m, k))
            signs = np.where(rng.random((k, n)) < 0.9, rng.choice([-1, 1], n), operands["w"])
            yield operands | {"a": near, "w": signs}

    def unpack(self, operands, beats):
        y, (m, n) = Integer(self.acc_width, signed=True), (operands["a"].shape[0], operands["w"].shape[1])
        sums = unpack_fields(beats["y"].data, self.cols, self.acc_width, self.acc_width)
        halves = zip(self.results, sums, strict=True)
        return {key: assemble(y.integers(codes), *self.tiles(operands), m, n) for key, codes in halves}


@dataclass(frozen=True, kw_only=True)
class CodebookGemm(SystolicGemm):
    """``y = a @ t[w]``: weights are indices of a table of ``2**bits`` entries, which comes with each tile.

    See `CodebookArray`. Operand `t` is the table.
    """

    bits: int = parameter(4, "bits of an index, 1 to 8")
    entry: UnitFormat = parameter(Integer(8, signed=True), "format of the entries: signed integers of 2 to 16 bits")
    w: UnitFormat = field(init=False)  # the indices

    operands = ("a", "w", "t")

    def __post_init__(self):
        if not 1 <= self.bits <= 8:
            raise InputError(f"bits must be 1 to 8, not {self.bits}")
        if not isinstance(self.entry, Integer) or not self.entry.signed or not 2 <= self.entry.width <= 16:
            raise InputError(f"entry must be signed integers of 2 to 16 bits, not {self.entry}")
        object.__setattr__(self, "w", Integer(self.bits, signed=False))
        super().__post_init__()

    def spec(self, k):
        return GemmSpec(a=self.a, w=self.entry, k=k, accumulate=Exact(self.acc_width))

    @property
    def widths(self):
        return self.a.width, self.entry.width, self.acc_width

    def element(self, **settings):
        return ProcessingElement(a=self.a, w=self.entry, acc_width=self.acc_width, **settings)

    def component(self):
        size = {"rows": self.rows, "cols": self.cols}
        return CodebookArray(a=self.a, entry=self.entry, bits=self.bits, acc_width=self.acc_width, **size)

    @property
    def latency(self):
        return super().latency + 1

    @property
    def flip_flops(self):
        step = self.rows * self.a.width + self.cols * self.bits
        return super().flip_flops + step + (self.entry.width << self.bits) + 3

    def check(self, operands):
        found = super().check(operands)
        t = self.entry.check(operands["t"], "t")
        if t.shape != (1 << self.bits,):
            raise InputError(f"t must have {1 << self.bits} entries, not {list(t.shape)}")
        return found | {"t": t}

    def golden(self, operands):
        return {"y": gemm(self.spec(operands["a"].shape[1]), operands["a"], operands["t"][operands["w"]])}

    def pack(self, operands):
        tiles = int(np.prod(self.tiles(operands)))
        t = np.tile(pack_fields((self.entry.codes(operands["t"])[None], self.entry.width)), (tiles, 1))
        return super().pack(operands) | {"t": Beats(t, np.ones(tiles, bool))}

    def cycles(self, operands):
        return super().cycles(operands) + 1

    def stimulus(self, rng, **sizes):
        return super().stimulus(rng, **sizes) | {"t": random_integers(rng, self.entry, 1 << self.bits)}
