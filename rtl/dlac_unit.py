"""Arithmetic of DLAC's processing element: a fused multiply-adder or an adder with registers, and a comparison."""

from functools import cache

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.float_compare import float_compare
from rtl.float_unit import OPERATIONS, FloatUnit

__all__ = ["Greater", "Unit", "unit_flip_flops"]


class Unit(wiring.Component):
    """``x * y + z``, or without multiplier ``x + z``, ``latency - 1`` cycles later; one a cycle.

    Whoever keeps the result adds a cycle: it is there, to be an operand again, `latency` cycles later. The operands have
    registers if that is 2 or more; further ones cut the arithmetic (`rtl.float_unit`).

    Parameters
    ----------
    fmt : golden.formats.Float
    multiplies : bool
    latency : int
        1 to 5.

    Attributes
    ----------
    x, y, z : In
        Codes; `y` if it multiplies.
    result : Out
    """

    def __init__(self, *, fmt, multiplies, latency):
        self.fmt, self.latency = fmt, latency
        self.keys = "xyz" if multiplies else "xz"
        super().__init__({**{key: In(fmt.width) for key in self.keys}, "result": Out(fmt.width)})

    def elaborate(self, platform):
        m = Module()
        operation, stages = arithmetic_of("y" in self.keys, self.latency)
        m.submodules.arithmetic = arithmetic = FloatUnit(operation=operation, fmt=self.fmt, stages=stages)
        for key, port in zip(self.keys, arithmetic.operation.operands, strict=True):
            operand = getattr(self, key)
            if self.latency > 1:
                kept = Signal(self.fmt.width, name=f"{key}_kept", reset_less=True)
                m.d.sync += kept.eq(operand)
                operand = kept
            m.d.comb += getattr(arithmetic, port).eq(operand)
        m.d.comb += self.result.eq(arithmetic.r)
        return m


def arithmetic_of(multiplies, latency):
    """What is between the registers of a unit's operands and those of its result: operation and stages."""
    return "fma" if multiplies else "add", max(0, latency - 2)


@cache
def unit_flip_flops(fmt, multiplies, latency):
    """One-bit registers of a unit."""
    name, stages = arithmetic_of(multiplies, latency)
    return OPERATIONS[name].flip_flops(fmt, stages) + (3 if multiplies else 2) * fmt.width * (latency > 1)


class Greater(wiring.Component):
    """Whether `x` is greater than `y`, as numbers of `fmt`; NaN is neither. No latency."""

    def __init__(self, fmt):
        self.fmt = fmt
        super().__init__({"x": In(fmt.width), "y": In(fmt.width), "r": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.r.eq(float_compare(m, self.fmt, self.x, self.y)[2])
        return m
