"""GEMM on tiles of serial inner-product units: bit-parallel, Stripes, Dynamic Stripes and Loom."""

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from golden.bitserial import (
    TileShape,
    activation_groups,
    dynamic_stripes_cycles,
    loom_cycles,
    parallel_cycles,
    stripes_cycles,
    weight_groups,
)
from golden.errors import InputError
from golden.formats import Integer, UnitFormat
from golden.gemm import Exact, GemmSpec, gemm
from golden.precision import check_precision, group_precision, planes, value_precision
from rtl.beats import Beats, pack_fields, unpack_fields
from rtl.engine import Engine, around, parameter
from rtl.gemm import assemble, random_integers
from rtl.precision import PrecisionDetector
from rtl.serial_tile import SerialTile, TilePlan
from rtl.sip import Digits, SerialUnit

__all__ = ["DynamicStripes", "Loom", "ParallelTile", "SerialGemm", "Stripes"]


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

    def __post_init__(self):
        for what, signs in (("a", (False, True)), ("w", (True,))):
            fmt = getattr(self, what)
            if not isinstance(fmt, Integer) or fmt.width > 16 or fmt.signed not in signs:
                kind = "a signed integer" if signs == (True,) else "an integer"
                raise InputError(f"{what} must be {kind} of up to 16 bits, not {fmt}")
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
        a, w = (getattr(self, key).check(operands[key], key) for key in ("a", "w"))
        for key, matrix in (("a", a), ("w", w)):
            if matrix.ndim != 2 or 0 in matrix.shape:
                raise InputError(f"{key} must be a matrix that is not empty, not of shape {list(matrix.shape)}")
        if a.shape[1] != w.shape[0]:
            raise InputError(f"a [M, K] and w [K, N] must share K, not {list(a.shape)} and {list(w.shape)}")
        self.spec(a.shape[1])
        return {"a": a, "w": w}

    def operands_of(self, a, w):
        """All operands for those of a layer."""
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


@dataclass(frozen=True, kw_only=True)
class Stripes(SerialGemm):
    """A `SerialGemm` with activations bit by bit, of a precision that comes with the layer.

    Operand `p` is that precision. An activation that needs more is refused, unless `cut` is 1: then its upper bits are
    not looked at, and result `e` says of each tile whether there was one.
    """

    windows: int = parameter(4, "windows, which share weights, 1 to 16")
    dense: int = parameter(0, "1: columns of their own weights for the activations of one window, for dense layers")

    operands = ("a", "w", "p", "cut")
    results = ("y", "e")

    def __post_init__(self):
        super().__post_init__()
        if self.a.width < 2:
            raise InputError(f"a must have 2 bits or more, not be {self.a}")

    @property
    def plan(self):
        return TilePlan(shape=self.shape, digits=self.digits(), static=True)

    @property
    def slowest_pass(self):
        return max(self.a.width, self.windows if self.dense else 1)

    def check(self, operands):
        self.require(operands)
        found = super().check(operands)
        for key, least, most in (("p", 1, self.a.width), ("cut", 0, 1)):
            value = np.asarray(operands[key])
            if value.shape != () or value.dtype.kind not in "iu" or not least <= int(value) <= most:
                raise InputError(f"{key} must be one integer, {least} to {most}, not {operands[key]!r}")
            found[key] = value.astype(np.int64)
        if not found["cut"]:
            check_precision(found["a"], self.a.signed, int(found["p"]), "a")
        return found

    def operands_of(self, a, w):
        """The precision is that of all activations together."""
        precision = group_precision(np.asarray(a).reshape(-1), self.a.signed)
        return super().operands_of(a, w) | {"p": np.array(int(precision)), "cut": np.array(0)}

    def golden(self, operands):
        a, p = operands["a"], int(operands["p"])
        short = ((value_precision(a, self.a.signed) > p) & (a != 0)).any(axis=1)
        down, across = self.tiles(operands)
        short = np.pad(short, (0, down * self.shape.rows - len(short))).reshape(down, -1).any(axis=1)
        seen = a.astype(np.int64) & ((1 << p) - 1)
        if self.a.signed:
            seen = (seen ^ (1 << p >> 1)) - (1 << p >> 1)
        return super().golden(operands | {"a": seen}) | {"e": np.repeat(short.astype(np.int64), across)}

    def pack(self, operands):
        tiles = np.prod(self.tiles(operands))
        p = np.full((tiles, 1), operands["p"] - 1)
        return super().pack(operands) | {"p": Beats(pack_fields((p, self.plan.top_bits)), np.ones(tiles, bool))}

    def beats(self, operands):
        return super().beats(operands) | {"e": int(np.prod(self.tiles(operands)))}

    def unpack(self, operands, beats):
        [flags] = unpack_fields(beats["e"].data, 1, 1)
        return super().unpack(operands, beats) | {"e": flags[:, 0].astype(np.int64)}

    def cycles(self, operands):
        (m, k), n = operands["a"].shape, operands["w"].shape[1]
        return stripes_cycles(self.shape, m, k, n, int(operands["p"]))

    def stimulus(self, rng, **sizes):
        """Precisions that are just enough, too small, or neither."""
        operands = super().stimulus(rng, **sizes)
        enough = int(group_precision(operands["a"].reshape(-1), self.a.signed))
        p = rng.choice([enough, max(1, enough - 1), rng.integers(1, self.a.width, endpoint=True), self.a.width])
        return operands | {"p": np.array(p), "cut": np.array(1)}


@dataclass(frozen=True, kw_only=True)
class DynamicStripes(SerialGemm):
    """A `SerialGemm` with activations bit by bit, of a precision that is detected for each group of them."""

    windows: int = parameter(4, "windows, which share weights, 1 to 16")
    groups: int = parameter(1, "groups of windows, each with a precision of its own: a divisor of windows")
    run_ahead: int = parameter(0, "passes that a group may be ahead of the slowest, 0 to 7")
    trim: int = parameter(0, "1: passes begin at the lowest bit that any activation of the group has")
    dense: int = parameter(0, "1: columns of their own weights for the activations of one window, for dense layers")

    def flags(self):
        super().flags()
        if not 0 <= self.run_ahead <= 7:
            raise InputError(f"run_ahead must be 0 to 7, not {self.run_ahead}")
        if self.groups < 1 or self.windows % self.groups:
            raise InputError(f"groups must divide the {self.windows} windows, not be {self.groups}")
        if self.dense and (self.groups > 1 or self.run_ahead):
            raise InputError("dense tiles have one group and no run_ahead: their activations are those of one window")

    @property
    def plan(self):
        return TilePlan(
            shape=self.shape,
            digits=self.digits(),
            groups=self.groups,
            run_ahead=self.run_ahead,
            trim=bool(self.trim) and self.a.width > 1,
        )

    def parts(self):
        if self.a.width == 1:
            return super().parts()
        count = self.plan.activations // self.groups
        return super().parts() | {"detector": PrecisionDetector(fmt=self.a, count=count, trim=self.plan.trim)}

    @property
    def slowest_pass(self):
        return max(self.a.width, self.windows if self.dense else 1)

    def cycles(self, operands):
        ahead = dict(groups=self.groups, run_ahead=self.run_ahead, trim=bool(self.trim))
        return dynamic_stripes_cycles(self.shape, operands["a"], operands["w"].shape[1], self.a.signed, **ahead)


@dataclass(frozen=True, kw_only=True)
class Loom(SerialGemm):
    """A `SerialGemm` with both operands bit by bit: weights in planes, as many as their pass needs."""

    windows: int = parameter(4, "windows, which share weights, 1 to 16")
    s: int = parameter(1, "bits of the activations in a cycle: 1, 2 or 4")
    dense: int = parameter(0, "1: columns of their own weights for the activations of one window, for dense layers")

    def flags(self):
        super().flags()
        if self.s not in (1, 2, 4):
            raise InputError(f"s must be 1, 2 or 4, not {self.s}")

    @property
    def plan(self):
        return TilePlan(shape=self.shape, digits=self.digits(a_digit=self.s, w_digit=1))

    def parts(self):
        if self.a.width <= self.s:
            return super().parts()
        return super().parts() | {"detector": PrecisionDetector(fmt=self.a, count=self.plan.activations, digit=self.s)}

    @property
    def slowest_pass(self):
        step = -(-self.a.width // self.s)
        return self.w.width * max(step, self.windows if self.dense else 1)

    def weights(self, operands, down):
        groups = weight_groups(self.shape, operands["w"])
        across, passes, _ = groups.shape
        columns = self.shape.windows if self.shape.dense else 1
        precision = group_precision(groups, True)
        beats = []
        for group, count in zip(groups.reshape(across * passes, columns, -1), precision.reshape(-1)):
            bits = planes(group, count).transpose(2, 0, 1)  # [planes, columns, weights]
            whole = np.broadcast_to(np.arange(1, count + 1)[:, None, None] == count, (*bits.shape[:2], 1))
            beats.append(np.concatenate([bits, whole], axis=2).reshape(-1, bits.shape[2] + 1))
        data = np.tile(np.packbits(np.concatenate(beats).astype(np.uint8), axis=1, bitorder="little"), (down, 1))
        return Beats(data, np.ones(len(data), bool))

    def cycles(self, operands):
        return loom_cycles(self.shape, operands["a"], operands["w"], self.a.signed, digit=self.s)
