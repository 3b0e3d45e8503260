"""A graph whose numbers are rounded to formats: in float32, for scores and tuning, and in exact integers."""

from collections import Counter
from dataclasses import replace

import torch

from golden.errors import InputError
from golden.rounding import generator, stochastic
from quant.assignment import Assignment
from quant.kinds import compute
from quant.steps import Steps
from quant.straight import straight

__all__ = ["WEIGHTS", "Simulated"]

BLOCK = 1 << 15  # numbers at a time: NumPy's intermediate arrays then stay in the cache
WEIGHTS = ("nearest", "stochastic")


@torch.no_grad()
def applied(function, x):
    """``function`` of the numbers `x`, a float32 tensor, from NumPy arrays to NumPy arrays."""
    y = torch.empty_like(x)
    source, target = x.detach().numpy(), y.numpy()
    rows = max(1, BLOCK * len(x) // max(1, x.numel()))
    for start in range(0, len(x), rows):
        target[start : start + rows] = function(source[start : start + rows])
    return y


class Simulated(torch.nn.Module):
    """`graph` with the numbers to which `assignment` gives formats rounded to them; the others are float32.

    In evaluation, weights and biases are rounded to nearest and so are outputs. In training, `weights` and `outputs`
    say what happens; the gradient with respect to the rounded weights and biases reaches those in full precision, which
    are the parameters, unchanged; that of outputs does where they do not saturate. Weights are rounded once a batch.

    `forward` multiplies and adds in float32, so that a sum that is close to a tie may round otherwise than the exact
    sum: what is exported, to the last integer, is what `steps` computes.

    Parameters
    ----------
    graph : Graph
        Without batch normalisation.
    assignment : Assignment
        Partial or complete.
    weights : str
        "nearest" or "stochastic", which rounds at random so that the error is 0 on average.
    outputs : bool
        Whether outputs are rounded in training.
    seed : int
        Of stochastic rounding.
    accumulate : str
        How `steps` keeps sums of products; see `quant.lower`.

    Raises
    ------
    InputError
        If the assignment names what the graph does not have, the graph is not folded, or a setting is unknown.

    Source: Gysel, Ristretto, sections 2.6 and 9.3.
    """

    def __init__(self, graph, assignment=None, *, weights="nearest", outputs=True, seed=0, accumulate="exact"):
        super().__init__()
        self.assignment = Assignment() if assignment is None else assignment
        self.assignment.check(graph)
        for op in graph.ops:
            if op.op == "batch_norm":
                raise InputError(f"batch_norm {op.name!r} must be folded before numbers get formats: quant.fold")
        if weights not in WEIGHTS:
            raise InputError(f"weights must be rounded {' or '.join(WEIGHTS)}, not {weights!r}")
        self.weights, self.outputs, self.accumulate = weights, outputs, accumulate
        self.rng, self.start = generator(seed), graph
        self.full = torch.nn.ParameterDict()  # operations by their place: names may hold dots, keys may not
        for index, op in enumerate(graph.ops):
            for role in ("weight", "bias"):
                if (x := getattr(op, role)) is not None:
                    self.full[f"{role}{index}"] = torch.nn.Parameter(x.detach().float().clone())

    def graph(self):
        """The graph with the weights and biases as they are now, in full precision."""
        ops = []
        for index, op in enumerate(self.start.ops):
            now = {role: self.full[key] for role in ("weight", "bias") if (key := f"{role}{index}") in self.full}
            ops.append(replace(op, **{role: x.detach().clone() for role, x in now.items()}))
        return replace(self.start, ops=ops)

    def parameter(self, role, index, formats):
        """The weight or bias of an operation, rounded if it has a format; None if there is none."""
        x, fmt = self.full.get(f"{role}{index}"), formats.get(self.start.ops[index].name)
        if role == "weight" and (present := self.start.ops[index].present) is not None:
            x = x * present  # no gradient reaches what is no weight, so that it stays 0
        if x is None or fmt is None:
            return x
        if self.training and self.weights == "stochastic":
            unit = 2.0**fmt.exponent
            return straight(x, applied(lambda part: stochastic(fmt, part, self.rng) * unit, x))
        return straight(x, applied(fmt.round, x))

    def output(self, name, x):
        """A tensor, rounded if it has a format."""
        fmt = self.assignment.outputs.get(name)
        if fmt is None or (self.training and not self.outputs):
            return x
        inside = None
        if x.requires_grad:
            unit = 2.0**fmt.exponent
            inside = (x >= fmt.lo * unit) & (x <= fmt.hi * unit)
        return straight(x, applied(fmt.round, x), inside)

    def forward(self, x):
        """The output's values for `x` [N, ...], see `quant.graph.Graph.real`; float32."""
        graph, uses = self.start, Counter(name for op in self.start.ops for name in op.inputs)
        values = {graph.input: self.output(graph.input, graph.real(x).float())}
        for index, op in enumerate(graph.ops):
            weight = self.parameter("weight", index, self.assignment.weights)
            bias = self.parameter("bias", index, self.assignment.biases)
            y = compute(op, [values[name] for name in op.inputs], weight, bias)
            values[op.name] = self.output(op.name, y)
            for name in op.inputs:
                uses[name] -= 1
                if not uses[name] and name != graph.output:
                    values.pop(name, None)
        return values[graph.output]

    def steps(self, x):
        """Yield (name, integers as float64) for every tensor of the exported network; see `quant.steps.Steps`.

        The assignment must be complete.
        """
        return Steps(self.graph(), self.assignment, self.accumulate)(x)
