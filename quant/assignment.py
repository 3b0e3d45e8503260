"""Which number has which format: the outcome of a search, what a simulation and an export start from."""

import math
from dataclasses import dataclass, field, replace

import numpy as np

from golden.errors import InputError
from golden.formats import Integer

__all__ = ["ROUNDING", "Assignment", "formats", "pixel_format", "unify"]

ROUNDING = ("conv", "dense", "add", "average_pool", "lrn")  # operations whose results round; others pass formats on


@dataclass(frozen=True)
class Assignment:
    """Formats of a graph's numbers; what has none stays float.

    Parameters
    ----------
    outputs : dict
        Tensor → UnitFormat, for tensors that round: what the operations `ROUNDING` make, and an input of reals. An
        input of uint8 pixels has a format anyway, relu, max_pool, flatten and concat pass on that of their input.
    weights, biases : dict
        Operation → UnitFormat.
    """

    outputs: dict = field(default_factory=dict)
    weights: dict = field(default_factory=dict)
    biases: dict = field(default_factory=dict)

    def check(self, graph):
        """Refuse formats of what `graph` does not have, or of what does not round, and those that lack a zero they need.

        Raises
        ------
        InputError
            Naming the first of them.
        """
        rounding = {op.name for op in graph.ops if op.op in ROUNDING}
        allowed = {
            "outputs": rounding if graph.unit is not None else rounding | {graph.input},
            "weights": {op.name for op in graph.ops if op.weight is not None},
            "biases": {op.name for op in graph.ops if op.bias is not None},
        }
        for what, names in allowed.items():
            if unknown := sorted(set(getattr(self, what)) - names):
                raise InputError(f"{what} of {unknown[0]!r} cannot have a format; allowed: {', '.join(sorted(names))}")
        for op in graph.ops:
            fmt = self.weights.get(op.name)
            if fmt is not None and op.present is not None and not fmt.holds(np.int64(0)):
                raise InputError(
                    f"weights of {op.name!r} have groups, dilation or padding on one side, and need a format with a zero, "
                    f"such as pow2z_4; {fmt} has none"
                )

    def missing(self, graph):
        """What of `graph` has no format, in words: [] if the assignment is complete."""
        found = []
        if graph.unit is None and graph.input not in self.outputs:
            found.append(f"outputs of {graph.input}")
        for op in graph.ops:
            if op.weight is not None and op.name not in self.weights:
                found.append(f"weights of {op.name}")
            if op.bias is not None and op.name not in self.biases:
                found.append(f"biases of {op.name}")
            if op.op in ROUNDING and op.name not in self.outputs:
                found.append(f"outputs of {op.name}")
        return found


def pixel_format(unit):
    """The format of uint8 pixels of a unit that is a power of two; of another, None."""
    fraction, exponent = math.frexp(unit)
    return Integer(8, signed=False, exponent=exponent - 1) if fraction == 0.5 else None


def formats(graph, assignment):
    """Tensor → its format; None if it is float, or joins tensors of several formats."""
    found = {graph.input: assignment.outputs.get(graph.input)}
    if graph.unit is not None:
        found[graph.input] = pixel_format(graph.unit)
    for op in graph.ops:
        if op.op in ROUNDING:
            found[op.name] = assignment.outputs.get(op.name)
        else:
            passed = {found[name] for name in op.inputs}
            found[op.name] = passed.pop() if len(passed) == 1 else None
    return found


def unify(graph, assignment):
    """`assignment` with one format for all tensors that are concatenated: that of the coarsest unit among them.

    Tensors belong together through any number of concatenations, and through relu, max_pool and flatten on the way.

    Raises
    ------
    InputError
        If some of them are float and others not, their formats differ in more than the unit, or raw pixels, whose
        format is given, are among them.
    """
    sources = {graph.input: {graph.input}}
    together = {}  # tensor that rounds → all that share its format
    for op in graph.ops:
        sources[op.name] = {op.name} if op.op in ROUNDING else set().union(*(sources[name] for name in op.inputs))
        if op.op == "concat":
            one = set().union(*(together.get(name, {name}) for name in sources[op.name]))
            together |= dict.fromkeys(one, one)
    known, outputs = formats(graph, assignment), dict(assignment.outputs)
    for name, names in together.items():
        found = {known[other] for other in names}
        if len(found) > 1:
            if graph.unit is not None and graph.input in names:
                raise InputError(f"raw pixels cannot share a format with {', '.join(sorted(names - {graph.input}))}")
            outputs[name] = coarsest(names, found)
    return replace(assignment, outputs=outputs)


def coarsest(names, found):
    """The format of the coarsest unit of the formats `found`."""
    best = max(found, key=lambda fmt: -10_000 if fmt is None else fmt.exponent)
    for fmt in found:
        if not isinstance(fmt, Integer) or replace(fmt, exponent=best.exponent) != best:
            listed = ", ".join(sorted(str(fmt) for fmt in found))
            raise InputError(
                f"{', '.join(sorted(names))} are concatenated; formats must differ in unit alone: {listed}"
            )
    return best
