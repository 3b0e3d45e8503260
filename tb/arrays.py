"""Which systolic array runs a layer's matrix multiplication, and with what parameters and operands."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from golden.errors import InputError
from golden.formats import Binary, Codebook, Integer, Minifloat, PowerOfTwo, Ternary, UnitFormat, fitting
from rtl.gemm import SystolicGemm
from rtl.narrow_gemm import CodebookGemm, LogGemm, TtqGemm, XnorGemm
from rtl.targets import TARGETS, target
from rtl.weight_gemm import IntegerGemm, MinifloatGemm, PowerGemm

__all__ = ["USES", "array_layer", "gemm_target", "without_unit"]

USUAL = {Integer: 0, PowerOfTwo: None}  # exponents that names leave out


def without_unit(fmt):
    """An integer format or powers of two without the unit; any other format as it is."""
    return replace(fmt, exponent=USUAL[type(fmt)]) if type(fmt) in USUAL else fmt


def plain(call):
    """Parameters and operands of an array that takes the layer's matrices; signs and ternary activations as integers."""
    a = Integer(2, signed=True) if isinstance(call.spec.a, Binary | Ternary) else call.spec.a
    return {"a": a.name}, {"a": call.a, "w": call.w}


def fitted(call):
    """As `plain`, for an array that is made for the format of the weights."""
    (settings, operands), w = plain(call), call.spec.w
    return settings | {"w": (fitting(w.lo, w.hi) if isinstance(w, Integer) else without_unit(w)).name}, operands


def signs(call):
    return {}, {"a": call.a, "w": call.w}


def logarithms(call):
    return {what: getattr(call.spec, what).name for what in "aw"}, {"a": call.a, "w": call.w}


def indices(call):
    """The weights' indices and the table. Entries that are not signed get a bit more."""
    fmt, (settings, operands) = call.spec.w, plain(call)
    table = {"w": fmt.codes(call.w), "t": np.array(fmt.table)}
    return settings | {"bits": fmt.width, "entry": fitting(fmt.entry.lo, fmt.entry.hi).name}, operands | table


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


def two_sums(engine, spec):
    """Whether a layer is half of one with two sums: a mask over integers or signs."""
    return spec.w == Integer(1, signed=False) and isinstance(spec.a, Integer | Binary | Ternary)


USES = {  # the first that suits a layer is taken
    XnorGemm: Use(families(Binary, Binary), signs),
    LogGemm: Use(families(PowerOfTwo, PowerOfTwo), logarithms),
    CodebookGemm: Use(families(UnitFormat, Codebook), indices),
    SystolicGemm: Use(lambda engine, spec: engine.w == spec.w, plain),
    IntegerGemm: Use(families(UnitFormat, Integer), fitted),
    PowerGemm: Use(families(UnitFormat, PowerOfTwo), fitted),
    MinifloatGemm: Use(families(UnitFormat, Minifloat), fitted),
    TtqGemm: Use(two_sums, masks, nodes=2),
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


def array_layer(name, calls):
    """Parameters, beside its size, and operands with which the array `name` runs the GEMMs `calls` together.

    An array's own formats may hold more than a layer's: signs are integers there, and a table's entries any. Where sums of
    these need more bits than the layer's accumulator has, it has as many.
    """
    settings, operands = USES[TARGETS[name].make].lowered(*calls)
    layer = calls[0].spec
    sums = target(name).engine(**settings, acc_width=64).spec(layer.k)
    return settings | {"acc_width": max(layer.accumulate.width, fitting(sums.lo, sums.hi).width)}, operands
