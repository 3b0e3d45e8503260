"""GEMM on tiles of serial inner-product units: what its engines share, and the bit-parallel one."""

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from golden.bitserial import TileShape, activation_groups, parallel_cycles, weight_groups
from golden.errors import InputError
from golden.formats import Integer, UnitFormat
from golden.gemm import Exact, GemmSpec, gemm
from rtl.beats import Beats, pack_fields, unpack_fields
from rtl.engine import Engine, around, parameter
from rtl.gemm import assemble, checked_matrices, random_integers
from rtl.serial_tile import SerialTile
from rtl.sip import Digits, SerialUnit
from rtl.tile_plan import TilePlan

__all__ = ["ParallelTile", "SerialGemm"]


@dataclass(frozen=True, kw_only=True)
class SerialGemm(Engine):
    """``y = a @ w``, tile by tile; see `SerialTile` for its streams and `golden.bitserial` for its cycles."""

    lanes: int = parameter(16, "products of a unit along K, 1 to 16")
    filters: int = parameter(4, "units along N, 1 to 128")
    a: UnitFormat = parameter(Integer(8, signed=False), "format of the activations: uint1 to uint16, int2 to int16")
    w: UnitFormat = parameter(Integer(8, signed=True), "format of the weights: int2 to int16")
    acc_width: int = parameter(32, "bits of an accumulator, enough for one product to 64")

    operands = ("a", "w")
    results = ("y",)
    sizes = ("m", "k", "n")
    narrowest = 1  # bits of activations without a sign

    def __post_init__(self):
        for what, signs in (("a", (False, True)), ("w", (True,))):
            fmt = getattr(self, what)
            if not isinstance(fmt, Integer) or fmt.width > 16 or fmt.signed not in signs:
                kind = "a signed integer" if signs == (True,) else "an integer"
                raise InputError(f"{what} must be {kind} of up to 16 bits, not {fmt}")
            if fmt.signed and fmt.width == 1:
                raise InputError(f"{what} must have 2 bits or more if it is signed, not be {fmt}")
        if not 2 <= self.acc_width <= 64:
            raise InputError(f"acc_width must be 2 to 64, not {self.acc_width}")
        self.flags(), self.shape, self.spec(1)

    def flags(self):
        """Refuse parameters that are neither sizes nor formats and out of range."""
        for name in ("dense", "trim"):
            if getattr(self, name, 0) not in (0, 1):
                raise InputError(f"{name} must be 0 or 1, not {getattr(self, name)}")

    @property
    def shape(self):
        """Size of the tile."""
        return TileShape(
            lanes=self.lanes,
            filters=self.filters,
            windows=getattr(self, "windows", 1),
            dense=bool(getattr(self, "dense", 0)),
        )

    def spec(self, k):
        """What a GEMM with sums of `k` products computes."""
        return GemmSpec(a=self.a, w=self.w, k=k, accumulate=Exact(self.acc_width))

    def digits(self, **cut):
        """How operands are cut into digits: by default those of `a` are bits, those of `w` whole."""
        whole = dict(a=self.a, w=self.w, lanes=self.lanes, acc_width=self.acc_width, a_digit=1, w_digit=self.w.width)
        return Digits(**whole | cut)

    @property
    @abstractmethod
    def plan(self):
        """What the tile is made of."""

    @property
    def boundaries(self):
        longest = self.spec(1).longest
        return {
            "m": around(self.shape.rows),
            "k": tuple(k for k in around(self.lanes) if k <= longest),
            "n": around(self.shape.cols),
        }

    @property
    def throughput(self):
        """At the full width of the operands."""
        products = self.lanes * self.filters * self.shape.windows
        return {"unit": "MAC", "per_cycle": products / self.slowest_pass}

    @property
    @abstractmethod
    def slowest_pass(self):
        """Cycles of a pass whose operands need all their bits."""

    def component(self):
        return SerialTile(self.plan)

    def parts(self):
        return {"sip": SerialUnit(self.plan.digits)}

    @property
    def latency(self):
        return self.shape.windows + 1 + self.plan.digits.stages

    @property
    def flip_flops(self):
        return self.plan.flip_flops

    def check(self, operands):
        self.require(operands)
        return checked_matrices(self, operands)

    def operands_of(self, a, w, precision=None):
        """All operands for those of a layer, whose activations have `precision` bits, or all those of the format."""
        return {"a": a, "w": w}

    def golden(self, operands):
        return {"y": gemm(self.spec(operands["a"].shape[1]), operands["a"], operands["w"])}

    def tiles(self, operands):
        """Tiles of the result: (along M, along N)."""
        return self.shape.tiles(operands["a"].shape[0], operands["w"].shape[1])

    def pack(self, operands):
        down, across = self.tiles(operands)
        passes = self.shape.passes(operands["a"].shape[1])
        a = activation_groups(self.shape, self.a.codes(operands["a"]))
        a = np.broadcast_to(a.reshape(down, 1, passes, -1), (down, across, passes, a.shape[-1]))
        beats = {"a": Beats.of_packets(a.reshape(down * across, passes, -1), self.a.width)}
        return beats | {"w": self.weights(operands, down)}

    def weights(self, operands, down):
        """The beats of weights, those of each row of tiles the same."""
        w = weight_groups(self.shape, self.w.codes(operands["w"]))
        w = np.broadcast_to(w, (down, *w.shape)).reshape(-1, w.shape[1], w.shape[2])
        if not self.shape.dense:
            return Beats.of_packets(w, self.w.width)
        beats = w.reshape(-1, w.shape[2] // self.shape.windows)
        return Beats(pack_fields((beats, self.w.width)), np.ones(len(beats), bool))

    @property
    def in_step(self):
        return ("a", "w") if self.plan.in_step else ()

    def beats(self, operands):
        down, across = self.tiles(operands)
        return {"y": down * across * self.shape.windows}

    def unpack(self, operands, beats):
        y = Integer(self.acc_width, signed=True)
        [codes] = unpack_fields(beats["y"].data, self.filters, self.acc_width)
        rows = y.integers(codes).reshape(-1, self.shape.cols)
        return {"y": assemble(rows, *self.tiles(operands), operands["a"].shape[0], operands["w"].shape[1])}

    def stimulus(self, rng, m=None, k=None, n=None):
        """Operands of which passes need few bits or many, at the top, at the bottom, or none."""
        m = rng.integers(1, 2 * self.shape.rows + 2) if m is None else m
        n = rng.integers(1, 2 * self.shape.cols + 2) if n is None else n
        k = rng.integers(1, min(3 * self.lanes, self.spec(1).longest) + 1) if k is None else k
        return {
            "a": sized(rng, self.a, (m, k), (-(-m // self.shape.rows), self.shape.passes(k))),
            "w": sized(rng, self.w, (k, n), (self.shape.passes(k), -(-n // self.shape.cols))),
        }

    def directed(self, rng, amount=1):
        """Passes that one number alone makes long, and tiles so short that they wait for the drain."""
        rows, cols, lanes = self.shape.rows, self.shape.cols, self.lanes
        longest = self.spec(1).longest
        for _ in range(amount):
            for _ in range(2):
                operands = self.stimulus(rng, m=rows, k=min(2 * lanes, longest), n=cols)
                for key in ("a", "w"):
                    fmt, alone = getattr(self, key), np.zeros_like(operands[key])
                    alone.flat[rng.integers(alone.size)] = rng.choice([fmt.lo, fmt.hi]) >> rng.integers(fmt.width)
                    operands[key] = alone
                yield operands
            operands = self.stimulus(rng, m=2 * rows, k=1, n=2 * cols)
            yield operands | {key: operands[key] & 1 for key in ("a", "w")}


def sized(rng, fmt, shape, parts):
    """Integers of `fmt`, those of each of `parts` of the matrix cut to some of their bits, and some parts zero."""
    values = random_integers(rng, fmt, shape)
    fewer = rng.integers(0, fmt.width, parts) * rng.integers(0, 2, parts)
    zeros = rng.integers(0, fmt.width, parts) * (rng.random(parts) < 0.3)
    empty = rng.random(parts) < 0.15

    def over(part):
        repeats = (-(-size // count) for size, count in zip(shape, parts))
        return np.kron(part, np.ones(tuple(repeats), np.int64))[: shape[0], : shape[1]]

    return np.where(over(empty), 0, (values >> over(fewer)) >> over(zeros) << over(zeros))


@dataclass(frozen=True, kw_only=True)
class ParallelTile(SerialGemm):
    """A `SerialGemm` with whole numbers for digits: a multiplier for each lane, one window, a pass a cycle."""

    @property
    def plan(self):
        return TilePlan(shape=self.shape, digits=self.digits(a_digit=self.a.width, multiplies=True))

    slowest_pass = 1

    def cycles(self, operands):
        (m, k), n = operands["a"].shape, operands["w"].shape[1]
        return parallel_cycles(self.shape, m, k, n)
