"""Which systolic array runs a layer's matrix multiplication, and with what parameters and operands."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from golden.errors import InputError
from golden.formats import Binary, Codebook, Integer, PowerOfTwo, Ternary, UnitFormat
from rtl.gemm import SystolicGemm
from rtl.narrow_gemm import CodebookGemm, LogGemm, TtqGemm, XnorGemm
from rtl.targets import TARGETS, target

__all__ = ["USES", "gemm_target", "without_unit"]

USUAL = {Integer: 0, PowerOfTwo: None}  # exponents that names leave out


def without_unit(fmt):
    """An integer format or powers of two without the unit; any other format as it is."""
    return replace(fmt, exponent=USUAL[type(fmt)]) if type(fmt) in USUAL else fmt


def plain(call):
    """Parameters and operands of an array that takes the layer's matrices; signs and ternary activations as integers."""
    a = Integer(2, signed=True) if isinstance(call.spec.a, Binary | Ternary) else call.spec.a
    return {"a": a.name}, {"a": call.a, "w": call.w}


def signs(call):
    return {}, {"a": call.a, "w": call.w}


def logarithms(call):
    return {what: getattr(call.spec, what).name for what in "aw"}, {"a": call.a, "w": call.w}


def indices(call):
    """The weights' indices and the table. Entries that are not signed get a bit more."""
    fmt, (settings, operands) = call.spec.w, plain(call)
    entry = Integer(max(2, fmt.entry.width + (not fmt.entry.signed)), signed=True)
    table = {"w": fmt.codes(call.w), "t": np.array(fmt.table)}
    return settings | {"bits": fmt.width, "entry": entry.name}, operands | table


def masks(positive, negative):
    """The ternary weights of two masks over the same activations."""
    if positive.w.shape != negative.w.shape or np.any(positive.w & negative.w):
        raise InputError("positive and negative weights of an array with two sums must be masks that do not overlap")
    if not np.array_equal(positive.a, negative.a):
        raise InputError("the two sums of an array must be of the same activations")
    settings, operands = plain(positive)
    return settings, operands | {"w": positive.w.astype(np.int8) - negative.w.astype(np.int8)}


@dataclass(frozen=True)
class Use:
    """How layers come to an engine.

    Attributes
    ----------
    suits : callable
        (engine, spec) → whether it multiplies such operands.
    lowered : callable
        `GemmCall` of each node → parameters beside the array's size and accumulator, and operands.
    nodes : int
        How many nodes, of one input, it runs together: each of its results is one's.
    """

    suits: Callable
    lowered: Callable
    nodes: int = 1


def families(a, w):
    """A test of a layer for the families of its operands."""
    return lambda engine, spec: isinstance(spec.a, a) and isinstance(spec.w, w)


def weighs(engine, spec):
    """Whether weights of a layer are those of an engine, units aside, or narrower integers than its integers."""
    w, own = spec.w, engine.w
    narrower = isinstance(w, Integer) and isinstance(own, Integer) and own.lo <= w.lo and w.hi <= own.hi
    return narrower or without_unit(own) == without_unit(w)


USES = {  # the first that suits a layer is taken
    XnorGemm: Use(families(Binary, Binary), signs),
    LogGemm: Use(families(PowerOfTwo, PowerOfTwo), logarithms),
    CodebookGemm: Use(families(UnitFormat, Codebook), indices),
    SystolicGemm: Use(weighs, plain),
    TtqGemm: Use(lambda engine, spec: spec.w == Integer(1, signed=False), masks, nodes=2),
}


def gemm_target(spec, wanted=None):
    """The target that runs GEMMs of `spec`: the one `wanted`, or the first with such operands that runs one node alone.

    Raises
    ------
    InputError
        If there is none.
    """
    alone = [name for make, use in USES.items() if use.nodes == 1 for name, row in TARGETS.items() if row.make is make]
    names = alone if wanted is None else (wanted,)
    for name in names:
        row = target(name)
        if row.make in USES and USES[row.make].suits(row.engine(), spec):
            return name
    raise InputError(f"no target among {', '.join(names)} multiplies {spec.a} by weights of {spec.w}")
