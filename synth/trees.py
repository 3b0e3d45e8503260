"""The area of the MAC tree that computes a layer."""

from dataclasses import replace

from golden.formats import Integer, PowerOfTwo
from rtl.targets import target
from rtl.verilog import emit
from synth.flow import map_design
from synth.library import find

__all__ = ["engine", "tree_area"]

WIDEST_BIAS = 48  # bits, of dynamic fixed point


def engine(spec, lanes):
    """The registry row and the engine of a MAC tree for sums of `spec`, a `golden.mac.MacSpec`.

    Integers of which weights, biases and results share one unit are fixed point, others dynamic fixed point, whose
    units come at run time.
    """
    formats = {what: getattr(spec, what) for what in ("a", "w", "bias", "y")}
    settings = {"lanes": lanes, "relu": int(spec.relu), "longest": spec.k}
    others = all(isinstance(formats[what], Integer) for what in ("a", "bias", "y"))
    if not others or not isinstance(spec.w, Integer | PowerOfTwo):
        row = "mac_tree_minifloat"
        settings |= {} if spec.accumulate == "exact" else {"accumulate": spec.accumulate}
    elif spec.w.exponent == spec.bias.exponent == spec.y.exponent:
        row = "mac_tree_fixed"
    else:
        row = "mac_tree_pow2" if isinstance(spec.w, PowerOfTwo) else "mac_tree_dfp"
        width = min(max(2, spec.bias.width + spec.bias_up), WIDEST_BIAS)  # in the unit of the total
        formats |= {"a": replace(spec.a, exponent=0), "bias": Integer(width, True), "y": replace(spec.y, exponent=0)}
        if row == "mac_tree_dfp":
            formats["w"] = replace(spec.w, exponent=0)
    return target(row), target(row).engine(**settings, **formats)


def tree_area(spec, lanes):
    """The area of a MAC tree of `lanes` for sums of `spec`, without AXI ports, in gate equivalents."""
    row, built = engine(spec, lanes)
    library = find()
    mapped = map_design(emit(built.component(), row.name), row.name, library, ("area",))["area"]
    return library.area(mapped.cells) / library.gate_equivalent
