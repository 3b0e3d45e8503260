"""A unit of floating-point arithmetic with as many pipeline stages as wanted."""

from collections.abc import Callable
from dataclasses import dataclass

from amaranth import Module, Signal
from amaranth.hdl import Fragment
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden import float_arithmetic as golden
from golden.errors import InputError
from rtl.float_add import ADD_CUTS, float_add
from rtl.float_compare import COMPARE_CUTS, float_compare
from rtl.float_fma import FMA_CUTS, MULTIPLY_CUTS, float_fma, float_multiply
from rtl.float_parts import supported
from rtl.stages import Cuts

__all__ = ["OPERATIONS", "FloatUnit", "Operation"]


@dataclass(frozen=True)
class Operation:
    """What a unit does.

    Attributes
    ----------
    build : callable
        ``build(m, fmt, *operands, cut=...)``: the result's code.
    cuts : tuple of str
        Places where it can be cut into stages, the most useful one first.
    operands : tuple of str
    compute : callable
        ``compute(fmt, *operands)``: golden's result, of numbers.
    flags : int
        Bits of a result that is no number; 0 if it is one.
    """

    build: Callable
    cuts: tuple
    operands: tuple
    compute: Callable
    flags: int = 0

    def width(self, fmt):
        """Bits of a result."""
        return self.flags or fmt.width

    def logic(self, fmt, stages, codes):
        """A module with the result of operands `codes`, the result, and how many one-bit registers there are."""
        m, cuts = Module(), Cuts(self.cuts, stages)
        return m, self.build(m, fmt, *codes, cut=cuts), cuts.flip_flops

    def flip_flops(self, fmt, stages):
        """One-bit registers of a unit."""
        m, _, count = self.logic(fmt, stages, [Signal(fmt.width) for _ in self.operands])
        Fragment.get(m, None)  # Amaranth complains of logic that nobody used
        return count

    def check(self, fmt, stages):
        """Refuse, with an `InputError`, a format or a number of stages that a unit cannot have."""
        supported(fmt)
        if not 0 <= stages <= len(self.cuts):
            raise InputError(f"stages must be 0 to {len(self.cuts)}, not {stages}")


OPERATIONS = {
    "add": Operation(float_add, ADD_CUTS, ("x", "y"), golden.add),
    "multiply": Operation(float_multiply, MULTIPLY_CUTS, ("x", "y"), golden.multiply),
    "fma": Operation(float_fma, FMA_CUTS, ("x", "y", "z"), golden.fma),
    "compare": Operation(float_compare, COMPARE_CUTS, ("x", "y"), golden.compare, flags=3),
}


class FloatUnit(wiring.Component):
    """``r = operation(x, y[, z])`` of codes of one float format, `stages` cycles later, or one more; a result a cycle.

    Parameters
    ----------
    operation : str
        A key of `OPERATIONS`.
    fmt : golden.formats.Float
        Of at least 2 exponent bits, with rules "ieee" or "finite".
    stages : int
        Registers on the way, 0 (none at all) to the number of the operation's cuts: 3, of a product 2, of a comparison 1.
        `Operation.check` refuses others.
    registered : bool
        Whether there is one more register, before `r`.

    Attributes
    ----------
    x, y, z : In
        Codes.
    r : Out
        A code, or of a comparison three flags: less, equal, greater.
    """

    def __init__(self, *, operation, fmt, stages=0, registered=False):
        self.operation, self.fmt, self.stages, self.registered = OPERATIONS[operation], fmt, stages, registered
        ports = dict.fromkeys(self.operation.operands, In(fmt.width))
        super().__init__(ports | {"r": Out(self.operation.width(fmt))})

    def elaborate(self, platform):
        codes = (getattr(self, name) for name in self.operation.operands)
        m, found, _ = self.operation.logic(self.fmt, self.stages, codes)
        if self.registered:
            kept = Signal.like(self.r, name="result", reset_less=True)
            m.d.sync += kept.eq(found)
            found = kept
        m.d.comb += self.r.eq(found)
        return m
