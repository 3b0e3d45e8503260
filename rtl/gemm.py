"""GEMM on the systolic array: its parameters, beats, cycles and golden function."""

from abc import abstractmethod
from dataclasses import dataclass, field

import numpy as np

from golden.errors import InputError
from golden.formats import Integer, Minifloat, PowerOfTwo, Ternary, UnitFormat
from golden.gemm import Exact, GemmSpec, gemm
from golden.systolic import SystolicShape, systolic_cycles
from rtl.beats import Beats, unpack_fields
from rtl.engine import Engine, around, parameter
from rtl.pe import ProcessingElement
from rtl.sums import ExactSums
from rtl.systolic import SystolicArray

__all__ = ["ArrayGemm", "SystolicGemm", "assemble", "checked_matrices", "random_integers", "tile"]


def tile(a, w, shape):
    """Operands of every tile, k-step by k-step, tiles of one row of tiles after each other; code 0 fills partial tiles.

    Parameters
    ----------
    a, w : codes [M, K] and [K, N]
    shape : SystolicShape

    Returns
    -------
    codes [tiles, K, rows] and [tiles, K, cols]
    """
    down, across = shape.tiles(a.shape[0], w.shape[1])
    a = np.pad(a, ((0, down * shape.rows - a.shape[0]), (0, 0)))
    w = np.pad(w, ((0, 0), (0, across * shape.cols - w.shape[1])))
    a = a.reshape(down, 1, shape.rows, -1).swapaxes(2, 3)
    w = w.reshape(1, w.shape[0], across, shape.cols).swapaxes(1, 2)
    grid = (down, across)
    a, w = np.broadcast_to(a, grid + a.shape[2:]), np.broadcast_to(w, grid + w.shape[2:])
    return a.reshape(-1, *a.shape[2:]), w.reshape(-1, *w.shape[2:])


@dataclass(frozen=True, kw_only=True)
class ArrayGemm(Engine):
    """``y = a @ w``, tile by tile; see `SystolicArray` for its streams and `systolic_cycles` for its cycles."""

    rows: int = parameter(8, "rows of PEs: elements of a tile along M, 1 to 64")
    cols: int = parameter(8, "columns of PEs: elements of a tile along N, 1 to 64")

    operands = ("a", "w")
    results = ("y",)
    sizes = ("m", "k", "n")

    @property
    @abstractmethod
    def sums(self):
        """What a PE keeps: `rtl.sums`."""

    @abstractmethod
    def spec(self, k):
        """What a GEMM with sums of `k` products computes."""

    @abstractmethod
    def values(self, codes):
        """The results in codes of sums."""

    @property
    def shape(self):
        """Size of the array."""
        return SystolicShape(rows=self.rows, cols=self.cols)

    @property
    def boundaries(self):
        return dict.fromkeys(self.sizes, around(self.rows, self.cols))

    @property
    def throughput(self):
        return {"unit": "MAC", "per_cycle": self.rows * self.cols}

    def component(self):
        return SystolicArray(sums=self.sums, rows=self.rows, cols=self.cols)

    def parts(self):
        return {
            "pe": ProcessingElement(sums=self.sums),
            "pe_without_exit": ProcessingElement(sums=self.sums, exit=False),
        }

    @property
    def latency(self):
        return self.shape.latency

    @property
    def flip_flops(self):
        a, w, total = self.sums.a.width, self.sums.w.width, self.sums.width
        skew = a * self.rows * (self.rows - 1) // 2 + w * self.cols * (self.cols - 1) // 2
        deskew = total * self.cols * (self.cols - 1) // 2
        control = 2 + (self.rows - 1) + (self.rows + self.cols - 1)
        return self.rows * self.cols * (a + w + 1 + total) + skew + deskew + control

    def check(self, operands):
        self.require(operands)
        return checked_matrices(self, operands)

    def pack(self, operands):
        a, w = tile(*(self.codes(key, operands[key]) for key in ("a", "w")), self.shape)
        return {"a": Beats.of_packets(a, self.sums.a.width), "w": Beats.of_packets(w, self.sums.w.width)}

    def tiles(self, operands):
        """Tiles of the result: (along M, along N)."""
        return self.shape.tiles(operands["a"].shape[0], operands["w"].shape[1])

    def beats(self, operands):
        down, across = self.tiles(operands)
        return {"y": down * across * self.rows}

    def unpack(self, operands, beats):
        down, across = self.tiles(operands)
        [codes] = unpack_fields(beats["y"].data, self.cols, self.sums.width)
        return {"y": assemble(self.values(codes), down, across, operands["a"].shape[0], operands["w"].shape[1])}

    def cycles(self, operands):
        down, across = self.tiles(operands)
        return systolic_cycles(self.shape, np.full(down * across, operands["a"].shape[1]))


@dataclass(frozen=True, kw_only=True)
class SystolicGemm(ArrayGemm):
    """An `ArrayGemm` of integers, exact."""

    a: UnitFormat = parameter(
        Integer(8, signed=False), "format of the activations: integers, minifloats to 16 bits, powers of two with a zero"
    )
    acc_width: int = parameter(32, "bits of an accumulator, enough for one product to 64")
    w: UnitFormat = field(default=Ternary())  # given by the target

    def __post_init__(self):
        zero = isinstance(self.a, (Integer, Minifloat)) or isinstance(self.a, PowerOfTwo) and self.a.zero
        if not zero or self.a.width > 16:
            allowed = "integers, minifloats or powers of two with a zero, of up to 16 bits"
            raise InputError(f"a must be {allowed}, not {self.a}")
        if not 2 <= self.acc_width <= 64:
            raise InputError(f"acc_width must be 2 to 64, not {self.acc_width}")
        self.shape, self.spec(1)

    @property
    def sums(self):
        return ExactSums(self.a, self.w, self.acc_width)

    def spec(self, k):
        return GemmSpec(a=self.a, w=self.w, k=k, accumulate=Exact(self.acc_width))

    def values(self, codes):
        return Integer(self.acc_width, signed=True).integers(codes)

    def golden(self, operands):
        return {"y": gemm(self.spec(operands["a"].shape[1]), operands["a"], operands["w"])}

    def stimulus(self, rng, m=None, k=None, n=None):
        m = rng.integers(1, 3 * self.rows) if m is None else m
        n = rng.integers(1, 3 * self.cols) if n is None else n
        k = rng.integers(1, min(3 * self.rows, self.spec(1).longest) + 1) if k is None else k
        return {"a": random_integers(rng, self.a, (m, k)), "w": random_integers(rng, self.w, (k, n))}


def checked_matrices(engine, operands):
    """`a` and `w` of `operands`, if they are matrices with a common K, none empty, and every sum of `engine` fits."""
    a, w = (engine.checked(key, operands[key]) for key in ("a", "w"))
    for key, matrix in (("a", a), ("w", w)):
        if matrix.ndim != 2 or 0 in matrix.shape:
            raise InputError(f"{key} must be a matrix that is not empty, not of shape {list(matrix.shape)}")
    if a.shape[1] != w.shape[0]:
        raise InputError(f"a [M, K] and w [K, N] must share K, not {list(a.shape)} and {list(w.shape)}")
    engine.spec(a.shape[1])
    return {"a": a, "w": w}


def assemble(rows, down, across, m, n):
    """The matrix [m, n] whose tiles' rows, one after the other, are `rows` [tiles * rows a tile, cols]."""
    grid = rows.reshape(down, across, -1, rows.shape[1]).swapaxes(1, 2)
    return grid.reshape(down * grid.shape[1], -1)[:m, :n]


def random_integers(rng, fmt, shape):
    """Uniform codes of `fmt` that it emits, as integers; a quarter of them are its limits."""
    if isinstance(fmt, Integer):
        values = rng.integers(fmt.lo, fmt.hi, shape, endpoint=True)
    elif isinstance(fmt, Minifloat):
        values = fmt.integers(rng.integers(0, fmt.top, shape, endpoint=True)) * rng.choice([-1, 1], shape)
    else:
        values = rng.choice(fmt.values(), shape)
    limits = rng.choice([fmt.lo, fmt.hi], shape)
    return np.where(rng.random(shape) < 0.25, limits, values)
