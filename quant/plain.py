"""A graph as a torch module again: of torch's own layers, which can be trained, replaced and traced."""

from torch import nn

from golden.errors import InputError
from quant.kinds import compute

__all__ = ["Plain"]


def layer(op):
    """The torch layer that does what `op` does, or None if that has no weights."""
    if op.op == "conv":
        sizes = op.weight.shape[1], len(op.weight), op.weight.shape[2:]
        module = nn.Conv2d(*sizes, bias=op.bias is not None, **op.attributes)
    elif op.op == "dense":
        module = nn.Linear(op.weight.shape[1], len(op.weight), bias=op.bias is not None)
    elif op.op == "batch_norm":
        raise InputError(f"batch_norm {op.name!r} must be folded before a graph becomes a module: quant.fold")
    else:
        return None
    module.weight = nn.Parameter(op.weight.detach().clone())
    if op.bias is not None:
        module.bias = nn.Parameter(op.bias.detach().clone())
    return module


class Plain(nn.Module):
    """The operations of `graph`, with one `nn.Conv2d` or `nn.Linear` for each that has weights, called as it is.

    Dots in names become underscores. From pixels, or reals, to the output.

    Parameters
    ----------
    graph : Graph
        Without batch normalisation.
    """

    def __init__(self, graph):
        super().__init__()
        self.ops, self.source, self.output, self.unit = graph.ops, graph.input, graph.output, graph.unit
        self.names = {op.name: op.name.replace(".", "_") for op in graph.ops if op.weight is not None}
        if len(set(self.names.values())) != len(self.names):
            raise InputError("names of operations must differ by more than dots and underscores")
        for op in graph.ops:
            if (module := layer(op)) is not None:
                self.add_module(self.names[op.name], module)

    def forward(self, x):
        values = {self.source: x if self.unit is None else x.float() * self.unit}
        for op in self.ops:
            inputs = [values[name] for name in op.inputs]
            if op.name in self.names:
                values[op.name] = getattr(self, self.names[op.name])(*inputs)
            else:
                values[op.name] = compute(op, inputs)
        return values[self.output]
