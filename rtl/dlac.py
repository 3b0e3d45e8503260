"""Matrix products and pointwise operations on the grid of DLAC: its parameters, beats, cycles and golden function."""

from dataclasses import dataclass, field

import numpy as np

from golden import dlac
from golden.dlac_grid import SKIPS, GridShape, tiled
from golden.dlac_program import (
    ADD,
    ALL,
    BUFFER,
    FIELDS,
    IMMEDIATE,
    KINDS,
    LOAD,
    MADD,
    NOP,
    OPS,
    SEL,
    STREAM,
    SUB,
    TABLE,
    Instruction,
    check_program,
    streams,
)
from golden.dlac_layers import batch_norm, combine, rectify, residual
from golden.errors import InputError
from golden.formats import Float, Format, Ternary, parse
from rtl.beats import Beats, pack_fields, unpack_fields
from rtl.dlac_control import control_flip_flops
from rtl.dlac_grid import DlacGrid
from rtl.dlac_lane import Lane
from rtl.dlac_pe import DlacElement, Entry, element_flip_flops
from rtl.dlac_unit import Unit
from rtl.engine import Engine, around, checked_codes, parameter
from rtl.float_parts import supported
from rtl.float_stimulus import boundary_codes, random_codes

__all__ = ["Dlac"]


@dataclass(frozen=True, kw_only=True)
class Dlac(Engine):
    """``y = program(a @ w)``; see `DlacGrid` for its streams, `golden.dlac` for its results and cycles.

    Operands are codes: `a` [M, K] and `w` [K, N], of ternary weights integers; `i`, the program of every tile, as rows of
    `golden.dlac_program.Instruction.fields`; `v` [tiles, beats, cols * filters], the words that it takes. Without `i` and
    `v` there is no pointwise operation. Results are the codes `y` [M, N] and the flags `e` of every tile.
    """

    rows: int = parameter(2, "rows of PEs, 1 to 64 (16 of DLAC)")
    cols: int = parameter(2, "columns of PEs, 1 to 64 (16 of DLAC)")
    pixels: int = parameter(4, "elements of a PE's tile along M, 1 to 8")
    filters: int = parameter(4, "elements of a PE's tile along N, 1 to 8")
    units: int = parameter(2, "arithmetic units of a PE, 1 to its elements")
    depth: int = parameter(14, "activations that wait in a lane of a PE, 1 to 16, times filters up to 64")
    adder_latency: int = parameter(3, "cycles from the issue of a product to its sum, 1 to 5")
    skip: str = parameter("both", "operands whose zeros are skipped", SKIPS)
    a: Format = parameter(parse("fp32"), "format of activations and sums: floats by the rules ieee or finite")
    w: Format = parameter(Ternary(), "format of the weights: ternary, or that of the activations")
    halves: bool = field(default=False)  # whether half of the units only add, given by the target

    operands = ("a", "w", "i", "v")
    shaped = ("a", "w")
    results = ("y", "e")
    sizes = ("m", "k", "n")

    def __post_init__(self):
        if not isinstance(self.a, Float):
            raise InputError(f"a must be a float by the rules ieee or finite, not {self.a}")
        supported(self.a)
        if self.w not in (Ternary(), self.a):
            raise InputError(f"w must be ternary or {self.a}, not {self.w}")
        self.shape  # refuses what cannot work

    @property
    def shape(self):
        """Size of the grid."""
        sizes = ("rows", "cols", "pixels", "filters", "units", "depth", "skip")
        return GridShape(
            **{name: getattr(self, name) for name in sizes},
            adder_latency=self.adder_latency,
            adders=self.units // 2 if self.halves else 0,
            ternary=isinstance(self.w, Ternary),
        )

    @property
    def boundaries(self):
        return {"m": around(self.shape.tile_rows), "k": around(self.depth), "n": around(self.shape.tile_cols)}

    @property
    def throughput(self):
        return {"unit": "MAC", "per_cycle": self.rows * self.cols * self.shape.issue}

    def component(self):
        return DlacGrid(shape=self.shape, fmt=self.a)

    def parts(self):
        shape, entry = self.shape, Entry(self.shape, self.a)
        unit = dict(fmt=self.a, latency=self.adder_latency)
        lane = Lane(depth=self.depth, width=entry.width, filters=self.filters, masked=entry.masked)
        found = {"pe": DlacElement(shape=shape, fmt=self.a), "lane": lane, "fma": Unit(**unit, multiplies=True)}
        return found | ({"adder": Unit(**unit, multiplies=False)} if shape.adders else {})

    @property
    def latency(self):
        """From the last issue of an instruction to the last line of results."""
        return self.adder_latency + self.shape.tile_rows - 1

    @property
    def flip_flops(self):
        shape = self.shape
        table = shape.tile_cols * self.a.width
        return shape.rows * shape.cols * element_flip_flops(shape, self.a) + control_flip_flops(shape, self.a) + table

    def check(self, operands):
        empty = np.zeros((1, 0, self.shape.tile_cols), np.int64)
        operands = {"i": dlac.NOTHING, "v": empty} | operands
        self.require(operands)
        found = {"a": checked_codes(self.a, operands["a"], "a")}
        w = operands["w"]
        found["w"] = self.w.check(w, "w") if self.shape.ternary else checked_codes(self.w, w, "w")
        for key, matrix in found.items():
            if matrix.ndim != 2 or 0 in matrix.shape:
                raise InputError(f"{key} must be a matrix that is not empty, not of shape {list(matrix.shape)}")
        if found["a"].shape[1] != found["w"].shape[0]:
            shapes = " and ".join(str(list(matrix.shape)) for matrix in found.values())
            raise InputError(f"a [M, K] and w [K, N] must share K, not {shapes}")
        found["i"] = check_program(self.shape, self.a, operands["i"])
        found["v"] = checked_codes(self.a, operands["v"], "v")
        wanted = (self.tiling(found).count, sum(map(streams, found["i"].tolist())), self.shape.tile_cols)
        if found["v"].size == 0 and 0 in wanted:
            found["v"] = found["v"].reshape(wanted)
        if found["v"].shape != wanted:
            raise InputError(f"v must be of shape {list(wanted)}, not {list(found['v'].shape)}")
        return found

    def tiling(self, operands):
        """How results lie in tiles."""
        return dlac.Tiling(self.shape, operands["a"].shape[0], operands["w"].shape[1])

    def tiles(self, operands):
        """Tiles of the result: (along M, along N)."""
        return self.tiling(operands).grid

    def numbers(self, operands):
        """The numbers of `a` and `w`."""
        w = operands["w"]
        return self.a.decode(operands["a"]), w if self.shape.ternary else self.w.decode(w)

    def golden(self, operands):
        words = self.a.decode(operands["v"])
        y, flags = dlac.run(self.shape, self.a, *self.numbers(operands), operands["i"], words)
        return {"y": self.a.encode(y), "e": flags}

    def cycles(self, operands):
        return int(dlac.cycles(self.shape, *self.numbers(operands), operands["i"]).sum())

    def pack(self, operands):
        w = self.w.codes(operands["w"]) if self.shape.ternary else operands["w"]
        a, w = tiled(self.shape, operands["a"], w)
        grid = (len(a), len(w))
        a, w = np.broadcast_to(a[:, None], grid + a.shape[1:]), np.broadcast_to(w, grid + w.shape[1:])
        tiles = grid[0] * grid[1]
        beats = {
            "a": Beats.of_packets(a.reshape(tiles, *a.shape[2:]), self.a.width),
            "w": Beats.of_packets(w.reshape(tiles, *w.shape[2:]), 2 if self.shape.ternary else self.w.width),
        }
        program = np.tile(operands["i"], (tiles, 1))[:, :, None]
        widths = (*FIELDS.values(), self.a.width)
        last = np.arange(1, len(program) + 1) % len(operands["i"]) == 0
        beats["i"] = Beats(pack_fields(*((program[:, f], width) for f, width in enumerate(widths))), last)
        words = operands["v"].reshape(-1, self.shape.tile_cols)
        return beats | {"v": Beats(pack_fields((words, self.a.width)), np.ones(len(words), bool))}

    def beats(self, operands):
        tiles = self.tiling(operands).count
        return {"y": tiles * self.shape.tile_rows, "e": tiles}

    def unpack(self, operands, beats):
        [y] = unpack_fields(beats["y"].data, self.shape.tile_cols, self.a.width)
        [flags] = unpack_fields(beats["e"].data, 1, 2)
        return {"y": self.tiling(operands).join(y), "e": flags[:, 0]}

    def stimulus(self, rng, m=None, k=None, n=None, program=True):
        """Operands with zeros, few or many, seldom with what is not finite; a program of any instructions."""
        m = rng.integers(1, 2 * self.shape.tile_rows + 2) if m is None else m
        n = rng.integers(1, 2 * self.shape.tile_cols + 2) if n is None else n
        k = rng.integers(1, 3 * self.depth) if k is None else k
        operands = {"a": self.random_codes(rng, (m, k)), "w": self.random_weights(rng, (k, n))}
        operands["i"] = self.random_program(rng) if program else np.array(dlac.NOTHING)
        shape = (self.tiling(operands).count, sum(map(streams, operands["i"].tolist())), self.shape.tile_cols)
        return operands | {"v": self.random_codes(rng, shape, zeros=0.1)}

    def random_codes(self, rng, shape, zeros=None):
        """Codes of numbers near 1, of zeros of both signs, more of them in some rows or columns, and seldom of any."""
        if zeros is None:
            along = (shape[0], 1) if rng.random() < 0.5 else (1, shape[1])
            zeros = rng.choice([0, 0.2, 0.6, 0.9], along if rng.random() < 0.7 else (1, 1))
        x = self.a.encode(rng.normal(size=shape) * 2.0 ** rng.integers(-3, 4, shape)).astype(np.int64)
        share = rng.random(shape)
        x = np.where(share < zeros, rng.choice([0, self.a.sign], shape), x)
        return np.where(rng.random(shape) < rng.choice([0, 0, 0.01]), rng.integers(0, 2 * self.a.sign, shape), x)

    def random_weights(self, rng, shape):
        if not self.shape.ternary:
            return self.random_codes(rng, shape)
        share = rng.choice([0.3, 0.6, 1], (1, shape[1]) if rng.random() < 0.7 else (1, 1))
        return rng.integers(-1, 2, shape) * (rng.random(shape) < share)

    def random_program(self, rng):
        """Any legal instructions, up to six."""
        shape, rows = self.shape, []
        for _ in range(rng.integers(1, 7)):
            d, s = rng.integers(0, shape.pixels, 2)
            row = rng.choice([ALL, rng.integers(0, shape.rows)])
            immediate = self.random_codes(rng, (), zeros=0.1)
            rows.append([rng.choice(OPS), *rng.choice(KINDS, 3), d, s, row, immediate])
        if any(TABLE in row[1:4] for row in rows):
            rows.insert(0, Instruction(op=LOAD).fields)
        return np.array(rows, np.int64)

    def directed(self, rng, amount=1):
        """Numbers of all kinds; layers as networks have them; dense and empty tiles; one pixel or filter alone."""
        rows, cols = self.shape.tile_rows, self.shape.tile_cols
        for _ in range(amount):
            for op in (ADD, SUB, MADD, SEL):
                yield self.any_numbers(rng, op, 3 * rows, cols)
            yield self.layer(rng, rows + 1, cols + 1)
            for share_a, share_w in ((1, 1), (0, 1), (1, 0)):
                operands = self.stimulus(rng, m=rows, k=self.depth + 3, n=cols, program=False)
                one = int(self.a.encode(1.0))
                operands["a"] = np.where(operands["a"] % self.a.sign, operands["a"], one) * share_a
                full = 1 if self.shape.ternary else one
                yield operands | {"w": np.where(operands["w"] % self.a.sign, operands["w"], full) * share_w}
            for some in (2, 3):  # lanes and filters of unequal work
                operands = self.stimulus(rng, m=2 * rows, k=6 * self.depth, n=2 * cols, program=False)
                seldom = rng.random(operands["a"].shape) < 0.15
                operands["a"] = np.where((np.arange(2 * rows)[:, None] % some == 0) | seldom, operands["a"], 0)
                yield operands
            for key, axis in (("a", 0), ("w", 1)):
                operands = self.stimulus(rng, m=rows, k=4 * self.depth, n=cols, program=False)
                alone = np.zeros_like(operands[key])
                index = [slice(None), slice(None)]
                index[axis] = rng.integers(0, operands[key].shape[axis])
                alone[tuple(index)] = 1 if key == "w" and self.shape.ternary else int(self.a.encode(1.5))
                yield operands | {key: alone}

    def any_numbers(self, rng, op, m, n):
        """An operation on numbers of all kinds that meet, put into the buffers of every line by themselves."""
        shape, program, columns = self.shape, [], 2 if op in (ADD, SUB) else 3
        operands = {"a": rng.choice(boundary_codes(self.a), (m, 1))}
        w = rng.choice([-1, 1], (1, n)) if shape.ternary else rng.choice(boundary_codes(self.a), (1, n))
        operands |= {"w": w}
        for row in range(shape.rows):
            for d in range(shape.pixels):
                kinds = rng.permutation([BUFFER, TABLE, STREAM])[:columns].tolist()
                bound = int(rng.choice(boundary_codes(self.a) if rng.random() < 0.5 else [0, self.a.sign]))
                put = Instruction(op=SEL, v2=STREAM, v3=STREAM, d=d, row=row)
                does = Instruction(op=op, **{f"v{i + 1}": kind for i, kind in enumerate(kinds)}, d=d, row=row, immediate=bound)
                program += [(put, BUFFER, kinds, bound), (Instruction(op=LOAD), TABLE, kinds, bound), (does, STREAM, kinds, bound)]
        tiles, size = self.tiling(operands).count, shape.tile_cols
        words = []
        for start in range(0, len(program), 3):
            kinds, bound = program[start][2:]
            drawn = random_codes(self.a, rng, tiles * size, columns)
            if op == SEL:  # the first is what is compared
                near = (bound + rng.integers(-1, 2, tiles * size)) % (2 * self.a.sign)
                near ^= rng.choice([0, self.a.sign], tiles * size)  # as zeros of both signs are
                limits = rng.choice(boundary_codes(self.a), tiles * size)
                drawn[0] = np.where(rng.random(tiles * size) < 0.5, near, limits)
            of = dict(zip(kinds, drawn)) | {kind: drawn[0] for kind in (BUFFER, TABLE, STREAM) if kind not in kinds}
            words += [of[kind].reshape(tiles, 1, size) for _, kind, *_ in program[start : start + 3]]
        takes = [streams(instruction.fields) for instruction, *_ in program]
        operands["v"] = np.concatenate([word for word, taken in zip(words, takes) if taken], axis=1)
        return operands | {"i": np.array([instruction.fields for instruction, *_ in program])}

    def layer(self, rng, m, n):
        """A layer with batch normalisation, shortcut and rectifier, and an update."""
        operands, shape = self.stimulus(rng, m=m, n=n, program=False), self.shape
        gamma, beta, x = (self.a.decode(self.random_codes(rng, size, 0)) for size in (n, n, (m, n)))
        program = batch_norm(shape, gamma, beta) + residual(shape, x) + rectify(shape, self.a, 0.25)
        program += combine(shape, self.a, -0.5, x)
        return operands | {"i": program.rows, "v": self.a.encode(program.words(shape, m, n)).astype(np.int64)}

