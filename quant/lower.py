"""A graph whose numbers all have formats, as golden's network of integers."""

from dataclasses import replace

import numpy as np

from golden.builder import Builder
from golden.elementwise import AddSpec
from golden.errors import InputError
from golden.formats import Integer, fitting
from golden.requant import RequantSpec, fold_affine
from quant.assignment import formats

__all__ = ["aligned", "averaged", "bias_format", "check", "lower"]

WIDEST_SUM = 62  # bits
WIDEST_FACTOR = 32


def check(graph, assignment):
    """Tensor → format, if every number of `graph` has one.

    Raises
    ------
    InputError
        If one has none, tensors that are concatenated differ in format, or the graph is not folded.
    """
    for op in graph.ops:
        if op.op == "batch_norm":
            raise InputError(f"batch_norm {op.name!r} must be folded before numbers get formats: quant.fold")
    assignment.check(graph)
    if missing := assignment.missing(graph):
        raise InputError(f"every number of an exported network needs a format; {missing[0]} have none")
    found = formats(graph, assignment)
    if found[graph.input] is None:
        raise InputError(f"unit of the pixels must be a power of two, not {graph.unit}: quant.fold")
    for op in graph.ops:
        if op.op == "concat" and len({found[name] for name in op.inputs}) > 1:
            listed = ", ".join(f"{name} {found[name]}" for name in op.inputs)
            raise InputError(f"inputs of concat {op.name!r} must have one format, not {listed}: quant.assignment.unify")
    return found


def bias_format(op, x, assignment):
    """The format of the bias of `op` on inputs of format `x`; where it has none, two bits, for zeros."""
    if op.bias is not None:
        return assignment.biases[op.name]
    exponent = x.exponent + assignment.weights[op.name].exponent
    return Integer(2, signed=True, exponent=min(max(exponent, -128), 127))


def averaged(x, y, denominator):
    """The requantisation of sums, of numbers of format `x`, over `denominator` to averages of format `y`.

    The multiplier is as wide as sums of 62 bits allow, at most 32 bits. If the denominator is a power of two, it is
    exact; if not, it is a little more or less than the quotient, and that is where ties go instead of to even.

    Returns
    -------
    (RequantSpec, int, int)
        The spec, m and s.

    Raises
    ------
    InputError
        If the sums are too long, or the units too far apart.
    """
    sums = fitting(denominator * x.lo, denominator * x.hi)
    m_width = min(WIDEST_FACTOR, WIDEST_SUM - 1 - sums.width)
    if m_width < 2:
        raise InputError(f"averages of {x} have sums of {sums.width} bits; allowed: up to {WIDEST_SUM - 3}")
    spec = RequantSpec(x=replace(sums, exponent=x.exponent), y=y, m_width=m_width, b_width=2)
    try:
        (m,), _, (s,) = fold_affine(spec, 2.0 ** (x.exponent - y.exponent) / denominator, 0.0)
    except InputError:
        raise InputError(f"units of {x} and of its average, {y}, are too far apart") from None
    return spec, int(m), int(s)


def aligned(a, b, y):
    """The addition of numbers of formats `a` and `b`, to format `y`, in the finest of the three units.

    Returns
    -------
    (AddSpec, int, int, int)
        The spec, m_a and m_b, which are powers of two, and s.

    Raises
    ------
    InputError
        If the units are too far apart.
    """
    finest = min(a.exponent, b.exponent, y.exponent)
    up = [fmt.exponent - finest for fmt in (a, b)]
    try:
        spec = AddSpec(a=a, b=b, y=y, m_width=max(up) + 2, d_width=2)
    except InputError:
        raise InputError(f"units of {a}, {b} and their sum, {y}, are too far apart") from None
    return spec, 1 << up[0], 1 << up[1], min(y.exponent - finest, spec.s_limit)


def lower(graph, assignment, *, accumulate="exact", info=None):
    """The `golden.network.Network` of `graph` with the formats of `assignment`.

    Tensors are called as in the graph. A relu that alone uses a conv or dense is computed by its node, which makes the
    relu's tensor; an average_pool ``p`` makes its sums, ``p_sum``, and their averages, ``p``.

    Parameters
    ----------
    graph : Graph
        Folded, see `quant.fold`.
    assignment : Assignment
        Complete.
    accumulate : str
        How sums of products are kept: "exact", or in FP32 as `golden.accumulate.Rounded` names it.
    info : dict
        JSON values for the reader of the artefact.

    Raises
    ------
    InputError
        If a number has no format, formats do not go together, or golden has no such operation on them.
    """
    return Lowering(graph, assignment, accumulate).network(info)


class Lowering:
    """Writes down golden's nodes, one operation after the other."""

    def __init__(self, graph, assignment, accumulate):
        self.graph, self.assignment, self.accumulate = graph, assignment, accumulate
        self.formats, self.fused = check(graph, assignment), graph.fused()
        x = self.formats[graph.input]
        self.builder = Builder(x, graph.shape, unit=2.0**x.exponent)
        self.builder.tensors = {graph.input: self.builder.tensors.pop(self.builder.input)}
        self.builder.input = graph.input

    def network(self, info):
        """golden's network."""
        for op in self.graph.ops:
            if op.name not in self.fused.values():
                try:
                    NODES[op.op](self, op)
                except InputError as error:
                    told = str(error).startswith("node ")
                    raise InputError(str(error) if told else f"{op.op} {op.name!r}: {error}") from None
        return self.builder.build(output=self.graph.output, info=info)

    def plain(self, op, attributes=None):
        """A node of the same name, without parameters."""
        self.builder.add(op.name, op.op, *op.inputs, attributes=attributes)

    def layer(self, op):
        """Products, sums, bias and the relu behind them, rounded once."""
        weight, bias = self.assignment.weights[op.name], bias_format(op, self.formats[op.inputs[0]], self.assignment)
        values = np.zeros(len(op.weight), np.int64) if op.bias is None else bias.nearest(array(op.bias))
        settings = {"format": self.formats[op.name].name, "accumulate": self.accumulate, "relu": op.name in self.fused}
        self.builder.add(
            op.name,
            f"mac_{op.op}",
            *op.inputs,
            parameters={"weight": (weight, weight.nearest(array(op.weight))), "bias": (bias, values)},
            attributes=settings | {key: list(value) for key, value in op.attributes.items()},
        )
        if op.name in self.fused:
            self.renamed(self.fused[op.name])

    def renamed(self, tensor):
        """Let the last node make a tensor of another name than its own."""
        nodes, tensors = self.builder.nodes, self.builder.tensors
        tensors[tensor] = tensors.pop(nodes[-1].output)
        nodes[-1] = replace(nodes[-1], output=tensor)

    def max_pool(self, op):
        self.plain(op, pooling(op))

    def average_pool(self, op):
        """The sums, then their averages, rounded."""
        x, y = (self.formats[name] for name in (*op.inputs, op.name))
        sums = self.builder.add(f"{op.name}_sum", op.op, *op.inputs, attributes=pooling(op))
        whole = self.builder.tensors[sums]
        spec, m, s = averaged(x, y, round(2.0**x.exponent / whole.unit))
        self.builder.add(
            op.name,
            "requant",
            sums,
            parameters=per_channel(whole.shape[0], m=m, b=0, s=s),
            attributes={"format": y.name, "m_width": spec.m_width, "b_width": spec.b_width},
            unit=2.0**y.exponent,
        )

    def add(self, op):
        a, b, y = (self.formats[name] for name in (*op.inputs, op.name))
        spec, m_a, m_b, s = aligned(a, b, y)
        self.builder.add(
            op.name,
            "add",
            *op.inputs,
            parameters=per_channel(self.builder.tensors[op.inputs[0]].shape[0], m_a=m_a, m_b=m_b, d=0, s=s),
            attributes={"format": y.name, "m_width": spec.m_width, "d_width": spec.d_width},
            unit=2.0**y.exponent,
        )

    def lrn(self, op):
        self.plain(op, {"format": self.formats[op.name].name, **op.attributes})


def array(x):
    """A parameter as a float64 array."""
    return x.detach().double().numpy()


def pooling(op):
    """Attributes of a pool, as JSON has them."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in op.attributes.items()}


def per_channel(channels, **values):
    """Parameters that are the same for all channels."""
    return {role: (None, np.full(channels, value, np.int64)) for role, value in values.items()}


NODES = {
    "conv": Lowering.layer,
    "dense": Lowering.layer,
    "relu": Lowering.plain,
    "max_pool": Lowering.max_pool,
    "average_pool": Lowering.average_pool,
    "add": Lowering.add,
    "concat": Lowering.plain,
    "flatten": Lowering.plain,
    "lrn": Lowering.lrn,
}
