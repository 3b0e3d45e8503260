"""Arithmetic in floating point as engines: operands in, a result each out."""

from dataclasses import dataclass, field

import numpy as np
from amaranth import Cat, ClockSignal, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.errors import InputError
from golden.formats import Float, parse
from rtl.beats import Beats, pack_fields, unpack_fields
from rtl.blocks import place
from rtl.engine import Engine, around, parameter
from rtl.float_stimulus import boundary_tuples, random_codes
from rtl.float_unit import OPERATIONS, FloatUnit
from rtl.streams import packets

__all__ = ["FloatPipeline", "FloatStream"]


class FloatPipeline(wiring.Component):
    """``r = operation(x, y[, z])`` in each lane, ``stages + 1`` cycles later, a beat a cycle.

    The stages are those of `FloatUnit`, the one more is a register before the output. ``o.last`` comes out as ``r.last``. A
    beat of `r` that is not taken stops the whole pipeline.

    Parameters
    ----------
    operation, fmt, stages
        As of `FloatUnit`.
    lanes : int
        Results a beat.

    Attributes
    ----------
    o : In(stream)
        `lanes` structures of codes a beat: `x` in the low bits, then `y`, then `z`.
    r : Out(stream)
        `lanes` results a beat.
    """

    def __init__(self, *, operation, fmt, stages, lanes):
        unit = FloatUnit(operation=operation, fmt=fmt, stages=stages, registered=True)
        self.blocks, self.stages, self.lanes = {"unit": unit}, stages, lanes
        names = unit.operation.operands
        super().__init__(
            {
                "o": In(packets(data.ArrayLayout(data.StructLayout(dict.fromkeys(names, fmt.width)), lanes))),
                "r": Out(packets(data.ArrayLayout(len(unit.r), lanes))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        [(block, unit)] = self.blocks.items()
        latency, run = self.stages + 1, Signal()
        valid, last = Signal(latency, name="valid"), Signal(latency, name="last")
        m.d.comb += [
            run.eq(~valid[-1] | self.r.ready),
            self.o.ready.eq(run),
            self.r.valid.eq(valid[-1]),
            self.r.payload.last.eq(last[-1]),
        ]
        for i in range(self.lanes):
            found = Signal(len(unit.r), name=f"found_{i}")
            operands = {name: self.o.payload.data[i][name] for name in unit.operation.operands}
            m.submodules[f"unit_{i}"] = place(block, unit, clk=ClockSignal(), run=run, **operands, r=found)
            m.d.comb += self.r.payload.data[i].eq(found)
        with m.If(run):
            m.d.sync += [
                valid.eq(Cat(self.o.valid, valid)[:latency]),
                last.eq(Cat(self.o.payload.last, last)[:latency]),
            ]
        return m


@dataclass(frozen=True, kw_only=True)
class FloatStream(Engine):
    """``r[i] = operation(x[i], y[i][, z[i]])`` of arrays of codes, beat by beat; see `FloatPipeline`."""

    format: Float = parameter(parse("fp32"), "format of operands and result, with rules ieee or finite")
    stages: int = parameter(0, "pipeline stages inside a unit, 0 to 3 (multiply to 2, compare to 1)")
    lanes: int = parameter(1, "results a beat, 1 to 64")
    operation: str = field(default="fma")  # given by the target

    results = ("r",)
    sizes = ("values",)
    coded = True

    def __post_init__(self):
        if not isinstance(self.format, Float):
            raise InputError(f"format must be a float, not {self.format}")
        if not 1 <= self.lanes <= 64:
            raise InputError(f"lanes must be 1 to 64, not {self.lanes}")
        self.kind.check(self.format, self.stages)

    @property
    def kind(self):
        """The `Operation`."""
        return OPERATIONS[self.operation]

    @property
    def operands(self):
        return self.kind.operands

    @property
    def x(self):
        """Format of the operands."""
        return self.format

    y = z = x

    @property
    def boundaries(self):
        return {"values": around(self.lanes)}

    @property
    def throughput(self):
        return {"unit": "result", "per_cycle": self.lanes}

    def component(self):
        return FloatPipeline(operation=self.operation, fmt=self.format, stages=self.stages, lanes=self.lanes)

    def parts(self):
        return {"unit": FloatUnit(operation=self.operation, fmt=self.format, stages=self.stages)}

    @property
    def latency(self):
        return self.stages + 1

    @property
    def flip_flops(self):
        lane = self.kind.flip_flops(self.format, self.stages) + self.kind.width(self.format)
        return self.lanes * lane + 2 * self.latency

    def check(self, operands):
        self.require(operands)
        found = {key: self.checked(key, operands[key]) for key in self.operands}
        first = self.operands[0]
        for key, codes in found.items():
            if codes.ndim != 1 or not codes.size:
                raise InputError(f"{key} must be a vector that is not empty, not of shape {list(codes.shape)}")
            if codes.size != found[first].size:
                raise InputError(f"{first} and {key} must be as long as each other, not {found[first].size} and {codes.size}")
        return found

    def golden(self, operands):
        found = self.kind.compute(self.format, *(self.format.decode(operands[key]) for key in self.operands))
        return {"r": found if self.kind.flags else self.format.encode(found)}

    def beats(self, operands):
        return {"r": -(-operands["x"].size // self.lanes)}

    def pack(self, operands):
        beats = self.beats(operands)["r"]
        codes = (np.pad(operands[key], (0, beats * self.lanes - operands[key].size)) for key in self.operands)
        fields = pack_fields(*((part.reshape(beats, self.lanes), self.format.width) for part in codes))
        return {"o": Beats(fields, np.arange(1, beats + 1) == beats)}

    def unpack(self, operands, beats):
        [codes] = unpack_fields(beats["r"].data, self.lanes, self.kind.width(self.format))
        return {"r": codes.reshape(-1)[: operands["x"].size]}

    def cycles(self, operands):
        return self.beats(operands)["r"] + self.latency

    def stimulus(self, rng, values=None):
        values = rng.integers(1, 60) if values is None else values
        return dict(zip(self.operands, random_codes(self.format, rng, values, len(self.operands)), strict=True))

    def directed(self, rng, amount=1):
        """All tuples of zeros and some of all boundary cases; more of what `stimulus` draws."""
        columns = boundary_tuples(self.format, len(self.operands))
        zeros = np.flatnonzero(np.all([column % self.format.sign == 0 for column in columns], axis=0))
        chosen = np.concatenate([zeros, rng.permutation(columns[0].size)[: 60 * amount]])
        boundary = dict(zip(self.operands, (column[chosen] for column in columns), strict=True))
        return [boundary, self.stimulus(rng, values=150 * amount)]
