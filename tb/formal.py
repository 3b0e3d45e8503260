"""Proofs about components: assertions that hold in every cycle, for so many of them or for ever."""

import tempfile
from pathlib import Path

from amaranth import Module, ResetSignal, Signal, Value
from amaranth.back import rtlil
from amaranth.hdl import Assert, Assume

from tb.mutate import yosys

__all__ = ["Property", "holds", "stream_rules"]

SCRIPT = """\
read_rtlil design.il
hierarchy -top top
proc
flatten
chformal -lower
opt_clean
setattr -unset init w:*
opt_expr
opt_merge
opt_clean
sat -verify -prove-asserts -set-assumes -set-init begun 0 {steps} top
"""
ENDS = ("proof did fail", "Reached maximum number of time steps", "no end within")  # of a proof that does not succeed


class Property:
    """A module to which components and assertions are added.

    Registers begin with any value; the first cycle is one of reset, and no other is.

    Attributes
    ----------
    m : Module
    begun : Signal
        The first cycle is over.
    """

    def __init__(self):
        self.m, self.inputs = Module(), []
        self.begun = Signal(name="begun", reset_less=True)
        self.m.d.sync += self.begun.eq(1)
        self.m.d.comb += Assume(ResetSignal() == ~self.begun)

    def add(self, name, component):
        """Put `component` in. What its inputs are is for the caller to say: `free` or driven."""
        self.m.submodules[name] = component
        return component

    def free(self, *signals):
        """Let inputs of components take any value in any cycle."""
        self.inputs += [Value.cast(signal) for signal in signals]

    def anything(self, shape, name):
        """An input."""
        signal = Signal(shape, name=name)
        self.inputs.append(signal)
        return signal

    def constant(self, shape, name):
        """Any value, the same in all cycles."""
        signal = Signal(shape, name=name, reset_less=True)
        self.m.d.sync += signal.eq(signal)
        return signal

    def require(self, condition):
        """Assert that `condition` is true in each cycle but the first."""
        self.m.d.comb += Assert(condition | ~self.begun)

    def suppose(self, condition):
        """Assume that it is."""
        self.m.d.comb += Assume(condition | ~self.begun)


def stream_rules(property, stream, name):
    """Require that a beat of an output, once there, stays as it is until it is taken."""
    waits = Signal(name=f"{name}_waits")
    payload = Value.cast(stream.payload)
    held = Signal(len(payload), name=f"{name}_held")
    property.m.d.sync += [waits.eq(stream.valid & ~stream.ready), held.eq(payload)]
    property.require(~waits | (stream.valid & (payload == held)))


def holds(property, *, cycles=None, induction=None, timeout=None):
    """Whether the assertions of a `Property` hold: in the first `cycles`, or for ever by `induction` over as many.

    An induction that fails says nothing but that so many cycles are too few, and so does the end of `timeout` seconds.
    The solver is that of Yosys (``sat``).
    """
    steps = f"-tempinduct-baseonly -maxsteps {cycles}" if cycles else f"-tempinduct -maxsteps {induction}"
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        text = rtlil.convert(property.m, name="top", ports=property.inputs, emit_src=False)
        (folder / "design.il").write_text(text)
        proven, output = yosys(SCRIPT.format(steps=steps), folder, timeout)
    if not proven and not any(end in output for end in ENDS):
        raise RuntimeError(f"Yosys failed:\n{output[-2000:]}")
    return proven
