"""Dot products on the MAC tree: its parameters, beats, cycles and golden function."""

from dataclasses import dataclass, field, replace

import numpy as np

from golden.errors import InputError
from golden.formats import Integer, Minifloat, PowerOfTwo, UnitFormat
from golden.mac import MacSpec, mac
from golden.mac_tree import mac_tree_cycles, mac_tree_latency
from rtl import mac_tree_operands as operands_for
from rtl.beats import Beats, pack_fields, unpack_fields
from rtl.engine import Engine, around, parameter
from rtl.float_add import FloatAdder
from rtl.float_tree import FP32, FloatLane, FloatTree, FloatWidths
from rtl.tree import SHIFT_BITS, UP_BITS, ExactTree, ExactWidths, MacUnit

__all__ = ["DynamicTree", "FixedTree", "MacTree", "MinifloatTree"]

LONGEST = 1 << 20
WIDEST = {"a": 16, "w": 16, "bias": 48, "y": 32}


@dataclass(frozen=True, kw_only=True)
class MacTree(Engine):
    """``y = round(a @ w + bias)``, a dot product after the other, n fastest; see `Tree` and `golden.mac.MacSpec`."""

    lanes: int = parameter(16, "products a cycle, 1 to 64")
    a: UnitFormat = parameter(Integer(8, True), "format of the activations, up to 16 bits")
    w: UnitFormat = parameter(Integer(8, True), "format of the weights, up to 16 bits")
    bias: UnitFormat = parameter(Integer(8, True), "format of the biases, up to 48 bits")
    y: UnitFormat = parameter(Integer(8, True), "format of the results, up to 32 bits")
    relu: int = parameter(0, "1: results are at least 0")
    longest: int = parameter(4096, "most products in a sum, 1 to 1048576")

    families = {"a": (Integer,), "w": (Integer,), "bias": (Integer,), "y": (Integer,)}
    operands = ("a", "w", "bias")
    results = ("y",)
    sizes = ("m", "k", "n")
    dynamic = False  # whether units come at run time

    def __post_init__(self):
        for what, families in self.families.items():
            fmt = getattr(self, what)
            if not isinstance(fmt, families) or fmt.width > WIDEST[what]:
                allowed = " or ".join(family.__name__ for family in families)
                raise InputError(f"{what} must be of family {allowed}, up to {WIDEST[what]} bits, not {fmt}")
        for what, least, most in (("lanes", 1, 64), ("relu", 0, 1), ("longest", 1, LONGEST)):
            if not least <= getattr(self, what) <= most:
                raise InputError(f"{what} must be {least} to {most}, not {getattr(self, what)}")
        if not self.w.signed:
            raise InputError(f"w must be signed, not {self.w}")
        spec = self.spec(self.longest)
        if not self.dynamic and isinstance(self.y, Integer) and self.y.exponent < min(spec.sum_exponent, spec.bias.exponent):
            least = min(spec.sum_exponent, spec.bias.exponent)
            raise InputError(f"the unit of y must be at least 2**{least}, the finer one of products and bias, not {self.y}")

    def spec(self, k):
        """What sums of `k` products compute."""
        formats = {what: getattr(self, what) for what in ("a", "w", "bias", "y")}
        return MacSpec(**formats, k=k, relu=bool(self.relu), accumulate=self.order)

    @property
    def order(self):
        """How sums are made, as `MacSpec` names it."""
        return "exact"

    @property
    def boundaries(self):
        return {"m": (1, 2), "k": tuple(k for k in around(self.lanes) if k <= self.longest), "n": (1, 2, 3)}

    @property
    def throughput(self):
        return {"unit": "MAC", "per_cycle": self.lanes}

    def component(self):
        return ExactTree(spec=self.spec(self.longest), lanes=self.lanes, dynamic=self.dynamic)

    def parts(self):
        return {"mac": MacUnit(a=self.a, w=self.w, acc_width=self.spec(self.longest).acc_width)}

    @property
    def latency(self):
        return mac_tree_latency(self.lanes, self.order)

    @property
    def flip_flops(self):
        return ExactWidths(spec=self.spec(self.longest), lanes=self.lanes, dynamic=self.dynamic).flip_flops

    def check(self, operands):
        self.require(operands)
        found = {key: getattr(self, key).check(operands[key], key) for key in ("a", "w", "bias")}
        a, w, bias = found.values()
        for key, matrix in (("a", a), ("w", w)):
            if matrix.ndim != 2 or 0 in matrix.shape:
                raise InputError(f"{key} must be a matrix that is not empty, not of shape {list(matrix.shape)}")
        if a.shape[1] != w.shape[0] or bias.shape != w.shape[1:]:
            shapes = f"{list(a.shape)}, {list(w.shape)} and {list(bias.shape)}"
            raise InputError(f"a [M, K], w [K, N] and bias [N] must agree in K and N, not {shapes}")
        if a.shape[1] > self.longest:
            raise InputError(f"sums have {a.shape[1]} products; allowed: up to longest = {self.longest}")
        return found

    def golden(self, operands):
        spec = self.spec(operands["a"].shape[1])
        return {"y": mac(spec, operands["a"], operands["w"], operands["bias"])}

    def pack(self, operands):
        a, w = self.a.codes(operands["a"]), self.w.codes(operands["w"]).T
        shape = len(a), len(w)
        beats = {}
        for key, codes in (("a", a[:, None]), ("w", w[None])):
            codes = np.pad(codes, ((0, 0), (0, 0), (0, -codes.shape[2] % self.lanes)))
            codes = np.broadcast_to(codes, (*shape, codes.shape[2])).reshape(shape[0] * shape[1], -1, self.lanes)
            beats[key] = Beats.of_packets(codes, getattr(self, key).width)
        parameters = np.tile(pack_fields(*self.parameter_fields(operands)), (shape[0], 1))
        return beats | {"p": Beats(parameters, np.ones(len(parameters), bool))}

    def parameter_fields(self, operands):
        """The beats of parameters of a row of results: pairs (codes [N, 1], width)."""
        return [(self.bias.codes(operands["bias"])[:, None], self.bias.width)]

    def beats(self, operands):
        return {"y": operands["a"].shape[0] * operands["w"].shape[1]}

    def unpack(self, operands, beats):
        [codes] = unpack_fields(beats["y"].data, 1, self.y.width)
        return {"y": self.y.integers(codes).reshape(operands["a"].shape[0], operands["w"].shape[1])}

    def cycles(self, operands):
        (m, k), n = operands["a"].shape, operands["w"].shape[1]
        return mac_tree_cycles(m * n, k, self.lanes, self.order)

    def stimulus(self, rng, m=None, k=None, n=None):
        m = rng.integers(1, 6) if m is None else m
        n = rng.integers(1, 6) if n is None else n
        k = rng.integers(1, min(3 * self.lanes, self.longest) + 1) if k is None else k
        return {
            "a": operands_for.sized(rng, self.a, (m, k), (m, 1)),
            "w": operands_for.sized(rng, self.w, (k, n), n),
            "bias": operands_for.sized(rng, self.bias, n, n),
        }

    def directed(self, rng, amount=1):
        """Single products, of which many are ties of the rounding, and sums in which nearly all is cancelled."""
        for _ in range(amount):
            yield self.stimulus(rng, m=8, k=1, n=8)
            if self.longest > 1:
                yield operands_for.cancelled(self, rng)


@dataclass(frozen=True, kw_only=True)
class FixedTree(MacTree):
    """A `MacTree` of fixed point: the units are those of the formats."""


@dataclass(frozen=True, kw_only=True)
class DynamicTree(MacTree):
    """A `MacTree` whose units come at run time: ``total = (a @ w << up) + bias``, rounded to ``total >> shift``.

    It is what `MacSpec` makes of formats whose exponents say so; the bias is in the unit of the total.
    """

    bias: Integer = parameter(Integer(32, True), "format of the biases, signed, up to 48 bits")
    weights: type = field(default=Integer)  # the family of w; given by the target

    operands = ("a", "w", "bias", "up", "shift")
    dynamic = True

    @property
    def families(self):
        """Families of the formats."""
        return MacTree.families | {"w": (self.weights,)}

    def __post_init__(self):
        super().__post_init__()
        for what in ("a", "w", "bias", "y"):
            fmt = getattr(self, what)
            if isinstance(fmt, Integer) and fmt.exponent:
                raise InputError(f"{what} must have no unit, which comes at run time, not {fmt}")
        if not self.bias.signed:
            raise InputError(f"bias must be signed, not {self.bias}")

    def check(self, operands):
        found = super().check(operands)
        for key, bits in (("up", UP_BITS), ("shift", SHIFT_BITS)):
            value = np.asarray(operands[key])
            if value.shape != () or value.dtype.kind not in "iu" or not 0 <= int(value) < 1 << bits:
                raise InputError(f"{key} must be one integer, 0 to {(1 << bits) - 1}, not {operands[key]!r}")
            found[key] = value.astype(np.int64)
        return found

    def golden(self, operands):
        a, w, bias, up, shift = (operands[key] for key in self.operands)
        unit = self.a.exponent + self.w.exponent - int(up)
        formats = {"bias": replace(self.bias, exponent=unit), "y": replace(self.y, exponent=unit + int(shift))}
        return {"y": mac(replace(self.spec(a.shape[1]), **formats), a, w, bias)}

    def parameter_fields(self, operands):
        repeated = ((np.full((operands["bias"].size, 1), operands[key]), key) for key in ("up", "shift"))
        widths = {"up": UP_BITS, "shift": SHIFT_BITS}
        return super().parameter_fields(operands) + [(value, widths[key]) for value, key in repeated]

    def stimulus(self, rng, **sizes):
        """Shifts over their whole range, most of them such that few results saturate."""
        operands = super().stimulus(rng, **sizes)
        up = int(rng.integers(0, 1 << UP_BITS)) if rng.random() < 0.5 else 0
        reach = int(np.abs(operands["a"].astype(np.int64) @ operands["w"]).max()) << int(up)
        usual = max(0, reach.bit_length() - self.y.width + int(rng.integers(-1, 3)))
        shift = usual if rng.random() < 0.8 else rng.integers(0, 1 << SHIFT_BITS)
        return operands | {"up": np.array(up), "shift": np.array(min(shift, (1 << SHIFT_BITS) - 1))}

    def directed(self, rng, amount=1):
        """Also biases with which what is shifted out is nothing, half, or a bit off either."""
        yield from super().directed(rng, amount)
        for _ in range(6 * amount):
            yield operands_for.tied(self, rng)
        for _ in range(2 * amount):
            yield operands_for.long_shift(self, rng)



@dataclass(frozen=True, kw_only=True)
class MinifloatTree(MacTree):
    """A `MacTree` of minifloats, or of integers and minifloats.

    Sums are exact, or those of a tree of FP32 adders with `lanes` leaves; then results are minifloats.
    """

    accumulate: str = parameter("exact", "how sums are made: exact, or in fp32", choices=("exact", "fp32"))

    families = {
        "a": (Minifloat, Integer),
        "w": (Minifloat, Integer, PowerOfTwo),
        "bias": (Minifloat, Integer),
        "y": (Minifloat, Integer),
    }

    def __post_init__(self):
        super().__post_init__()
        if self.accumulate == "exact":
            return
        if not isinstance(self.y, Minifloat) or not 1 <= self.y.mantissa_bits <= 20:
            raise InputError(f"y of sums in FP32 must be a minifloat of 1 to 20 mantissa bits, not {self.y}")
        spec = self.spec(self.longest)
        least = min(spec.sum_exponent, spec.bias.exponent)
        most = max(-spec.lo, spec.hi).bit_length() + spec.sum_exponent, self.bias.hi.bit_length() + self.bias.exponent
        if least < -126 or max(most) > 125:
            found = f"of {self.a}, {self.w} and {self.bias} may lie between 2**{least} and 2**{max(most)}"
            raise InputError(f"sums {found}; FP32 allows 2**-126 to 2**125")

    def directed(self, rng, amount=1):
        """Also codes of one bit; in FP32 also sums of a great number and small ones: see `rtl.mac_tree_operands`."""
        yield from super().directed(rng, amount)
        for _ in range(2 * amount):
            yield operands_for.single_bits(self, rng)
        if self.accumulate == "fp32" and self.longest > 2:
            for i in range(8 * amount):
                yield operands_for.near_ties(self, rng) if i % 4 == 3 else operands_for.absorbed(self, rng, by_bias=i % 4 == 2)

    @property
    def order(self):
        return "exact" if self.accumulate == "exact" else f"fp32x{self.lanes}"

    def component(self):
        if self.accumulate == "exact":
            return super().component()
        return FloatTree(spec=self.spec(self.longest), lanes=self.lanes)

    def parts(self):
        if self.accumulate == "exact":
            return super().parts()
        return {"lane": FloatLane(a=self.a, w=self.w), "adder": FloatAdder(FP32)}

    @property
    def flip_flops(self):
        if self.accumulate == "exact":
            return super().flip_flops
        return FloatWidths(spec=self.spec(self.longest), lanes=self.lanes).flip_flops
