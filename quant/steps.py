"""The integers of an exported network, computed by torch: what golden must compute too."""

import math

import numpy as np
import torch
from torch.nn import functional

from golden.accumulate import Rounded
from golden.lrn import LrnSpec, lrn
from golden.wide import FLOAT, limbs, split, total
from quant.kinds import compute
from quant.integers import exact
from quant.lower import aligned, array, averaged, bias_format, check

__all__ = ["Steps"]

HALF = 31  # bits of the lower half of a sum of 62
PRODUCTS = 1 << 22  # in FP32, at a time


class Steps:
    """Every tensor of ``lower(graph, assignment, accumulate=...)``, computed by torch's own operations.

    Integers stand in float64, and stay below 2**53. What torch has no numbers for, sums beyond that, is cut and put
    together by `golden.wide`; rounding is that of the formats, and local response normalisation is `golden.lrn`.

    Parameters
    ----------
    graph, assignment, accumulate
        As of `quant.lower.lower`.
    """

    def __init__(self, graph, assignment, accumulate="exact"):
        self.graph, self.formats, self.fused = graph, check(graph, assignment), graph.fused()
        self.tree = Rounded.parse(accumulate)
        self.layers = {}  # name → (format, integers) of the weight and of the bias
        for op in graph.ops:
            if op.weight is not None:
                weight = assignment.weights[op.name]
                bias = bias_format(op, self.formats[op.inputs[0]], assignment)
                values = np.zeros(len(op.weight), np.int64) if op.bias is None else bias.nearest(array(op.bias))
                self.layers[op.name] = (weight, weight.nearest(array(op.weight))), (bias, values)

    @torch.no_grad()
    def __call__(self, x):
        """Yield (name, integers as float64 [N, ...]) for each tensor made of `x`, but for what flatten makes.

        Parameters
        ----------
        x : tensor [N, ...]
            uint8 pixels; or reals, which are rounded to the input's format, or its integers.

        Raises
        ------
        InputError
            If the input is none of these, or an integer reaches 2**53.
        """
        values = {self.graph.input: self.integers(x)}
        for op in self.graph.ops:
            if op.name in self.fused.values():
                continue
            for name, y in RULES[op.op](self, op, *(values[name] for name in op.inputs)):
                values[name] = exact(y, name)
                if op.op != "flatten":
                    yield name, y

    def integers(self, x):
        """The integers of the input `x`, float64."""
        fmt = self.formats[self.graph.input]
        if x.dtype.is_floating_point and self.graph.unit is None:
            return torch.from_numpy(fmt.nearest(x.double().numpy())).double()
        return torch.from_numpy(fmt.check(x.numpy(), "network input").astype(np.float64))

    def plain(self, op, *inputs):
        """What torch makes of integers as of any numbers."""
        yield op.name, compute(op, inputs)

    def layer(self, op, x):
        """Products, sums, bias, one rounding and the relu behind."""
        fmt, y = self.formats[op.name], self.fused.get(op.name, op.name)
        totals = self.sums(op, x) if self.tree is None else self.rounded_sums(op, x)
        found = torch.from_numpy(fmt.nearest(totals)).double()
        yield y, found.clamp(min=0) if op.name in self.fused else found

    def sums(self, op, x):
        """The exact numbers of products and bias, float64 array; from 2**53 units on, rounded to odd."""
        (weight, w), (bias, b) = self.layers[op.name]
        exponent = self.formats[op.inputs[0]].exponent + weight.exponent
        finest = min(exponent, bias.exponent)
        most = int(x.abs().max()) if x.numel() else 0
        bound = most * int(np.abs(w).reshape(len(w), -1).sum(axis=1).max())
        if bound < FLOAT:
            parts = [((x, 0), (w, 0))]
        else:
            of_x, of_w, _ = split(w[0].size, most, int(np.abs(w).max()))
            cut = [(torch.from_numpy(part).double(), s) for part, s in limbs(x.numpy(), *of_x)]
            parts = [(part, other) for part in cut for other in limbs(w, *of_w)]
        up, bias_up = exponent - finest, bias.exponent - finest
        terms = [
            (compute(op, [part], torch.from_numpy(filters).double()).numpy(), s + t + up)
            for (part, s), (filters, t) in parts
        ]
        terms += [
            (part.reshape(-1, *[1] * (x.ndim - 2 if op.op == "conv" else 0)), s + bias_up)
            for part, s in limbs(b, 2, 32)
        ]
        bound = (bound << up) + (int(np.abs(b).max()) << bias_up)
        return total(terms, bound) * 2.0**finest

    def rounded_sums(self, op, x):
        """The numbers that a tree of FP32 adders makes, float64 array; see `golden.accumulate.Rounded`."""
        (weight, w), (bias, b) = self.layers[op.name]
        x = (x * 2.0 ** self.formats[op.inputs[0]].exponent).float()
        w = torch.from_numpy(w * 2.0**weight.exponent).float()
        bias = torch.from_numpy(b * 2.0**bias.exponent).float()
        patches = x[:, :, None] if op.op == "dense" else functional.unfold(x, w.shape[2:], **op.attributes)
        w, lanes, found = w.flatten(1)[:, :, None], self.tree.lanes, []
        for part in patches.split(max(1, PRODUCTS // (len(w) * lanes * patches.shape[2]))):
            sums = torch.zeros(len(part), len(w), part.shape[2])
            for k in range(0, part.shape[1], lanes):
                level = part[:, None, k : k + lanes] * w[:, k : k + lanes]
                while level.shape[2] > 1:
                    paired = level.shape[2] // 2 * 2
                    level = torch.cat([level[:, :, :paired:2] + level[:, :, 1:paired:2], level[:, :, paired:]], 2)
                sums = sums + level[:, :, 0]
            found.append(sums + bias[:, None])
        shape = self.graph.shapes()[op.name]
        return torch.cat(found).reshape(-1, *shape).double().numpy()

    def average_pool(self, op, x):
        """Sums over the least common denominator, then averages."""
        y, geometry = self.formats[op.name], {key: op.attributes[key] for key in ("stride", "padding", "ceil_mode")}

        def sums(x):
            return functional.avg_pool2d(x, op.attributes["kernel"], **geometry, divisor_override=1)

        ones = torch.ones(1, 1, *x.shape[2:], dtype=torch.float64)
        counts = torch.round(sums(ones) / compute(op, [ones])).long()
        denominator = math.lcm(*counts.unique().tolist())
        _, m, s = averaged(self.formats[op.inputs[0]], y, denominator)
        whole = exact(sums(x) * (denominator // counts), op.name)
        yield f"{op.name}_sum", whole
        yield op.name, shifted(whole.long() * m, s, y)

    def add(self, op, a, b):
        """Operands in one unit, added, rounded."""
        y = self.formats[op.name]
        _, m_a, m_b, s = aligned(*(self.formats[name] for name in op.inputs), y)
        yield op.name, shifted(a.long() * m_a + b.long() * m_b, s, y)

    def lrn(self, op, x):
        """golden's own normalisation, rounded."""
        numbers = x.numpy() * 2.0 ** self.formats[op.inputs[0]].exponent
        found = self.formats[op.name].nearest(lrn(LrnSpec(**op.attributes), numbers))
        yield op.name, torch.from_numpy(found).double()


def shifted(sums, s, y):
    """The integers of format `y` nearest to int64 `sums`, of at most 62 bits, times ``2**-s``, float64."""
    sums = sums.numpy()
    whole = total([(sums & ((1 << HALF) - 1), 0), (sums >> HALF, HALF)], 1 << 62)
    return torch.from_numpy(y.nearest(whole * 2.0 ** (y.exponent - s))).double()


RULES = {
    "conv": Steps.layer,
    "dense": Steps.layer,
    "relu": Steps.plain,
    "max_pool": Steps.plain,
    "average_pool": Steps.average_pool,
    "add": Steps.add,
    "concat": Steps.plain,
    "flatten": Steps.plain,
    "lrn": Steps.lrn,
}
