"""Requantisation as an engine, alone and behind the systolic array: parameters, beats, cycles, golden functions."""

import math
from dataclasses import dataclass

import numpy as np

from golden.errors import InputError
from golden.formats import Binary, Integer, PowerOfTwo, UnitFormat
from golden.pipeline import REQUANT_LATENCY, requant_cycles
from golden.requant import RequantSpec, requant
from rtl.beats import Beats, pack_fields, unpack_fields
from rtl.engine import Engine, around, parameter
from rtl.gemm import SystolicGemm, assemble, checked_matrices, random_integers
from rtl.layer import SystolicLayer
from rtl.requant import Lane, RequantPipeline

__all__ = ["StreamRequant", "SystolicRequant"]


def channel_groups(vector, lanes):
    """`vector` [channels] as [groups, lanes], filled with zeros."""
    groups = -(-vector.size // lanes)
    return np.pad(vector, (0, groups * lanes - vector.size)).reshape(groups, lanes)


def parameter_beats(spec, m, b, s, lanes, repeats=1):
    """Beats of parameters, one a group of channels, all groups `repeats` times: `m`, `b` and `s` of each lane."""
    fields = zip((channel_groups(p, lanes) for p in (m, b, s)), (spec.m_width, spec.b_width, spec.s_width))
    data = np.tile(pack_fields(*fields), (repeats, 1))
    return Beats(data, np.ones(len(data), bool))


def random_parameters(rng, spec, channels):
    """Random m, b and s: shifts over their whole range, most of them such that few results saturate."""
    m = random_integers(rng, spec.m, channels)
    s = rng.integers(0, spec.s_limit, channels, endpoint=True)
    reach = max(spec.y.width, spec.y.hi.bit_length())
    usual = np.clip(spec.x.width + spec.m_width - 2 - reach + rng.integers(-4, 5, channels), 0, spec.s_limit)
    bits = rng.integers(1, spec.b_width, channels)
    b = rng.integers(-(1 << (spec.b_width - 1)), 1 << (spec.b_width - 1), channels) >> bits
    return m, b, np.where(rng.random(channels) < 0.7, usual, s)


def rounding(rng, spec, operands, x):
    """`operands` with other addends and shifts: what these shift out of the sums of one row of accumulators `x` is
    nothing, half, or a bit off either; values to round lie around and beyond the results' range, and of every size.

    Where results are powers of two, some sums are next to the root of 2 times one.
    """
    limit, size = spec.b_limit, x.size
    s = rng.integers(0, spec.s_limit, size, endpoint=True)
    near = rng.integers(spec.y.lo - 3, spec.y.hi + 3, size, endpoint=True)
    power = (np.int64(1) << rng.integers(0, spec.b_width - 1, size)) * rng.choice([-1, 1], size)
    whole = np.where(rng.random(size) < 0.6, near, power + rng.integers(-2, 3, size))
    s = np.where(np.abs(whole) < limit >> s, s, np.minimum(rng.integers(0, 3, size), spec.s_limit))
    half = (np.int64(1) << s) >> 1
    bit = (np.int64(1) << rng.integers(0, np.maximum(s, 1))) * rng.choice([-1, 0, 1], size)
    wanted = (whole << s) + (half * rng.integers(0, 2, size) + bit) * (s > 0)
    if isinstance(spec.y, PowerOfTwo):
        roots = np.array([math.isqrt(2 << 2 * n) for n in range(spec.b_width - 2)])
        near_root = (rng.choice(roots, size) + rng.integers(0, 2, size)) * rng.choice([-1, 1, 1], size)
        wanted = np.where(rng.random(size) < 0.5, near_root, wanted)
    return operands | {"b": np.clip(wanted - x * operands["m"], -limit - 1, limit), "s": s}


@dataclass(frozen=True, kw_only=True)
class StreamRequant(Engine):
    """``y[r, c] = sat(rne((x[r, c] * m[c] + b[c]) * 2**-s[c]))``, group of channels by group; see `RequantPipeline`.

    A packet of `x` holds all rows of one group of `lanes` channels.
    """

    lanes: int = parameter(8, "channels a beat, 1 to 64")
    x: Integer = parameter(Integer(32, signed=True), "format of the accumulators, signed")
    y: UnitFormat = parameter(Integer(8, signed=False), "format of the results: integers, powers of two or binary")
    m_width: int = parameter(16, "bits of the signed multiplier, 2 to 32")
    b_width: int = parameter(48, "bits of the signed addend at the scale of the product")

    operands = ("x", "m", "b", "s")
    results = ("y",)
    sizes = ("rows", "channels")

    def __post_init__(self):
        if not 1 <= self.lanes <= 64:
            raise InputError(f"lanes must be 1 to 64, not {self.lanes}")
        if not isinstance(self.x, Integer):
            raise InputError(f"x must be an integer format, not {self.x}")
        if not isinstance(self.y, Integer | Binary | PowerOfTwo):
            raise InputError(f"y must be integers, powers of two or binary, not {self.y}")
        self.spec

    @property
    def spec(self):
        """What is computed."""
        return RequantSpec(x=self.x, y=self.y, m_width=self.m_width, b_width=self.b_width)

    @property
    def boundaries(self):
        return dict.fromkeys(self.sizes, around(self.lanes))

    @property
    def throughput(self):
        return {"unit": "result", "per_cycle": self.lanes}

    def directed(self, rng, amount=1):
        draws = (self.stimulus(rng, rows=1, channels=16 * amount * self.lanes) for _ in range(2))
        return [rounding(rng, self.spec, operands, operands["x"][0]) for operands in draws]

    def component(self):
        return RequantPipeline(spec=self.spec, lanes=self.lanes)

    def parts(self):
        return {"lane": Lane(self.spec)}

    @property
    def latency(self):
        return REQUANT_LATENCY

    @property
    def flip_flops(self):
        return requant_flip_flops(self.spec, self.lanes)

    def check(self, operands):
        self.require(operands)
        x = self.x.check(operands["x"], "x")
        if x.ndim != 2 or 0 in x.shape:
            raise InputError(f"x must be a matrix with at least one row and column, not of shape {list(x.shape)}")
        m, b, s = self.spec.check_parameters(operands["m"], operands["b"], operands["s"])
        if m.size != x.shape[1]:
            raise InputError(f"x has {x.shape[1]} channels, its parameters have {m.size}")
        return {"x": x, "m": m, "b": b, "s": s}

    def golden(self, operands):
        return {"y": requant(self.spec, operands["x"], operands["m"], operands["b"], operands["s"])}

    def pack(self, operands):
        x = self.x.codes(operands["x"])
        groups = -(-x.shape[1] // self.lanes)
        x = np.pad(x, ((0, 0), (0, groups * self.lanes - x.shape[1])))
        x = x.reshape(len(x), groups, self.lanes).swapaxes(0, 1)
        p = parameter_beats(self.spec, operands["m"], operands["b"], operands["s"], self.lanes)
        return {"x": Beats.of_packets(x, self.x.width), "p": p}

    def beats(self, operands):
        rows, channels = operands["x"].shape
        return {"y": rows * -(-channels // self.lanes)}

    def unpack(self, operands, beats):
        rows, channels = operands["x"].shape
        [codes] = unpack_fields(beats["y"].data, self.lanes, self.y.width)
        return {"y": assemble(self.y.integers(codes), 1, -(-channels // self.lanes), rows, channels)}

    def cycles(self, operands):
        return requant_cycles(self.beats(operands)["y"])

    def stimulus(self, rng, rows=None, channels=None):
        rows = rng.integers(1, 12) if rows is None else rows
        channels = rng.integers(1, 3 * self.lanes) if channels is None else channels
        m, b, s = random_parameters(rng, self.spec, channels)
        x = random_integers(rng, self.x, (rows, channels)) >> rng.integers(0, self.x.width, (rows, channels))
        return {"x": x, "m": m, "b": b, "s": s}


def requant_flip_flops(spec, lanes):
    """One-bit registers of a `RequantPipeline`."""
    total = 1 if isinstance(spec.y, Binary) else spec.sum_width
    lane = spec.x.width + spec.m_width + spec.b_width + total + 2 * spec.s_width + spec.y.width
    return lanes * lane + 2 * RequantPipeline.latency


@dataclass(frozen=True, kw_only=True)
class SystolicRequant(SystolicGemm):
    """``y = requant(a @ w)``, tile by tile; see `SystolicLayer`. A tile takes one beat of parameters."""

    y: Integer = parameter(Integer(8, signed=False), "format of the results")
    m_width: int = parameter(16, "bits of the signed multiplier, 2 to 32")
    b_width: int = parameter(48, "bits of the signed addend at the scale of the product")

    operands = ("a", "w", "m", "b", "s")

    def __post_init__(self):
        super().__post_init__()
        if not isinstance(self.y, Integer):
            raise InputError(f"y must be an integer format, not {self.y}")
        self.requantisation

    @property
    def requantisation(self):
        """What is done with the sums."""
        x = Integer(self.acc_width, signed=True)
        return RequantSpec(x=x, y=self.y, m_width=self.m_width, b_width=self.b_width)

    def directed(self, rng, amount=1):
        draws = (self.stimulus(rng, m=1, n=16 * amount * self.cols) for _ in range(2))
        sums = ((operands, operands["a"][0] @ operands["w"]) for operands in draws)
        return [rounding(rng, self.requantisation, operands, x) for operands, x in sums]

    def component(self):
        return SystolicLayer(a=self.a, w=self.w, rows=self.rows, cols=self.cols, spec=self.requantisation)

    def parts(self):
        return super().parts() | {"lane": Lane(self.requantisation)}

    @property
    def latency(self):
        return super().latency + REQUANT_LATENCY

    @property
    def flip_flops(self):
        return super().flip_flops + requant_flip_flops(self.requantisation, self.cols)

    def check(self, operands):
        self.require(operands)
        checked = checked_matrices(self, operands)
        m, b, s = self.requantisation.check_parameters(operands["m"], operands["b"], operands["s"])
        if m.size != checked["w"].shape[1]:
            raise InputError(f"w has {checked['w'].shape[1]} columns, the parameters have {m.size}")
        return checked | {"m": m, "b": b, "s": s}

    def golden(self, operands):
        sums = super().golden(operands)["y"]
        return {"y": requant(self.requantisation, sums, operands["m"], operands["b"], operands["s"])}

    def pack(self, operands):
        parameters = (operands[key] for key in ("m", "b", "s"))
        down, _ = self.tiles(operands)
        return super().pack(operands) | {"p": parameter_beats(self.requantisation, *parameters, self.cols, down)}

    def unpack(self, operands, beats):
        [codes] = unpack_fields(beats["y"].data, self.cols, self.y.width)
        m, n = operands["a"].shape[0], operands["w"].shape[1]
        return {"y": assemble(self.y.integers(codes), *self.tiles(operands), m, n)}

    def cycles(self, operands):
        return super().cycles(operands) + REQUANT_LATENCY

    def stimulus(self, rng, **sizes):
        operands = super().stimulus(rng, **sizes)
        m, b, s = random_parameters(rng, self.requantisation, operands["w"].shape[1])
        reach = operands["a"].shape[1] * max(abs(limit) for limit in self.spec(1).products)
        scale = np.maximum(0, reach.bit_length() + self.m_width - 2 - self.y.width - rng.integers(0, 4, m.size))
        return operands | {"m": m, "b": b, "s": np.where(rng.random(m.size) < 0.7, scale, s)}
